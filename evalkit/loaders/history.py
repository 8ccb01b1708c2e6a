"""Earlier turns of a conversation that a question continues, as a column holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from evalkit.loaders.choices import FieldError
from evalkit.loaders.records import Record
from evalkit.questions import Role

EXPECTED = (
    'expected a list of turns such as {"role": "user", "content": "..."}, by the user and the '
    "assistant by turns; the assistant's is the last, since the question is the user's next"
)


def find_history(record: Record, column: str | None) -> tuple[tuple[Role, str], ...]:
    """The turns in a row; none if the column is empty.

    Raises:
        FieldError: what stands there is no conversation.
    """
    value = None if column is None else record.get(column)
    if column is None or value is None or value == "":
        return ()
    turns = [read_turn(turn) for turn in value] if isinstance(value, list) else [None]
    roles = [None if turn is None else turn[0] for turn in turns]
    if roles != ["user", "assistant"] * (len(roles) // 2):
        raise FieldError(column, value, EXPECTED)
    return cast("tuple[tuple[Role, str], ...]", tuple(turns))


def read_turn(turn: Any) -> tuple[str, str] | None:
    """Role and text of a turn; None if it is none, or says nothing."""
    if not isinstance(turn, Mapping) or set(turn) != {"role", "content"}:
        return None
    role, content = turn["role"], turn["content"]
    if not isinstance(role, str) or not isinstance(content, str) or not content.strip():
        return None
    return role, content
