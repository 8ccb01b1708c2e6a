"""Questions on which runs disagree: right in one, wrong in another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evalkit.answers import Outcome
from evalkit.prompts import build_labels, name_places
from evalkit.questions import Question
from evalkit.results import Run
from evalkit.scores import CODES, FIRST_ANSWER, Score, encode_answer, list_bits, share_correct

OUTCOMES = {code: outcome for outcome, code in CODES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A question that not all runs have right, or wrong, alike."""

    question: Question
    right: str
    """The label of the right choice; of several one behind the other, AC."""
    picked: tuple[str, ...]
    """For each run the label picked, else the outcome, such as "refused"; with several responses
    each of them with its count."""


def find_disagreements(runs: Sequence[Run]) -> tuple[Disagreement, ...]:
    """The questions whose scores are not the same in all runs that got a reply.

    Runs that pick different wrong choices agree: none of them has it right.

    Args:
        runs: of the same questions, at least one.
    """
    found = []
    form = runs[0].manifest.prompt
    answers = [by_question(run) for run in runs]
    for name, scores in answers[0].items():
        each = [scores_of[name] for scores_of in answers]
        shares = {share for one in each if (share := share_correct(one)) is not None}
        if len(shares) > 1:
            question = scores[0].question
            labels = build_labels(len(question.choices), form.labels)
            found.append(
                Disagreement(
                    question=question,
                    right=name_places(question.right, labels),
                    picked=tuple(describe_picked(one, labels) for one in each),
                )
            )
    return tuple(found)


def describe_picked(scores: Sequence[Score], labels: Sequence[str]) -> str:
    """What a run made of a question: the label, else the outcome; of several, with counts."""
    codes = [encode_answer(score.answer) for score in scores]
    return describe_codes(codes, labels, several=scores[0].several)


def describe_codes(codes: Iterable[int], labels: Sequence[str], *, several: bool = False) -> str:
    """What a run made of a question: the label picked, else the outcome; of several, with counts.

    Args:
        codes: of its responses, at least one, as `evalkit.scores.encode_answer` says them.
        labels: of the choices.
        several: whether answers are sets of choices.

    Example:
        >>> from evalkit.scores import FIRST_ANSWER, FIRST_REPLY
        >>> describe_codes([FIRST_ANSWER + 1], "AB")
        'B'
        >>> describe_codes([FIRST_ANSWER, FIRST_REPLY, FIRST_ANSWER], "AB")
        '2 A, 1 unparsed'
        >>> describe_codes([FIRST_ANSWER + 0b101], "ABC", several=True)
        'AC'
    """
    counts = Counter(
        name_outcome(OUTCOMES[code])
        if code < FIRST_ANSWER
        else name_places(list_bits(code - FIRST_ANSWER), labels)
        if several
        else labels[code - FIRST_ANSWER]
        for code in codes
    )
    if counts.total() == 1:
        return next(iter(counts))
    return ", ".join(f"{count} {word}" for word, count in counts.most_common())


def name_outcome(outcome: Outcome) -> str:
    """An outcome in words."""
    return outcome.value.replace("_", " ")


def by_question(run: Run) -> dict[str, list[Score]]:
    """The scores of a run by the id of their question, in the order of the questions."""
    found: dict[str, list[Score]] = {}
    for score in run.scores:
        found.setdefault(score.question.id, []).append(score)
    return found
