"""Checks of a set as a whole: its rows, columns, repetitions, sizes and subjects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from evalkit.drafts import Draft
from evalkit.errors import RowProblem
from evalkit.id_table import IdTable
from evalkit.linting.doubts import SHOWN, Doubt
from evalkit.loaders.fields import FieldMap
from evalkit.loaders.guess import CLUSTERS, GROUPS, IMAGES, NUMBERED_IMAGE, PASSAGES, simplify
from evalkit.loaders.records import shorten
from evalkit.questions import Question, QuestionSet, list_shown

NO_ANSWER = "the row has no answer"
"""The remedy of rows without answer."""

FEWEST_OF_SUBJECT = 10
"""Questions below which the interval of a subject's score is too wide to say anything."""

SHORTEST_PASSAGE = 200
"""Characters, up to the first blank line: what is shorter may be how all questions begin."""

GIVE_AWAY = frozenset(
    (
        *("explanation", "explanations", "rationale", "rationales", "reasoning", "solution"),
        *("cot", "cotcontent", "chainofthought", "justification", "feedback", "caption"),
        *("deduction", "hint", "hints", "lecture", "workedsolution", "answerexplanation", "exp"),
    )
)
"""Names of columns that say why an answer is right."""

MAY_MATTER: Mapping[str, tuple[str, ...]] = {
    "stem": tuple(name for name in PASSAGES if name != "text"),
    "images": IMAGES,
    "group": GROUPS,
    "cluster": CLUSTERS,
}
"""What an unused column of a usual name could be used as."""

REPETITIONS = (
    (
        "contradictions",
        False,
        "repeat another with another answer",
        "find out which answer is right: no model can have both",
    ),
    (
        "duplicates",
        True,
        "repeat another",
        "remove the repetitions: each counts as a question of its own and makes intervals too "
        "narrow",
    ),
)
"""Check, whether the answer is the same, words, remedy."""


def check_rows(problems: Sequence[RowProblem], rows: int) -> Iterator[Doubt]:
    """Rows that are no questions: those without answer apart from the others."""
    unanswered = [problem for problem in problems if problem.remedy == NO_ANSWER]
    others = [problem for problem in problems if problem.remedy != NO_ANSWER]
    if others:
        yield Doubt(
            check="unusable-rows",
            level="error",
            count=len(others),
            total=rows,
            says=f"{len(others):,} of {rows:,} rows can't be questions",
            remedy="mend or remove them: a run refuses the file as long as there are such rows",
            examples=tuple(str(problem) for problem in others[:SHOWN]),
        )
    if unanswered:
        yield Doubt(
            check="rows-without-answer",
            level="error",
            count=len(unanswered),
            total=rows,
            says=f"{len(unanswered):,} of {rows:,} rows have no answer",
            remedy="fill them in or remove them; where all answers are missing, this is the split "
            "whose answers are withheld, and another has to be used",
            examples=tuple(str(problem) for problem in unanswered[:SHOWN]),
        )


def check_filters(draft: Draft) -> Iterator[Doubt]:
    """Rows that the definition leaves out on purpose."""
    count = sum(draft.filtered.values())
    if count:
        yield Doubt(
            check="filtered-rows",
            level="note",
            count=count,
            total=draft.rows,
            says=f"{count:,} of {draft.rows:,} rows are left out by the definition's `where`",
            remedy="nothing if these are the rows that are no questions of the set",
            examples=tuple(f"{column}: {number:,}" for column, number in draft.filtered.items()),
        )


def check_counts(draft: Draft) -> Iterator[Doubt]:
    """Whether there are as many questions as the definition says."""
    found, expected = len(draft.question_set.questions), draft.definition.questions
    if expected is not None and found != expected:
        yield Doubt(
            check="question-count",
            level="warning",
            count=found,
            total=expected,
            says=f"{found:,} questions are usable, the definition speaks of {expected:,}",
            remedy="see whether files are missing, or correct `questions` in the definition",
        )


def check_duplicates(questions: QuestionSet) -> Iterator[Doubt]:
    """Questions that are there twice, with the same answer or with another."""
    total = len(questions.questions)
    duplicates = questions.find_duplicates()
    for check, same, words, remedy in REPETITIONS:
        found = [each for each in duplicates if each.same_answer is same]
        if found:
            yield Doubt(
                check=check,
                level="warning",
                count=len(found),
                total=total,
                says=f"{len(found):,} of {total:,} questions {words}",
                remedy=remedy,
                examples=tuple(f"{each.second} repeats {each.first}" for each in found[:SHOWN]),
            )


def check_examples(questions: QuestionSet) -> Iterator[Doubt]:
    """Worked examples that are asked too."""
    if not questions.examples:
        return
    shown = {list_shown(example)[:2] for example in questions.examples}
    found = [each.id for each in questions.questions if list_shown(each)[:2] in shown]
    if found:
        yield Doubt(
            check="examples-asked",
            level="note",
            count=len(found),
            total=len(questions.questions),
            says=f"{len(found):,} questions are worked examples too",
            remedy="none is shown before itself, but it may be shown before others: take it out of "
            "one of the two",
            examples=tuple(found[:SHOWN]),
        )


def check_sizes(sizes: Mapping[int, int], stated: int | None) -> Iterator[Doubt]:
    """Whether questions differ in their number of choices, or from what the definition says.

    Args:
        sizes: how many questions have so many choices.
        stated: how many the definition says that each has.
    """
    total = sum(sizes.values())
    if not total:
        return
    usual = max(sizes, key=lambda size: (sizes[size], size)) if stated is None else stated
    others = total - sizes.get(usual, 0)
    if not others:
        return
    words = ", ".join(f"{number:,} with {size}" for size, number in sorted(sizes.items()))
    yield Doubt(
        check="choice-counts",
        level="note" if stated is None else "warning",
        count=others,
        total=total,
        says=f"questions differ in their number of choices: {words}"
        if stated is None
        else f"{others:,} of {total:,} questions have not the {stated} choices that the definition "
        f"speaks of: {words}",
        remedy="nothing if it is meant: chance is reckoned question by question"
        if stated is None
        else "leave `choices` out of the definition, or look whether choices were lost",
    )


class Passages:
    """Counts questions that begin with a long text with which another began, and name no cluster.

    They stand or fall together, which intervals have to allow for.
    """

    def __init__(self) -> None:
        self.seen = IdTable()
        self.repeats = 0
        self.examples: list[str] = []

    def add(self, question: Question) -> None:
        """Take a question."""
        passage, _, rest = question.stem.partition("\n\n")
        if question.cluster is not None or not rest or len(passage) < SHORTEST_PASSAGE:
            return
        if passage not in self.seen:
            self.seen.add(passage)
            return
        self.repeats += 1
        if len(self.examples) < SHOWN:
            self.examples.append(f"{question.id}: {shorten(passage)}")


def check_passages(passages: Passages, total: int) -> Iterator[Doubt]:
    """Questions about one passage that are taken to be independent of each other."""
    if passages.repeats:
        yield Doubt(
            check="shared-passages",
            level="warning",
            count=passages.repeats,
            total=total,
            says=f"{passages.repeats:,} of {total:,} questions begin with the text of an earlier "
            "one, and nothing says that they belong together",
            remedy="name the passage's column as cluster under [columns]: questions about one "
            "passage stand or fall together, and intervals are too narrow without it",
            examples=tuple(passages.examples),
        )


def check_subjects(subjects: Mapping[str | None, int]) -> Iterator[Doubt]:
    """Subjects of few questions, and questions without one."""
    named = {name: number for name, number in subjects.items() if name is not None}
    few = [name for name, number in named.items() if number < FEWEST_OF_SUBJECT]
    if few and len(named) > 1:
        yield Doubt(
            check="small-subjects",
            level="note",
            count=len(few),
            total=len(named),
            says=f"{len(few):,} of {len(named):,} subjects have fewer than {FEWEST_OF_SUBJECT} "
            "questions",
            remedy="don't read anything into their scores; a mean over subjects counts them as "
            "much as large ones",
            examples=tuple(f"{shorten(name)}: {named[name]}" for name in few[:SHOWN]),
        )
    without = subjects.get(None, 0)
    if named and without:
        total = sum(subjects.values())
        yield Doubt(
            check="no-subject",
            level="note",
            count=without,
            total=total,
            says=f"{without:,} of {total:,} questions have no subject",
            remedy="fill in their column of the subject, else they are in no row of the tables",
        )


def check_columns(fields: FieldMap, columns: Mapping[str, int]) -> Iterator[Doubt]:
    """Columns that give answers away, that nothing is made of, or that could be of use."""
    used = used_columns(fields)
    leaking = [name for name in fields.stem if simplify(name.split(".")[-1]) in GIVE_AWAY]
    if leaking:
        yield Doubt(
            check="answers-given-away",
            level="warning",
            count=len(leaking),
            total=len(fields.stem),
            says=f"the text of questions is made of {join(leaking)}, which by its name says why an "
            "answer is right",
            remedy="take it out of columns.stem; columns.metadata keeps it without showing it",
            examples=tuple(leaking),
        )
    unused = [name for name, filled in columns.items() if filled and name not in used]
    if not unused:
        return
    hints = [f"{name} as {use}" for name in unused if (use := find_use(name, fields)) is not None]
    away = [name for name in unused if simplify(name) in GIVE_AWAY]
    remedy = "nothing if they are not needed"
    if hints:
        remedy = f"by its name, {', '.join(hints)} could be of use under [columns]; {remedy}"
    if away:
        remedy += f"; {join(away)} would give answers away and is rightly kept out of the prompt"
    yield Doubt(
        check="unused-columns",
        level="warning" if any(find_use(name, fields) == "stem" for name in unused) else "note",
        count=len(unused),
        total=len(columns),
        says=f"nothing is made of {join(unused)}",
        remedy=remedy,
        examples=tuple(unused[:SHOWN]),
    )


def used_columns(fields: FieldMap) -> set[str]:
    """The columns that a definition makes use of, those of nested fields by their outer name."""
    return {*fields.columns, *(name.split(".")[0] for name in fields.columns)}


def find_use(column: str, fields: FieldMap) -> str | None:
    """What a column could be used as, by its name, where nothing is used so yet."""
    name = simplify(column)
    if NUMBERED_IMAGE.match(name):
        return None if fields.images else "images"
    for use, usual in MAY_MATTER.items():
        is_free = use == "stem" or not getattr(fields, use)
        if name in usual and is_free:
            return use
    return None


def join(names: Sequence[str]) -> str:
    """Names as a list, the first ten of them."""
    shown = ", ".join(shorten(name) for name in names[:10])
    return f"{shown} and {len(names) - 10} more" if len(names) > 10 else shown
