"""How far a run has come: which requests need not be made again, in a few bytes each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from evalkit.id_table import IdTable
from evalkit.requests import Request
from evalkit.responses import Response
from evalkit.runs.journal import JournalRow


@dataclass(kw_only=True, eq=False)
class Standing:
    """What the journal says of each request; rows may come in any order."""

    answered: set[str] | IdTable = field(default_factory=IdTable)
    """Requests that got a response."""
    failed: set[str] = field(default_factory=set)
    """Questions with a request that failed and was not answered since."""
    futile: set[str] = field(default_factory=set)
    """Requests for more room than the endpoint gives."""
    cut: dict[str, JournalRow] = field(default_factory=dict)
    """Responses that ended for want of room, which may have to be asked for again."""

    @classmethod
    def after(cls, rows: Iterable[JournalRow]) -> Self:
        """The standing that some rows make."""
        standing = cls()
        for row in rows:
            standing.add(row)
        return standing

    def is_over(self, request: Request) -> bool:
        """Whether there is no point in making a request again."""
        return request.id in self.answered or request.id in self.futile

    def add(self, row: JournalRow) -> None:
        """Take a row."""
        if isinstance(row.result, Response):
            self.answered.add(row.request_id)
            self.failed.discard(row.question_id)
            # After a prefill, one token is all that was asked for.
            if row.result.was_cut and not row.is_retake and row.way != "prefill":
                self.cut[row.request_id] = row
        elif row.request_id not in self.answered:
            self.failed.add(row.question_id)
            if row.is_futile:
                self.futile.add(row.request_id)
