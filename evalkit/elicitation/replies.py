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
