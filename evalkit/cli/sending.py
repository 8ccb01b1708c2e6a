"""Options that decide how requests travel; the same run goes on whatever they are."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.cli.numbers import parse_dollars, parse_positive, parse_seconds
from evalkit.errors import UsageError

if TYPE_CHECKING:
    from evalkit.api.retries import RetryPolicy

MOST_AT_ONCE = 256
"""Requests in flight at once where the user sets no limit; `evalkit.runs.concurrency.MOST`."""


def add_sending_options(parser: argparse.ArgumentParser, *, with_budget: bool = True) -> None:
    """What decides how requests travel; the same run goes on whatever it is.

    Args:
        parser: of the command.
        with_budget: whether the command has no --budget of its own.
    """
    parser.add_argument(
        "--concurrency",
        type=parse_concurrency,
        default=(None, MOST_AT_ONCE),
        metavar="C",
        help="requests in flight at once; `auto` or `auto:C` for as many as make the answers come "
        "faster, up to C (default: auto:256; 1 for an embedded model)",
    )
    parser.add_argument(
        "--rpm",
        type=parse_positive,
        metavar="N",
        help="send each model at most N requests a minute (default: what the endpoint says, or "
        "shows by its refusals)",
    )
    parser.add_argument(
        "--tpm", type=parse_positive, metavar="N", help="the same for tokens, input and output"
    )
    parser.add_argument(
        "--timeout",
        type=parse_seconds,
        metavar="S",
        help="seconds for one attempt (default: 120; 600 where the model thinks)",
    )
    parser.add_argument(
        "--attempts",
        type=int,
        default=10,
        metavar="N",
        help="tries for one request, the first included (default: 10)",
    )
    parser.add_argument(
        "--deadline",
        type=parse_seconds,
        default=900.0,
        metavar="S",
        help="seconds for one request with all its tries (default: 900)",
    )
    parser.add_argument(
        "--run-deadline",
        type=parse_seconds,
        metavar="S",
        help="start nothing later than this many seconds after a run began",
    )
    parser.add_argument(
        "--patience",
        type=parse_seconds,
        default=300.0,
        metavar="S",
        help="seconds for which an endpoint may answer nobody before the run ends (default: 300; "
        "at most 15 before the first answer)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="share the questions out among N processes (default: 1)",
    )
    parser.add_argument(
        "--engine",
        choices=("loky", "dask", "ray"),
        default="loky",
        help="what starts the workers: processes of this machine, or a cluster (default: loky)",
    )
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="the scheduler of a cluster, such as tcp://host:8786 (default: one is started here)",
    )
    parser.add_argument(
        "--shared",
        metavar="URL",
        help="where workers of other machines write, a path or an address that fsspec knows "
        "(default: the run's folder)",
    )
    parser.add_argument(
        "--batch",
        action="store_true",
        help="ask by Message Batches: half the price, within a day; may be interrupted at any time",
    )
    parser.add_argument(
        "--poll-seconds",
        type=parse_seconds,
        default=60.0,
        metavar="S",
        help="the longest wait between two looks at a batch (default: 60)",
    )
    if with_budget:
        parser.add_argument(
            "--budget",
            type=parse_dollars,
            metavar="USD",
            help="end each run before it would cost more than this, requests in flight included",
        )
    parser.add_argument(
        "--no-cache", action="store_true", help="don't mark long shared prefixes for the cache"
    )
    parser.add_argument(
        "--images",
        choices=("base64", "file"),
        default="base64",
        help="how picture files travel: in each request, or uploaded once (default: base64)",
    )
    parser.add_argument(
        "--keep-files", action="store_true", help="leave uploaded pictures at the endpoint"
    )
    parser.add_argument(
        "--no-text",
        action="store_true",
        help="keep texts of questions and replies off the disk, as for zero data retention; rules "
        "out --batch and --images file",
    )
    parser.add_argument("--json", action="store_true", help="print the facts as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress, no notes")
    parser.add_argument(
        "--log",
        type=Path,
        metavar="FILE",
        help="write what happens into a file, a line of JSON for each attempt; never a key or text",
    )
    parser.add_argument(
        "--trace",
        type=Path,
        metavar="FILE",
        help="write the times of all attempts for ui.perfetto.dev or chrome://tracing",
    )


def build_sending(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that these options make, by name; commands that ask nobody have none of them.

    Raises:
        UsageError: there is no attempt at all.
    """
    concurrency, most = given.get("concurrency", (None, MOST_AT_ONCE))
    return {
        "concurrency": concurrency,
        "max_concurrency": most,
        "requests_per_minute": given.get("rpm"),
        "tokens_per_minute": given.get("tpm"),
        "deadline_seconds": given.get("run_deadline"),
        "workers": given.get("workers", 1),
        "engine": given.get("engine", "loky"),
        "cluster": given.get("cluster"),
        "shared": given.get("shared"),
        "retries": build_retries(given),
        "images": given.get("images", "base64"),
        "keep_files": given.get("keep_files", False),
        "cache": not given.get("no_cache", False),
        "batch": given.get("batch", False),
        "poll_seconds": given.get("poll_seconds", 60.0),
    }


def build_retries(given: Mapping[str, Any]) -> RetryPolicy:
    """How stubborn to be; commands that ask nobody have no such options.

    Raises:
        UsageError: there is no attempt at all.
    """
    from evalkit.api.breaker import Patience
    from evalkit.api.retries import RetryPolicy

    if "attempts" not in given:
        return RetryPolicy()
    if given["attempts"] < 1:
        raise UsageError(f"attempts {given['attempts']}: expected at least 1")
    later = given["patience"]
    patience = Patience(later=later, at_start=min(later, Patience().at_start))
    return RetryPolicy(
        attempts=given["attempts"], deadline_seconds=given["deadline"], outage=patience
    )


def parse_concurrency(text: str) -> tuple[int | None, int]:
    """A fixed number of requests at once, or none and the most of them.

    Raises:
        ArgumentTypeError: it is neither.

    Example:
        >>> parse_concurrency("64"), parse_concurrency("auto"), parse_concurrency("auto:64")
        ((64, 64), (None, 256), (None, 64))
    """
    if text == "auto":
        return None, MOST_AT_ONCE
    is_auto = text.startswith("auto:")
    digits = text.removeprefix("auto:")
    if not (digits.isascii() and digits.isdecimal() and 1 <= int(digits) <= 100_000):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 1, auto, or auto:C")
    return (None if is_auto else int(digits)), int(digits)
