"""Prompts show each text as it is, refuse what no endpoint takes, and never show the answer."""

from __future__ import annotations

import re
from string import ascii_uppercase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import PromptError
from evalkit.prompts import (
    Prompt,
    PromptFormat,
    Turn,
    build_labels,
    build_prompt,
    choose_examples,
    fill,
    is_same,
    parse_prompt_format,
    rank_examples,
    render_question,
)
from evalkit.questions import Question

FORMAT = PromptFormat()
TEXTS = st.text() | st.sampled_from(["{stem}", "{choices}", "{label} {text}", r"\frac{a}{b}"])


def question(name: str = "q", stem: str = "Which?", **changes: Any) -> Question:
    facts: dict[str, Any] = {"choices": ("Mars", "Venus", "Earth"), "right": (1,)}
    return Question(id=name, stem=stem, **facts | changes)


def pool(groups: dict[str, int]) -> tuple[Question, ...]:
    """So many worked examples of each group, in the order in which they are drawn."""
    return rank_examples(
        [
            question(f"{group}{i}", f"Example {group}{i}?", group=group)
            for group, count in groups.items()
            for i in range(count)
        ],
        seed=0,
    )


# What is shown


def test_a_question_is_its_stem_an_empty_line_and_its_labelled_choices() -> None:
    assert render_question(question(), FORMAT) == "Which?\n\n(A) Mars\n(B) Venus\n(C) Earth"


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        (
            PromptFormat(template="Subject: {group}\n{stem}\n{choices}\nAnswer:"),
            "Subject: planets\nWhich?\n(A) Mars\n(B) Venus\n(C) Earth\nAnswer:",
        ),
        (
            PromptFormat(choice="{label}. {text}", labels="digits"),
            "Which?\n\n1. Mars\n2. Venus\n3. Earth",
        ),
        (
            PromptFormat(choice="- {text} [{label}]", template="{choices}\n{stem} {stem}"),
            "- Mars [A]\n- Venus [B]\n- Earth [C]\nWhich? Which?",
        ),
    ],
)
def test_template_choice_and_labels_can_be_set(form: PromptFormat, shown: str) -> None:
    assert render_question(question(group="planets"), form) == shown


def test_a_question_without_subject_leaves_its_place_empty() -> None:
    form = PromptFormat(template="[{group}] {stem} {choices}")

    assert render_question(question(), form).startswith("[] Which?")


def test_worked_examples_come_in_the_order_given_with_the_label_of_the_right_choice() -> None:
    shown = [
        question("a", "First?", right=(2,)),
        question("b", "Second?", choices=("no", "yes"), right=(1,)),
    ]

    assert build_prompt(question(), FORMAT, shown) == Prompt(
        format=FORMAT,
        examples=(
            Turn(question="First?\n\n(A) Mars\n(B) Venus\n(C) Earth", labels=("C",)),
            Turn(question="Second?\n\n(A) no\n(B) yes", labels=("B",)),
        ),
        question="Which?\n\n(A) Mars\n(B) Venus\n(C) Earth",
        labels=("A", "B", "C"),
    )


def test_worked_examples_bear_digits_where_the_question_does() -> None:
    prompt = build_prompt(question(), PromptFormat(labels="digits"), [question("a")])

    assert (prompt.labels, prompt.examples[0].label) == (("1", "2", "3"), "2")


@given(TEXTS, st.lists(TEXTS, min_size=2, max_size=26), TEXTS)
def test_braces_in_a_question_stay_as_they_are(stem: str, choices: list[str], group: str) -> None:
    form = PromptFormat(template="{group}|{stem}|{choices}")
    shown = render_question(question(stem=stem, choices=tuple(choices), group=group), form)
    lines = [f"({label}) {text}" for label, text in zip(ascii_uppercase, choices, strict=False)]

    assert shown == f"{group}|{stem}|" + "\n".join(lines)


def test_nothing_kept_beside_a_question_is_shown() -> None:
    secret = question(metadata={"rationale": "SECRET"}, cluster="SECRET", order=(2, 1, 0))

    assert "SECRET" not in str(build_prompt(secret, FORMAT, [secret]))


# Labels


@given(st.integers(2, 26))
def test_letters_name_up_to_26_choices(count: int) -> None:
    assert "".join(build_labels(count)) == ascii_uppercase[:count]


@given(st.integers(2, 9))
def test_digits_name_up_to_9_choices(count: int) -> None:
    assert "".join(build_labels(count, "digits")) == "123456789"[:count]


@pytest.mark.parametrize("count", [10, 26])
def test_more_choices_than_digits_are_refused_with_a_remedy(count: int) -> None:
    form = PromptFormat(labels="digits")
    many = question(choices=tuple(ascii_uppercase[:count]))

    with pytest.raises(PromptError, match=f"{count} choices: digits reach to 9; use labels = 'let"):
        build_prompt(many, form)


# What is refused


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"prefill": "Answer: "}, "a prefill may not end in white space: 'Answer: '"),
        ({"prefill": "Answer:\n"}, r"a prefill may not end in white space: 'Answer:\n'"),
        ({"prefill": "Answer:\t"}, r"a prefill may not end in white space: 'Answer:\t'"),
        ({"prefill": "Answer:\u00a0"}, r"a prefill may not end in white space: 'Answer:\xa0'"),
        (
            {"prefill": ""},
            "a prefill may not be empty; to ask without one use the way `instructed`",
        ),
        ({"prefill": " \n"}, "a prefill may not be empty; to ask without one"),
        ({"template": "{choices}"}, "template = '{choices}': {stem} is missing"),
        ({"template": "{stem}"}, "template = '{stem}': {choices} is missing"),
        (
            {"template": "{question} {stem} {choices}"},
            "{question} is unknown; there are {choices}, ",
        ),
        ({"choice": "{text}"}, "choice = '{text}': {label} is missing"),
        ({"choice": "{label}"}, "choice = '{label}': {text} is missing"),
        ({"choice": "{label} {text} {stem}"}, "{stem} is unknown; there are {label}, {text}"),
        ({"instruction": "Name the {letter}."}, "{letter} is unknown; there are {label}"),
        ({"system": "Name the {label}."}, "system = 'Name the {label}.': {label} is not filled in"),
        ({"prefill": "{stem} is ("}, "prefill = '{stem} is (': {stem} is not filled in here"),
        ({"prefill_end": "{text}"}, "prefill_end = '{text}': {text} is not filled in here"),
        ({"labels": "numbers"}, "labels = 'numbers': expected 'letters' or 'digits'"),
    ],
    ids=str,
)
def test_a_format_that_cannot_work_is_refused(settings: dict[str, str], complaint: str) -> None:
    with pytest.raises(PromptError) as caught:
        parse_prompt_format(settings)

    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"prefill": r"\boxed{"},
        {"prefill": '{"answer": "'},
        {"prefill": " ("},
        {"system": r"Use \frac{a}{b}; JSON is {answer}."},
        {"instruction": 'Reply {"x": 1}.'},
        {"template": "{stem}{choices}{ group }{Stem}"},
        {"prefill_end": ""},
    ],
    ids=str,
)
def test_other_braces_and_spaces_are_no_placeholders(settings: dict[str, str]) -> None:
    assert parse_prompt_format(settings) == PromptFormat(**settings)  # type: ignore[arg-type]


@given(st.text())
def test_a_prefill_is_taken_exactly_if_it_says_something_and_does_not_end_in_space(
    text: str,
) -> None:
    fine = bool(text) and not text[-1].isspace()
    try:
        PromptFormat(prefill=text)
    except PromptError:
        assert not fine
    else:
        assert fine


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        (
            {"prefil": "x"},
            "prompt has no setting 'prefil'; there are system, template, choice, lab",
        ),
        ({"system": 3}, "prompt.system = 3: expected a text"),
        ({"template": ["{stem}", "{choices}"]}, "prompt.template = ['{stem}', '{choices}']: exp"),
        ({"prefill": False}, "prompt.prefill = False: expected a text"),
    ],
    ids=str,
)
def test_a_prompt_table_is_checked_key_by_key(table: dict[str, Any], complaint: str) -> None:
    with pytest.raises(PromptError) as caught:
        parse_prompt_format(table)

    assert str(caught.value).startswith(complaint)


def test_what_a_prompt_table_leaves_out_keeps_its_default() -> None:
    assert parse_prompt_format({}) == FORMAT
    assert parse_prompt_format({"system": "Hello."}) == PromptFormat(system="Hello.")


@pytest.mark.parametrize(
    "settings",
    [
        {"system": "Hello."},
        {"template": "{stem}\n{choices}"},
        {"choice": "{label} {text}"},
        {"labels": "digits"},
        {"prefill": "("},
        {"prefill_end": "."},
        {"instruction": "Letter!"},
    ],
    ids=str,
)
def test_every_setting_changes_the_digest(settings: dict[str, str]) -> None:
    assert parse_prompt_format(settings).digest != FORMAT.digest
    assert parse_prompt_format(settings).digest == parse_prompt_format(settings).digest


def test_placeholders_are_filled_once() -> None:
    assert fill("{a}{b}{a}", a="{b}", b="{a}") == "{b}{a}{b}"


@given(
    st.lists(st.sampled_from(["{a}", "{long_name}", "{", "}", "{{a}}", "{A}", "{0}", "{}", "x\n"])),
    st.text(),
    st.text(),
)
def test_braces_that_are_no_placeholder_stay(parts: list[str], a: str, long_name: str) -> None:
    text = "".join(parts)
    values = {"a": a, "long_name": long_name}

    assert fill(text, **values) == re.sub(r"\{(a|long_name)\}", lambda m: values[m[1]], text)


def test_a_placeholder_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="b"):
        fill("{a}{b}", a="x")


# Worked examples


@pytest.mark.parametrize("group", ["algebra", "biology"])
def test_worked_examples_are_of_the_questions_own_subject_where_there_are_some(group: str) -> None:
    ranked = pool({"algebra": 3, "biology": 3})

    chosen = choose_examples(question(group=group), ranked, 3)

    assert {example.group for example in chosen} == {group}


def test_other_subjects_fill_up_what_the_own_one_lacks() -> None:
    ranked = pool({"algebra": 2, "biology": 3})

    chosen = choose_examples(question(group="algebra"), ranked, 4)

    assert [example.group for example in chosen] == ["algebra", "algebra", "biology", "biology"]


def test_a_question_of_an_unknown_subject_gets_examples_all_the_same() -> None:
    ranked = pool({"algebra": 2, "biology": 2})

    assert choose_examples(question(group="zoology"), ranked, 3) == ranked[:3]


def test_all_questions_of_a_subject_get_the_same_examples_in_the_same_order() -> None:
    ranked = pool({"algebra": 9, "biology": 9})
    chosen = {
        choose_examples(question(f"q{i}", f"Which {i}?", group="algebra"), ranked, 5)
        for i in range(50)
    }

    assert len(chosen) == 1


def test_the_seed_draws_the_examples_and_the_order_of_the_pool_does_not() -> None:
    examples = [question(f"e{i}", f"Example {i}?") for i in range(20)]
    ranked = {seed: rank_examples(examples, seed) for seed in range(10)}

    assert len(set(ranked.values())) == 10
    assert all(rank_examples(examples[::-1], seed) == ranked[seed] for seed in ranked)
    assert sorted(e.id for e in ranked[0]) == sorted(e.id for e in examples)


@pytest.mark.parametrize(
    ("example", "same"),
    [
        (question("q", "Other stem?"), True),
        (question("e"), True),
        (question("e", choices=("Earth", "Mars", "Venus"), right=(0,)), True),
        (question("e", right=(0,)), True),
        (question("e", "Which one?"), False),
        (question("e", choices=("Mars", "Venus", "Pluto")), False),
    ],
)
def test_a_question_is_never_its_own_example_by_id_or_by_content(
    example: Question, same: bool
) -> None:
    ranked = (example, *pool({"": 2}))

    assert is_same(example, question()) is same
    assert (example in choose_examples(question(), ranked, 2)) is not same
    assert len(choose_examples(question(), ranked, 2)) == 2


def test_an_example_with_several_right_choices_is_not_shown() -> None:
    assert rank_examples([question("a", right=(0, 1)), question("b")], 0) == (question("b"),)


def test_no_examples_are_drawn_where_none_are_wanted() -> None:
    assert choose_examples(question(), pool({"": 3}), 0) == ()
    assert choose_examples(question(), (), 0) == ()


@pytest.mark.parametrize(
    ("count", "there", "text"),
    [
        (4, 3, "4 worked examples wanted, the set has 3 for question q; a definition names them"),
        (1, 0, "1 worked examples wanted, the set has 0 for question q; a definition names them"),
        (-1, 3, "-1 worked examples wanted, the set has 3 for question q;"),
    ],
)
def test_more_examples_than_there_are_is_an_error_that_says_how_to_have_some(
    count: int, there: int, text: str
) -> None:
    with pytest.raises(PromptError) as caught:
        choose_examples(question(), pool({"": there}), count)

    assert str(caught.value).startswith(text)
