"""The choices that a reply names by a list of labels, or none.

For replies of servers that ignore a schema. Only a reply that is such a list and nothing else names
choices: `A, C`, `(A) and (C)`, `AC`, `["A", "C"]`, `The right answers are A and C.`, `A and C are
correct`. A sentence that merely mentions labels is read as nothing, as is a label that comes twice,
or one that was not offered.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from evalkit.markup import strip_markup

NOUN = r"(?:answer|choice|option|letter|number|label)s?"
ADJECTIVE = r"(?:(?:final|right|correct|best)\s)?"
ITEM = r"(?:[(\[]?(?:[A-Z]|[1-9])[)\].]?)"
BETWEEN = r"(?:\s?(?:[,;&/]|,?\sand\s)\s?|\s)(?:[-*•]\s?)?"

LIST = re.compile(
    rf"(?:(?i:(?:so|thus|therefore|hence),?\s)?(?i:the\s)?(?i:{ADJECTIVE}{NOUN})"
    rf"\s?(?::|(?i:is|are)\b:?)\s?)?"
    rf"[\[{{(]?\s?(?P<labels>[A-Z]{{2,}}|(?:[-*•]\s?)?{ITEM}(?:{BETWEEN}{ITEM})*)\s?[\]}})]?"
    rf"(?i:\s(?:is|are)(?:\s(?:both|all))?(?:\sthe)?\s(?:right|correct)(?:\s(?:ones?|{NOUN}))?)?"
    r"\s?[.!]?"
)


def read_choices(text: str, labels: Sequence[str]) -> tuple[int, ...] | None:
    """Find the choices that a reply names.

    Args:
        text: the reply, whatever it holds.
        labels: the labels offered, all letters or all digits.

    Returns:
        The positions of the choices, ascending, or None.

    Example:
        >>> read_choices("The answers are (A) and (C).", "ABCD"), read_choices("A or C", "ABCD")
        ((0, 2), None)
    """
    found = LIST.fullmatch(strip_markup(text))
    if found is None:
        return None
    listed = found["labels"]
    named = re.findall(r"\b[A-Z1-9]\b", listed)
    if not named:
        # Letters that run together are a list only in the order of the alphabet: AD, but no WORD.
        named = list(listed)
        if named != sorted(named):
            return None
    if len(set(named)) < len(named) or not set(named) <= set(labels):
        return None
    return tuple(sorted(list(labels).index(label) for label in named))
