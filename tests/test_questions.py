"""Questions are checked, drawn at random but reproducibly, and keep what is right when shuffled."""

from __future__ import annotations

import copy
import hashlib
import json
import pickle
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.images import Image, refer_to_image
from evalkit.questions import (
    AT_ONCE,
    NO_METADATA,
    Duplicate,
    Question,
    QuestionSet,
    digest_of,
    question_digest,
    rank_by_seed,
    reorder,
    shuffle_choices,
)

SEEDS = st.integers(-(2**70), 2**70)
PLANETS = ("Mars", "Venus", "Earth", "Saturn")
ONE, OTHER = (refer_to_image(f"https://example.org/{name}.png") for name in "ab")


def question(name: str = "q", **changes: Any) -> Question:
    facts: dict[str, Any] = {"id": name, "stem": "Which?", "choices": PLANETS, "right": (0,)}
    return Question(**facts | changes)


def numbered(count: int) -> tuple[Question, ...]:
    return tuple(question(f"q{i}", stem=f"Which {i}?") for i in range(count))


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """Any question, repeated texts and several right choices included."""
    choices = draw(st.lists(st.text(max_size=5), min_size=2, max_size=26))
    right = draw(st.sets(st.integers(0, len(choices) - 1), min_size=1))
    return question(draw(st.text()), choices=tuple(choices), right=tuple(sorted(right)))


@st.composite
def question_sets(draw: st.DrawFn) -> QuestionSet:
    ids = draw(st.lists(st.text(), min_size=1, max_size=30, unique=True))
    return QuestionSet(questions=tuple(question(name) for name in ids))


# One question


@pytest.mark.parametrize(
    ("choices", "right", "complaint"),
    [
        (("a",), (0,), "1 choices, not 2 to 26"),
        (tuple(map(str, range(27))), (0,), "27 choices, not 2 to 26"),
        (PLANETS, (), "right choices"),
        (PLANETS, (4,), "right choices"),
        (PLANETS, (-1,), "right choices"),
        (PLANETS, (2, 1), "right choices"),
        (PLANETS, (1, 1), "right choices"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(
    choices: tuple[str, ...], right: tuple[int, ...], complaint: str
) -> None:
    with pytest.raises(ValueError, match=f"^ant: {complaint}"):
        question("ant", choices=choices, right=right)


@pytest.mark.parametrize("count", [2, 3, 10, 26])
def test_a_question_has_2_to_26_choices(count: int) -> None:
    choices = tuple(map(str, range(count)))

    assert question(choices=choices, right=(count - 1,)).right_texts == (str(count - 1),)


def test_only_a_question_with_one_right_choice_can_be_answered_by_one_letter() -> None:
    assert question(right=(2,)).has_one_answer
    assert not question(right=(1, 2)).has_one_answer
    assert question(right=(1, 2)).right_texts == ("Venus", "Earth")


def test_a_question_can_be_kept_in_a_set_whatever_its_metadata() -> None:
    assert len({question(), question(), question(metadata={"source": "book"})}) == 2


def test_a_question_knows_its_pictures_by_their_content() -> None:
    assert question().image_digests == ()
    assert question(images=(ONE, OTHER)).image_digests == (ONE.digest, OTHER.digest)


def test_questions_without_metadata_share_a_mapping_that_is_empty() -> None:
    assert question().metadata is question("other").metadata
    assert question().metadata == {}
    assert json.dumps(asdict(question())["metadata"]) == "{}"


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda q: pickle.loads(pickle.dumps(q))]
)
def test_a_copied_question_shares_it_too(copied: Callable[[Question], Question]) -> None:
    assert copied(question()) == question()
    assert copied(question()).metadata is NO_METADATA


@pytest.mark.parametrize(
    "change",
    [
        lambda shared: shared.__setitem__("source", "book"),
        lambda shared: shared.setdefault("source", "book"),
        lambda shared: shared.update(source="book"),
        lambda shared: shared.__ior__({"source": "book"}),
    ],
)
def test_nothing_can_be_said_of_all_questions_by_saying_it_of_one(
    change: Callable[[Any], None],
) -> None:
    with pytest.raises(TypeError, match="questions without metadata share this mapping"):
        change(question().metadata)

    assert question("other").metadata == {}


# The order of choices


def test_pictures_keep_their_numbers_when_choices_change_places() -> None:
    marks = ("<image 1>", "<image 2>", "<image 3>", "none")
    shuffled = shuffle_choices(question(choices=marks, images=(ONE, OTHER, ONE)), 0)

    assert shuffled.choices != marks
    assert shuffled.right_texts == ("<image 1>",)
    assert shuffled.images == (ONE, OTHER, ONE)


@given(questions(), SEEDS)
def test_shuffling_keeps_the_texts_and_what_is_right(q: Question, seed: int) -> None:
    shuffled = shuffle_choices(q, seed)

    assert Counter(shuffled.choices) == Counter(q.choices)
    assert Counter(shuffled.right_texts) == Counter(q.right_texts)
    assert shuffled.order is not None
    assert tuple(q.choices[i] for i in shuffled.order) == shuffled.choices
    assert {shuffled.order[i] for i in shuffled.right} == set(q.right)
    assert replace(shuffled, choices=q.choices, right=q.right, order=None) == q


@given(questions(), SEEDS, SEEDS)
def test_after_two_shuffles_the_order_still_leads_back_to_the_source(
    q: Question, first: int, second: int
) -> None:
    shuffled = shuffle_choices(shuffle_choices(q, first), second)

    assert shuffled.order is not None
    assert tuple(q.choices[i] for i in shuffled.order) == shuffled.choices


@given(questions(), st.data())
def test_choices_put_back_are_the_question_again(q: Question, data: st.DataObject) -> None:
    order = tuple(data.draw(st.permutations(range(len(q.choices)))))
    shown = reorder(q, order)
    assert shown.choices == tuple(q.choices[place] for place in order)
    assert {order[place] for place in shown.right} == set(q.right)
    back = reorder(shown, tuple(order.index(place) for place in range(len(order))))
    assert replace(back, order=q.order) == q


@pytest.mark.parametrize("order", [(), (0, 1, 2), (0, 1, 2, 2), (1, 2, 3, 4)])
def test_an_order_names_each_choice_once(order: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"q: order .* of 4 choices"):
        reorder(question(), order)


def test_the_order_depends_on_the_seed_and_the_id_and_nothing_else() -> None:
    q = question(choices=tuple("abcdefghij"))
    other_text = replace(q, stem="Other?", choices=tuple("klmnopqrst"), right=(3,))
    orders = {shuffle_choices(question(str(i)), seed).order for i in range(20) for seed in range(5)}

    assert shuffle_choices(q, 1).order == shuffle_choices(q, 1).order
    assert shuffle_choices(q, 1).order == shuffle_choices(other_text, 1).order
    assert shuffle_choices(q, 1).order != shuffle_choices(q, 2).order
    assert shuffle_choices(q, 1).order != shuffle_choices(replace(q, id="r"), 1).order
    assert len(orders) > 20  # all 24 orders of four choices, but for luck


def test_shuffled_right_choices_are_as_frequent_in_each_place() -> None:
    places = Counter(shuffle_choices(q, 0).right[0] for q in numbered(2000))

    assert all(440 <= places[place] <= 560 for place in range(4))


def test_the_order_of_choices_is_the_same_in_every_version() -> None:
    """A seed that gave another order after an update would make runs incomparable."""
    assert shuffle_choices(question("q"), 0).order == (0, 3, 1, 2)


# Samples


@given(question_sets(), SEEDS, st.integers(1, 40), st.integers(1, 40))
def test_a_smaller_sample_is_part_of_a_larger_one(
    given_set: QuestionSet, seed: int, one: int, other: int
) -> None:
    small, large = (given_set.sample(limit, seed).questions for limit in sorted((one, other)))

    assert {q.id for q in small} <= {q.id for q in large}
    assert len(small) == min(one, other, len(given_set.questions))


@given(question_sets(), SEEDS, st.integers(1, 40), st.randoms())
def test_a_sample_does_not_depend_on_the_order_of_the_file(
    given_set: QuestionSet, seed: int, limit: int, random: Any
) -> None:
    mixed = list(given_set.questions)
    random.shuffle(mixed)
    ids = {q.id for q in given_set.sample(limit, seed).questions}

    assert {q.id for q in QuestionSet(questions=tuple(mixed)).sample(limit, seed).questions} == ids


def test_a_sample_is_drawn_at_random_and_stays_in_the_order_of_the_set() -> None:
    everything = QuestionSet(questions=numbered(1000), examples=numbered(3))
    sample = everything.sample(100, 0)
    places = [everything.questions.index(q) for q in sample.questions]

    assert places == sorted(places)
    assert places != list(range(100))
    assert 400 < sum(places) / 100 < 600
    assert sample.examples == everything.examples


def test_each_seed_draws_another_sample_and_none_favours_a_question() -> None:
    everything = QuestionSet(questions=numbered(50))
    samples = [everything.sample(10, seed).questions for seed in range(400)]
    drawn = Counter(q.id for sample in samples for q in sample)

    assert len(set(samples)) == 400
    assert len(drawn) == 50
    assert all(45 <= count <= 120 for count in drawn.values())  # 80 expected, deviation 8


@pytest.mark.parametrize("limit", [None, 7, 8, 10**9])
def test_a_limit_that_reaches_to_the_end_leaves_the_set_as_it_is(limit: int | None) -> None:
    everything = QuestionSet(questions=numbered(7))

    assert everything.sample(limit, 3) is everything


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match=f"limit {limit}: expected at least 1"):
        QuestionSet(questions=numbered(7)).sample(limit, 0)


def test_a_sample_is_the_same_in_every_version() -> None:
    """A seed that drew others after an update would make runs incomparable."""
    sample = QuestionSet(questions=numbered(20)).sample(4, 0).questions

    assert [q.id for q in sample] == ["q0", "q2", "q3", "q10"]


@given(question_sets(), SEEDS)
def test_ranking_keeps_every_question(given_set: QuestionSet, seed: int) -> None:
    ranked = rank_by_seed(given_set.questions, seed)

    assert sorted(q.id for q in ranked) == sorted(q.id for q in given_set.questions)
    assert ranked == rank_by_seed(reversed(given_set.questions), seed)


# Sets


def test_two_questions_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^q: 2 questions have this id"):
        QuestionSet(questions=(question(), question("r"), question(stem="Other?")))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"stem": "Which one?"}, None),
        ({"choices": ("Mars", "Venus", "Earth", "Pluto")}, None),
        ({}, True),
        ({"group": "astronomy"}, True),
        ({"choices": ("Venus", "Mars", "Saturn", "Earth"), "right": (1,)}, True),
        ({"right": (1,)}, False),
        ({"right": (0, 1)}, False),
        ({"choices": ("Venus", "Mars", "Saturn", "Earth")}, False),
    ],
    ids=str,
)
def test_a_question_repeats_another_if_stem_and_choices_are_equal_in_any_order(
    changes: dict[str, Any], found: bool | None
) -> None:
    pair = QuestionSet(questions=(question("a"), question("b", **changes)))
    expected = Duplicate(first="a", second="b", same_answer=bool(found))

    assert pair.find_duplicates() == (() if found is None else (expected,))


@pytest.mark.parametrize(
    ("images", "repeats"),
    [((ONE,), True), ((OTHER,), False), ((), False), ((ONE, OTHER), False), ((OTHER, ONE), False)],
)
def test_the_same_words_about_another_picture_are_another_question(
    images: tuple[Image, ...], repeats: bool
) -> None:
    pair = (question("a", images=(ONE,)), question("b", images=images))

    assert bool(QuestionSet(questions=pair).find_duplicates()) is repeats


def test_every_repetition_is_named_with_the_first_of_its_kind() -> None:
    copies = tuple(question(name) for name in "abc")
    other = question("x", stem="Other?")

    assert QuestionSet(questions=(copies[0], other, *copies[1:])).find_duplicates() == (
        Duplicate(first="a", second="b", same_answer=True),
        Duplicate(first="a", second="c", same_answer=True),
    )


@given(
    st.lists(
        st.tuples(
            st.sampled_from("xy"),
            st.lists(st.sampled_from("ab"), min_size=2, max_size=3),
            st.sampled_from([(), (("user", "x"), ("assistant", "a"))]),
        ),
        max_size=30,
    )
)
def test_repetitions_are_those_that_a_comparison_of_all_pairs_finds(shown: list[Any]) -> None:
    asked = tuple(
        question(str(i), stem=stem, choices=tuple(choices), history=history)
        for i, (stem, choices, history) in enumerate(shown)
    )
    kinds = [(stem, sorted(choices), history) for stem, choices, history in shown]
    pairs = [(str(kinds.index(kind)), str(i)) for i, kind in enumerate(kinds)]
    expected = [pair for pair in pairs if pair[0] != pair[1]]
    found = QuestionSet(questions=asked).find_duplicates()

    assert [(each.first, each.second) for each in found] == expected


@pytest.mark.parametrize(
    ("changes", "is_changed"),
    [
        ({"id": "r"}, True),
        ({"stem": "Which one?"}, True),
        ({"choices": PLANETS[::-1]}, True),
        ({"right": (1,)}, True),
        ({"group": "astronomy"}, True),
        ({"images": (ONE,)}, True),
        ({"metadata": {"rationale": "It is red."}}, False),
    ],
    ids=str,
)
def test_the_digest_tells_what_is_shown_or_judged_by_and_nothing_else(
    changes: dict[str, Any], is_changed: bool
) -> None:
    one, other = question(), question(**changes)
    before, after = (QuestionSet(questions=(asked,)).digest for asked in (one, other))

    assert (before != after) is is_changed
    assert (question_digest(one) != question_digest(other)) is is_changed
    assert len(bytes.fromhex(before)) == len(bytes.fromhex(question_digest(one))) == 32


def test_the_digest_tells_an_asked_question_from_a_worked_example() -> None:
    one, two = numbered(2)

    assert (
        QuestionSet(questions=(one, two)).digest
        != QuestionSet(questions=(one,), examples=(two,)).digest
    )


def test_the_digest_of_texts_is_the_same_in_every_version() -> None:
    """Another one would make earlier runs incomparable."""
    digest = "28d2d36a43c06273023151b55a4d02404c75bca903336737f002865e7235a8ed"

    assert QuestionSet(questions=(question(group="astronomy"),)).digest == digest


@pytest.mark.parametrize("count", [0, 1, 2, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE])
def test_the_digest_is_that_of_one_list_however_many_questions_there_are(count: int) -> None:
    asked, shown = numbered(count), numbered(2)
    facts = [
        json.dumps([[q.id, q.stem, q.choices, q.right, q.group] for q in questions])
        for questions in (asked, shown)
    ]
    expected = hashlib.sha256("".join(facts).encode()).hexdigest()

    assert QuestionSet(questions=asked, examples=shown).digest == expected


@given(st.lists(st.text(st.characters())))
def test_the_digest_of_texts_is_that_of_their_json(texts: list[str]) -> None:
    written = json.dumps(texts, ensure_ascii=False).encode("utf-8", "surrogatepass")

    assert digest_of(*texts) == hashlib.sha256(written).hexdigest()


def test_the_digest_tells_one_picture_from_another_wherever_it_lies() -> None:
    facts: dict[str, Any] = {
        "digest": ONE.digest,
        "media_type": "image/png",
        "width": 1,
        "height": 1,
    }
    first, moved = (Image(**facts, size_bytes=1, path=f"/{name}.png") for name in "ab")
    sets = [QuestionSet(questions=(question(images=(i,)),)) for i in (first, moved, OTHER)]

    assert sets[0].digest == sets[1].digest != sets[2].digest


def test_a_digest_is_made_of_any_text() -> None:
    assert QuestionSet(questions=(question(stem="half a pair: \ud800"),)).digest
    assert digest_of("half a pair: \ud800") != digest_of("")
