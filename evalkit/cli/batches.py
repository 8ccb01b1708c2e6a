"""`evalkit batches`: what runs have handed over and not collected yet."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from evalkit.cli.exit_codes import FINE, exit_code_of
from evalkit.cli.options import Commands, new_parser, print_note
from evalkit.errors import ApiError, NotFoundError, RunError, UsageError

if TYPE_CHECKING:
    from evalkit.api.batches import Batch
    from evalkit.api.client import MessagesClient
    from evalkit.runs.batch_log import Handover
    from evalkit.runs.manifest import Identity

EXAMPLES = """  evalkit batches
  evalkit batches --results ~/results --json
  evalkit batches --all
  evalkit batches --cancel msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d

The `evalkit run` command that handed a batch over collects it, and asks again what expired or was
canceled. What a canceled batch has finished keeps its result, and is paid for.
"""

RUN_FACTS = ("benchmark", "model", "way", "endpoint", "folder")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """A batch that a run has not collected yet."""

    folder: Path
    identity: Identity
    handover: Handover


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = new_parser(commands, "batches", "list Message Batches under way", EXAMPLES)
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="the folder of the runs (default: results)",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="list what the endpoint has, whoever handed it over, ended ones too",
    )
    parser.add_argument("--cancel", nargs="+", metavar="ID", help="end batches, whoever's they are")
    parser.add_argument(
        "--base-url",
        metavar="URL",
        help="the server to ask (default: ANTHROPIC_BASE_URL, else the official API)",
    )
    parser.add_argument("--json", action="store_true", help="print the facts as JSON")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """List batches, or cancel some.

    Raises:
        UsageError: --all and --cancel at once, or there is no key.
        ApiError: the endpoint can't be asked.
    """
    if args.all and args.cancel:
        raise UsageError("--cancel takes ids, not --all: the others' batches would go too")
    if args.cancel:
        return asyncio.run(cancel(args.base_url, list(dict.fromkeys(args.cancel)), args.json))
    under_way = find_under_way(args.results)
    rows: list[dict[str, Any]] = []
    if under_way or args.all:
        rows = asyncio.run(list_rows(args.base_url, under_way, all_of_them=args.all))
    if args.json:
        print(json.dumps({"batches": rows}, indent=2))
    elif rows:
        print_rows(rows)
    else:
        where = "at the endpoint or " if args.all else ""
        print_note(f"no batch under way {where}in the runs of {args.results}")
    return FINE


def find_under_way(results: Path) -> list[UnderWay]:
    """The batches of the runs in a folder; a run that can't be read is only noted."""
    from evalkit.runs.batch_log import read_batch_log
    from evalkit.runs.folder import BATCHES, open_run_folder

    found = []
    for path in sorted(results.glob(f"*/{BATCHES}")):
        try:
            identity = open_run_folder(path.parent).manifest.identity
            found += [
                UnderWay(folder=path.parent, identity=identity, handover=handover)
                for handover in read_batch_log(path).open
            ]
        except RunError as error:
            print_note(f"evalkit: {error}")
    return found


async def list_rows(
    base_url: str | None, under_way: Sequence[UnderWay], *, all_of_them: bool
) -> list[dict[str, Any]]:
    """One row a batch, with what the endpoint says of it.

    Args:
        base_url: None: the environment's.
        under_way: the batches of runs.
        all_of_them: whether to list the endpoint's other batches too.

    Raises:
        ApiError: the endpoint can't be asked.
    """
    from evalkit.api.batches import list_batches
    from evalkit.api.client import MessagesClient
    from evalkit.api.endpoint import endpoint_from_environment

    endpoint = endpoint_from_environment(base_url)
    async with MessagesClient(endpoint, 1) as client:
        listed = await patiently(lambda: list_batches(client)) if all_of_them else ()
        known = {batch.id: batch for batch in listed}
        rows = [
            {**describe_run(one), **await describe_state(client, one, known)} for one in under_way
        ]
    named = {row["batch"] for row in rows}
    others = [describe_batch(batch) for batch in listed if batch.id not in named]
    return rows + [{**dict.fromkeys(RUN_FACTS), **row} for row in others]


def describe_run(one: UnderWay) -> dict[str, Any]:
    """Which run a batch belongs to."""
    facts = {name: getattr(one.identity, name) for name in RUN_FACTS if name != "folder"}
    return {**facts, "folder": str(one.folder)}


async def describe_state(
    client: MessagesClient, one: UnderWay, known: Mapping[str, Batch]
) -> dict[str, Any]:
    """What becomes of a batch of a run; only its own endpoint can say."""
    from evalkit.api.batches import get_batch

    handover, batch_id = one.handover, one.handover.batch_id
    facts = {
        "batch": batch_id,
        "status": None,
        "requests": len(handover.requests),
        "counts": None,
        "age_seconds": round(time.time() - handover.at),
    }
    if one.identity.endpoint != client.endpoint.host:
        return {**facts, "status": f"at {one.identity.endpoint}"}
    if batch_id is None:
        return {**facts, "status": "id not known yet"}
    batch = known.get(batch_id)
    if batch is None:
        try:
            batch = await patiently(lambda: get_batch(client, batch_id))
        except NotFoundError:
            return {**facts, "status": "not found"}
    return {**facts, **describe_batch(batch), "age_seconds": facts["age_seconds"]}


def describe_batch(batch: Batch) -> dict[str, Any]:
    """What the endpoint says of a batch, as JSON."""
    created = batch.created_at
    age = None if created is None else round((datetime.now(UTC) - created).total_seconds())
    return {
        "batch": batch.id,
        "status": batch.status,
        "requests": batch.counts.total,
        "counts": asdict(batch.counts),
        "age_seconds": age,
    }


async def cancel(base_url: str | None, batch_ids: Sequence[str], as_json: bool) -> int:
    """Cancel batches, each whatever becomes of the others.

    Returns:
        The exit code of the last one that could not be canceled.
    """
    from evalkit.api.batches import cancel_batch
    from evalkit.api.client import MessagesClient
    from evalkit.api.endpoint import endpoint_from_environment

    code, rows = FINE, []
    async with MessagesClient(endpoint_from_environment(base_url), 1) as client:
        for batch_id in batch_ids:
            try:
                batch = await patiently(partial(cancel_batch, client, batch_id))
            except ApiError as error:
                print_note(f"evalkit: {batch_id}: {error}")
                code = exit_code_of(error)
                continue
            rows.append(describe_batch(batch))
            if not as_json:
                print(f"{batch.id}: {batch.status.replace('_', ' ')}")
    if as_json:
        print(json.dumps({"batches": rows}, indent=2))
    return code


async def patiently(send: Callable[[], Awaitable[T]]) -> T:
    """Ask until there is an answer.

    Raises:
        ApiError: there is none.
    """
    from evalkit.api.retries import RetryPolicy, send_with_retries

    result, _ = await send_with_retries(send, RetryPolicy())
    if isinstance(result, ApiError):
        raise result
    return result


def print_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the table, and the runs that the batches belong to."""
    from evalkit.cli.list import print_table
    from evalkit.reports.tables import clean

    print_table([{"": f"({number})", **summarize(row)} for number, row in enumerate(rows, 1)])
    runs = [(number, row) for number, row in enumerate(rows, 1) if row["folder"] is not None]
    if runs:
        print("\nRuns:")
    for number, row in runs:
        print(
            clean(f"({number}) {row['benchmark']}, {row['model']}, {row['way']}: {row['folder']}")
        )
    if any(row["status"] == "ended" for _, row in runs):
        print("\nThe same `evalkit run` command collects what has ended.")


def summarize(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of the table."""
    counts = row["counts"] or {"not known": row["requests"]}
    age = row["age_seconds"]
    return {
        "batch": row["batch"],
        "status": row["status"].replace("_", " "),
        "requests": ", ".join(f"{count} {name}" for name, count in counts.items() if count),
        "age": None if age is None else timedelta(seconds=age),
    }
