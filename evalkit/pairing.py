"""The name under which each question of a run is paired with those of other runs.

evalkit's own runs are paired by the ids of their questions. Another tool has ids of its own, so
that an imported question is paired by its content: the same stem, the same choices in whatever
order, the same right ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from evalkit.errors import UsageError
from evalkit.questions import Question, digest_of
from evalkit.results import Run

Names = Sequence[str]
"""Of the questions of a run, in their order."""


def is_imported(run: Run) -> bool:
    """Whether another tool asked."""
    return run.manifest.identity.origin is not None


def name_questions(runs: Sequence[Run]) -> list[Names]:
    """The names under which the questions of some runs are paired.

    Raises:
        UsageError: an imported question has the stem of another run's, and other choices or
            another right one.
    """
    if not any(map(is_imported, runs)):
        return [[question.id for question in run.questions] for run in runs]
    ids: dict[str, str] = {}
    """Of evalkit's own questions, by their content."""
    for run in runs:
        if not is_imported(run):
            for key, question in zip(number_contents(run.questions), run.questions, strict=True):
                ids.setdefault(key, question.id)
    names: list[Names] = []
    for run in runs:
        if is_imported(run):
            names.append([ids.get(key, key) for key in number_contents(run.questions)])
        else:
            names.append([question.id for question in run.questions])
    check_stems(runs, names)
    return names


def group_runs(runs: Sequence[Run]) -> dict[str, list[int]]:
    """The places of the runs that can be compared with each other, by the name of a benchmark.

    A benchmark that nobody but another tool has asked, and that shares questions with another one,
    is that one under the tool's name for it.
    """
    groups: dict[str, list[int]] = {}
    for place, run in enumerate(runs):
        groups.setdefault(run.manifest.identity.benchmark, []).append(place)
    if len(groups) == 1 or not any(map(is_imported, runs)):
        return groups
    contents = {
        name: {
            content for place in places for content in map(digest_content, runs[place].questions)
        }
        for name, places in groups.items()
    }
    kept = {
        name: places
        for name, places in groups.items()
        if not all(is_imported(runs[place]) for place in places)
    }
    for name, places in groups.items():
        if name in kept:
            continue
        shared = next((n for n in kept if not contents[n].isdisjoint(contents[name])), name)
        kept[shared] = sorted((*kept.get(shared, ()), *places))
        contents[shared] |= contents[name]
    return dict(sorted(kept.items(), key=lambda group: group[1]))


def label_runs(runs: Sequence[Run]) -> list[str]:
    """The benchmark of each run, by one name for all that can be compared with each other."""
    labels = {place: name for name, places in group_runs(runs).items() for place in places}
    return [labels[place] for place in range(len(runs))]


def number_contents(questions: Iterable[Question]) -> Iterator[str]:
    """The content of each question; that of one that comes again has a number."""
    seen: Counter[str] = Counter()
    for question in questions:
        content = digest_content(question)
        seen[content] += 1
        yield content if seen[content] == 1 else f"{content}-{seen[content]}"


def digest_content(question: Question) -> str:
    """What makes two questions one across tools, whatever white space and order of choices.

    Example:
        >>> one = Question(id="1", stem="Latin for ant?", choices=("Apis", "Ant"), right=(1,))
        >>> other = Question(id="2", stem="Latin for  ant?", choices=("Ant", "Apis"), right=(0,))
        >>> digest_content(one) == digest_content(other)
        True
    """
    return digest_of(
        digest_of(*(text for _, text in question.history), squeeze(question.stem)),
        digest_of(*sorted(map(squeeze, question.choices))),
        digest_of(*sorted(map(squeeze, question.right_texts))),
        *question.image_digests,
    )


def squeeze(text: str) -> str:
    """A text with single spaces in place of all white space."""
    return " ".join(text.split())


def check_stems(runs: Sequence[Run], names: Sequence[Names]) -> None:
    """Refuse questions that ask the same in other choices, or with another right one.

    A stem that a run has more than once, such as "Which of these is true?", tells nothing.

    Raises:
        UsageError: naming the first of them, and what is not the same.
    """
    common = set(names[0]).intersection(*names[1:])
    first = find_stems(runs[0], names[0])
    for run, theirs in zip(runs[1:], names[1:], strict=True):
        if not (is_imported(run) or is_imported(runs[0])):
            continue
        for stem, (name, question) in find_stems(run, theirs).items():
            if name in common or stem not in first or first[stem][0] == name:
                continue
            ours = first[stem][1]
            part = describe_difference(ours, question)
            raise UsageError(
                f"question {ours.id} of {runs[0].path} and {question.id} of {run.path} begin alike "
                f"and differ in their {part}: {shorten(question.stem)!r}; a difference of scores "
                "would be one of questions. Compare runs of the same version of the questions"
            )


def find_stems(run: Run, names: Names) -> Mapping[str, tuple[str, Question]]:
    """The questions of a run by their stems, without those that share one."""
    found: dict[str, tuple[str, Question]] = {}
    several: set[str] = set()
    for name, question in zip(names, run.questions, strict=True):
        stem = squeeze(question.stem)
        if stem in found:
            several.add(stem)
        found[stem] = name, question
    return {stem: each for stem, each in found.items() if stem not in several}


def describe_difference(first: Question, second: Question) -> str:
    """What is not the same in two questions with one stem."""
    if sorted(map(squeeze, first.choices)) != sorted(map(squeeze, second.choices)):
        return "choices"
    return "right choice"


def shorten(text: str) -> str:
    """A text on one line of at most 60 characters."""
    line = squeeze(text)
    return line if len(line) <= 60 else f"{line[:57]}..."
