"""What earlier runs tell of the next one: how long its replies will be, and how long they take."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import RunError, RunFormatError
from evalkit.responses import Response
from evalkit.runs.folder import JOURNAL, MANIFEST
from evalkit.runs.journal import JournalRow, read_journal
from evalkit.runs.manifest import Identity, Manifest, parse_manifest

WITHOUT_WEIGHT = ("temperature", "resize")
"""Parameters that hardly change how long replies are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """What came of earlier requests to the same model, asked in the same way."""

    runs: int = 0
    replies: int = 0
    """How many answers asked for got a reply."""
    output_tokens: float | None = None
    """Of a reply in the mean, with those of what was cut off and asked again."""
    retakes: float = 0.0
    """How many requests more than one a reply took in the mean."""
    timed: int = 0
    """Replies that came directly, not by a batch."""
    seconds: float | None = None
    """That a direct reply took in the mean."""


def find_experience(results: Path, identity: Identity) -> Experience:
    """Look through earlier runs, those of the same benchmark alone if there are any.

    Args:
        results: the folder of all runs.
        identity: of the run that is planned.
    """
    alike = [
        (path, found)
        for path, manifest in read_manifests(results)
        if describe_asking(found := manifest.identity) == describe_asking(identity)
    ]
    same = [path for path, found in alike if found.benchmark == identity.benchmark]
    journals = [read_rows(path / JOURNAL) for path in same or [path for path, _ in alike]]
    return summarize_rows([rows for rows in journals if rows])


def read_manifests(results: Path) -> Iterator[tuple[Path, Manifest]]:
    """The runs in a folder; what can't be read is no experience."""
    for path in sorted(results.glob(f"*/{MANIFEST}")):
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            yield path.parent, parse_manifest(table)
        except (OSError, ValueError, RunFormatError):
            continue


def describe_asking(identity: Identity) -> tuple[object, ...]:
    """What has to be the same for replies to be of about the same length."""
    fields = {k: v for k, v in identity.parameters.items() if k not in WITHOUT_WEIGHT}
    return identity.model, identity.endpoint, identity.way, json.dumps(fields, sort_keys=True)


def read_rows(path: Path) -> Sequence[JournalRow]:
    """The responses in a journal."""
    try:
        return [row for row in read_journal(path).rows if row.is_response]
    except RunError:
        return []


def summarize_rows(journals: Sequence[Sequence[JournalRow]]) -> Experience:
    """The means over all responses of some journals."""
    rows = [row for journal in journals for row in journal]
    first = sum(not row.is_retake for row in rows)
    if not first:
        return Experience()
    tokens = [
        row.result.usage.output_tokens
        for row in rows
        if isinstance(row.result, Response) and row.result.usage.output_tokens is not None
    ]
    seconds = [row.seconds for row in rows if row.batch_id is None]
    each = len(rows) / first
    return Experience(
        runs=len(journals),
        replies=first,
        output_tokens=each * sum(tokens) / len(tokens) if tokens else None,
        retakes=each - 1,
        timed=len(seconds),
        seconds=sum(seconds) / len(seconds) if seconds else None,
    )
