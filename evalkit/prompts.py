"""What a model is shown: system text, worked examples as earlier turns, the question, a prefill."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from string import ascii_uppercase
from typing import Any, Literal

from evalkit.errors import PromptError
from evalkit.images import Image
from evalkit.questions import Question, Role, digest_of, rank_by_seed

PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
MAX_DIGIT_CHOICES = 9

PICK_ALL = (
    "Pick all right choices of every multiple-choice question by their {label}s: one or more "
    "choices are right."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFormat:
    """How questions of a benchmark are written out; every text can be set in its definition.

    Example:
        >>> PromptFormat(prefill="Answer: ")
        Traceback (most recent call last):
        ...
        evalkit.errors.PromptError: a prefill may not end in white space: 'Answer: '
    """

    system: str | tuple[str, ...] = ""
    """Goes before everything else, whatever the way of asking; several texts are sent as blocks."""
    template: str = "{stem}\n\n{choices}"
    """The user's turn, with {stem}, {choices} and, where wanted, {group}."""
    choice: str = "({label}) {text}"
    """One line for each choice."""
    labels: Literal["letters", "digits"] = "letters"
    # No space before the label and an open bracket: the models that we know continue it with one
    # token that is a bare letter, where after "Answer:" it may be " B", "**" or a line break.
    prefill: str = "The answer is ("
    """The start of the model's turn in the prefill way of asking."""
    prefill_end: str = ")"
    """What follows the label in the turns of worked examples."""
    instruction: str = (
        "Answer every multiple-choice question with the {label} of the right choice alone: "
        "no words, no explanation."
    )
    """The system text of the instructed way of asking, with {label} for "letter" or "number"."""
    constrained: str = "Pick the right choice of every multiple-choice question by its {label}."
    """The system text where a schema or a tool binds the reply."""
    several: str = PICK_ALL
    """The same for sets in which several choices of a question may be right."""
    reasoning: str = (
        "First think about the question in two or three sentences: say what is asked and which "
        "choices can be ruled out. Only then, on a line of its own, give the {label} of the right "
        "choice in this form:\nAnswer: X"
    )
    """The system text where the model is to think first."""

    def __post_init__(self) -> None:
        if not isinstance(self.system, str):
            object.__setattr__(self, "system", tuple(self.system))
        check_prefill(self.prefill)
        check_placeholders("template", self.template, need={"stem", "choices"}, may={"group"})
        check_placeholders("choice", self.choice, need={"label", "text"})
        for name in ("instruction", "constrained", "several", "reasoning"):
            check_placeholders(name, getattr(self, name), need=set(), may={"label"})
        for name in ("prefill", "prefill_end"):
            check_literal(name, getattr(self, name))
        for text in (self.system,) if isinstance(self.system, str) else self.system:
            check_literal("system", text)
        if self.labels not in ("letters", "digits"):
            raise PromptError(f"labels = {self.labels!r}: expected 'letters' or 'digits'")

    @property
    def digest(self) -> str:
        """SHA-256 of all texts, as 64 hexadecimal digits."""
        # Digests from before there was a text for several right choices stay.
        is_plain = self.several == PICK_ALL
        names = (f.name for f in fields(self) if not (is_plain and f.name == "several"))
        return digest_of(*(str(getattr(self, name)) for name in names))

    @property
    def part_digests(self) -> dict[str, str]:
        """The first digits of the digest of each text, by name: what changed can be told."""
        return {f.name: digest_of(str(getattr(self, f.name)))[:12] for f in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One worked example: what the user asks, and the labels of the right choices."""

    question: str
    labels: tuple[str, ...]
    """One, unless several choices may be picked."""
    images: tuple[Image, ...] = ()
    history: tuple[tuple[Role, str], ...] = ()

    @property
    def label(self) -> str:
        """The label of the one right choice."""
        [label] = self.labels
        return label


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A question written out, before a way of asking turns it into messages."""

    format: PromptFormat
    examples: tuple[Turn, ...]
    question: str
    labels: tuple[str, ...]
    """The labels offered, one for each choice, in order."""
    images: tuple[Image, ...] = ()
    """The pictures of the question, shown before it."""
    history: tuple[tuple[Role, str], ...] = ()
    """Earlier turns of the conversation that the question continues."""
    several: bool = False
    """Whether several choices may be picked."""

    @property
    def kind_of_label(self) -> str:
        """What to call a label."""
        return "number" if self.format.labels == "digits" else "letter"

    @property
    def constraint(self) -> str:
        """The system text where a schema or a tool binds the reply."""
        form = self.format
        text = form.several if self.several else form.constrained
        return fill(text, label=self.kind_of_label)


def check_prefill(prefill: str) -> None:
    """Refuse a prefill that every endpoint refuses.

    Raises:
        PromptError: it is empty or ends in white space.
    """
    if not prefill.strip():
        raise PromptError("a prefill may not be empty; to ask without one use the way `instructed`")
    if prefill != prefill.rstrip():
        raise PromptError(f"a prefill may not end in white space: {prefill!r}")


def check_placeholders(
    name: str, text: str, *, need: set[str], may: set[str] | frozenset[str] = frozenset()
) -> None:
    """Refuse a text in which a placeholder is missing or unknown.

    Raises:
        PromptError: naming the text and the placeholder.
    """
    found = set(PLACEHOLDER.findall(text))
    for missing in sorted(need - found):
        raise PromptError(f"{name} = {text!r}: {{{missing}}} is missing")
    for unknown in sorted(found - need - may):
        allowed = ", ".join(f"{{{word}}}" for word in sorted(need | may))
        raise PromptError(f"{name} = {text!r}: {{{unknown}}} is unknown; there are {allowed}")


def check_literal(name: str, text: str) -> None:
    """Refuse a placeholder in a text that is sent as it stands; other braces are no placeholder.

    Raises:
        PromptError: naming the text and the placeholder.
    """
    for word in PLACEHOLDER.findall(text):
        if word in ("stem", "choices", "group", "label", "text"):
            raise PromptError(f"{name} = {text!r}: {{{word}}} is not filled in here; leave it out")


def fill(text: str, /, **values: str) -> str:
    """Put values in place of placeholders, once: braces within a value stay as they are.

    Example:
        >>> fill("{stem}!", stem="Solve {x}")
        'Solve {x}!'
    """
    return escape_braces(text).format_map(values)


@lru_cache(maxsize=256)
def escape_braces(text: str) -> str:
    """A text as `str.format` wants it: braces that are no placeholder stand there twice."""
    parts = PLACEHOLDER.split(text)  # what stands around placeholders, and their names by turns
    parts[::2] = (part.replace("{", "{{").replace("}", "}}") for part in parts[::2])
    parts[1::2] = (f"{{{name}}}" for name in parts[1::2])
    return "".join(parts)


@cache
def build_labels(count: int, style: Literal["letters", "digits"] = "letters") -> tuple[str, ...]:
    """The labels of a question with so many choices.

    Args:
        count: how many choices, 2 to 26; at most 9 with digits, so that one token names each.
        style: A, B, C, ... or 1, 2, 3, ...

    Raises:
        PromptError: too many choices for digits.

    Example:
        >>> build_labels(3), build_labels(3, "digits")
        (('A', 'B', 'C'), ('1', '2', '3'))
    """
    if style == "letters":
        return tuple(ascii_uppercase[:count])
    if count > MAX_DIGIT_CHOICES:
        raise PromptError(f"{count} choices: digits reach to 9; use labels = 'letters'")
    return tuple(str(number) for number in range(1, count + 1))


def build_prompt(
    question: Question,
    form: PromptFormat,
    examples: Sequence[Question] = (),
    *,
    several: bool = False,
) -> Prompt:
    """Write a question out.

    Args:
        question: the question to ask.
        form: how to write it.
        examples: worked examples, shown in this order; each with one right choice unless several
            may be picked.
        several: whether several choices may be picked.
    """
    return Prompt(
        format=form,
        examples=tuple(
            Turn(
                question=render_question(example, form),
                labels=pick_labels(example, form),
                images=example.images,
                history=example.history,
            )
            for example in examples
        ),
        question=render_question(question, form),
        labels=build_labels(len(question.choices), form.labels),
        images=question.images,
        history=question.history,
        several=several,
    )


def pick_labels(question: Question, form: PromptFormat) -> tuple[str, ...]:
    """The labels of the right choices."""
    labels = build_labels(len(question.choices), form.labels)
    return tuple(labels[place] for place in question.right)


def name_places(places: Iterable[int], labels: Sequence[str]) -> str:
    """The labels of some choices, one behind the other.

    Example:
        >>> name_places((0, 2), "ABC")
        'AC'
    """
    return "".join(labels[place] for place in places)


def render_question(question: Question, form: PromptFormat) -> str:
    """The user's turn: stem and labelled choices."""
    labels = build_labels(len(question.choices), form.labels)
    line = escape_braces(form.choice)
    lines = [
        line.format(label=label, text=text)
        for label, text in zip(labels, question.choices, strict=True)
    ]
    return fill(
        form.template,
        stem=question.stem,
        choices="\n".join(lines),
        group=question.group or "",
    )


def rank_examples(
    pool: Sequence[Question], seed: int, *, several: bool = False
) -> tuple[Question, ...]:
    """Put a set's worked examples into the order in which they are drawn.

    Args:
        pool: the set's.
        seed: any integer.
        several: whether several choices may be picked; else examples with several right ones are
            left out, as one label can't answer them.
    """
    return tuple(rank_by_seed((each for each in pool if several or each.has_one_answer), seed))


def choose_examples(
    question: Question, ranked: Sequence[Question], count: int
) -> tuple[Question, ...]:
    """Draw worked examples: of the question's own subject where there are some, never itself.

    All questions of a subject get the same examples in the same order, so that prompts share
    their beginning.

    Args:
        question: the question to be asked.
        ranked: the set's examples as `rank_examples` ordered them.
        count: how many to draw, at least 0.

    Raises:
        PromptError: there are fewer than `count`.
    """
    usable = [example for example in ranked if not is_same(example, question)] if count else []
    if not 0 <= count <= len(usable):
        raise PromptError(
            f"{count} worked examples wanted, the set has {len(usable)} for question {question.id};"
            " a definition names them by source.examples or columns.example"
        )
    usable.sort(key=lambda example: example.group != question.group)
    return tuple(usable[:count])


def is_same(example: Question, question: Question) -> bool:
    """Whether an example would give the question's answer away by being the question."""
    return example.id == question.id or (
        example.stem == question.stem and sorted(example.choices) == sorted(question.choices)
    )


def parse_prompt_format(table: dict[str, Any]) -> PromptFormat:
    """Build a format from a TOML table; what the table leaves out keeps its default.

    Raises:
        PromptError: a key is unknown, or a value is no text.
    """
    known = [f.name for f in fields(PromptFormat)]
    for key, value in table.items():
        if key not in known:
            raise PromptError(f"prompt has no setting {key!r}; there are {', '.join(known)}")
        texts = value if key == "system" and isinstance(value, list) else [value]
        if not all(isinstance(text, str) for text in texts):
            raise PromptError(f"prompt.{key} = {value!r}: expected a text")
    return PromptFormat(**table)
