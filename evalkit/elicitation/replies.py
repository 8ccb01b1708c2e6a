"""Which choice a reply names: a lone label at once, anything else by the reader of sentences."""

from __future__ import annotations

from collections.abc import Sequence


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
