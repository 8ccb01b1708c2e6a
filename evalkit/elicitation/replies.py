"""Which choice a reply names: a lone label at once, anything else by the reader of sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence

from evalkit.answers import Answer, Outcome, Pick, answered_or
from evalkit.prompts import Prompt
from evalkit.responses import Response

MARKER = re.compile(r"^[\W_]*answer[\W_]*?:", re.IGNORECASE | re.MULTILINE)
"""Where a final answer stands."""


def read_choice(text: str, labels: Sequence[str], choices: Sequence[str]) -> int | None:
    """Find the choice that a reply names; see `evalkit.reading.read_choice`.

    Example:
        >>> read_choice("B", ["A", "B"], ["Rome", "Paris"])
        1
    """
    if len(text) == 1 and text in labels:
        return labels.index(text)
    # Its patterns take longer to prepare than a hundred lone labels to read.
    from evalkit.reading import read_choice as read_sentences

    return read_sentences(text, labels, choices)


def read_choices(text: str, labels: Sequence[str]) -> tuple[int, ...] | None:
    """Find all choices that a reply names; see `evalkit.label_lists.read_choices`.

    Example:
        >>> read_choices("B", ["A", "B"])
        (1,)
    """
    if len(text) == 1 and text in labels:
        return (labels.index(text),)
    from evalkit.label_lists import read_choices as read_list

    return read_list(text, labels)


def read_words(text: str, response: Response, prompt: Prompt, choices: Sequence[str]) -> Answer:
    """What the words of a reply amount to that nothing has bound.

    Args:
        text: the reply, or the part of it that holds the answer.
        response: the whole reply.
        prompt: what was asked.
        choices: the texts of the choices.
    """
    picked: Pick | None
    if not prompt.several:
        picked = read_choice(text, prompt.labels, choices)
    elif response.was_cut:
        picked = None  # half a list must not be taken for all of it
    else:
        picked = read_set(text, prompt.labels, choices)
    return answered_or(picked, Outcome.TRUNCATED if response.was_cut else Outcome.UNPARSED)


def read_set(text: str, labels: Sequence[str], choices: Sequence[str]) -> tuple[int, ...] | None:
    r"""Find all choices that a reply names in words: by a list of labels, or one as any reply does.

    Where reasons follow on an answer that is marked as such, its line counts.

    Example:
        >>> read_set("ANSWER: A, C\nBoth are.", ["A", "B", "C"], ["Rome", "Bern", "Paris"])
        (0, 2)
    """
    line = text.strip().partition("\n")[0]
    listed = read_choices(text, labels)
    if listed is None and MARKER.match(line):
        listed = read_choices(line, labels)
    if listed is not None:
        return listed
    single = read_choice(text, labels, choices)
    return None if single is None else (single,)
