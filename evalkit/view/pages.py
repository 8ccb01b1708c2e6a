"""The pages of the app: what each address shows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from starlette.responses import Response, StreamingResponse

from evalkit.errors import EvalkitError, RunFormatError, UsageError
from evalkit.reports.html.cards import TONES
from evalkit.view.addresses import Wanted, address_of, parse_wanted
from evalkit.view.builds import Builds, work
from evalkit.view.choosing import FIELDS, ORDERS, PAGE, list_values, name_sort, parse_choice
from evalkit.view.events import PAUSE_SECONDS, stream_events
from evalkit.view.exports import ANY_TYPE, TYPES, list_endings, name_file, render_export
from evalkit.view.listing import INCOMPLETE, UNDER_WAY, Listed, Listing
from evalkit.view.live import Watchtower
from evalkit.view.rendering import read_static, render_page
from evalkit.view.report_page import render_report_page
from evalkit.view.shelf import Shelf, Shelved

if TYPE_CHECKING:
    from starlette.requests import Request

    from evalkit.reports.report import Report
    from evalkit.view.report_page import BuiltPage

MOST_REPORTS, MOST_PAGES = 3, 4
"""So many are kept in memory; a report of many questions is large."""

HTML, EVENTS = "text/html; charset=utf-8", "text/event-stream"

OPEN = (UNDER_WAY, INCOMPLETE)
"""States in which more may come."""


class Gone(Exception):
    """There is no such run, or no longer."""


class Pages:
    """Answers requests; for one event loop.

    Args:
        shelf: where the runs are.
        limiter: how many reports are built at once.
        pause_seconds: between two looks at a run that is watched.
    """

    def __init__(
        self, shelf: Shelf, limiter: asyncio.Semaphore, *, pause_seconds: float = PAUSE_SECONDS
    ) -> None:
        self.shelf, self.listing, self.tower = shelf, Listing(shelf), Watchtower(shelf)
        self.reports: Builds[Report] = Builds(limiter, most=MOST_REPORTS)
        self.built: Builds[BuiltPage] = Builds(limiter, most=MOST_PAGES)
        self.limiter, self.pause_seconds = limiter, pause_seconds
        self.closing = asyncio.Event()
        """Set when the server ends."""

    async def show_list(self, request: Request) -> Response:
        """All runs, or those that are asked for."""
        rows = await asyncio.to_thread(self.listing.list_all)
        choice = parse_choice(request.query_params)
        found = choice.select(rows)
        return answer(
            render_page(
                "list.html",
                results=str(self.shelf.results),
                total=len(rows),
                found=len(found),
                rows=choice.cut(found),
                choice=choice,
                sort=name_sort(choice.sort, choice.is_falling),
                pages=-(-len(found) // PAGE),
                orders=ORDERS,
                tones=TONES,
                values={name: list_values(rows, name) for name in FIELDS},
                address_of=address_of,
            )
        )

    async def show_run(self, request: Request) -> Response:
        """A run: how it goes on, or what came of it."""
        name = request.path_params["name"]
        listed = await self._find_listed(name)
        if listed.state in OPEN:
            return self._show_live(listed)
        return await self._show_report(parse_wanted([name], {}))

    async def show_live(self, request: Request) -> Response:
        """How a run goes on."""
        return self._show_live(await self._find_listed(request.path_params["name"]))

    async def show_report(self, request: Request) -> Response:
        """What came of a run so far."""
        return await self._show_report(parse_wanted([request.path_params["name"]], {}))

    async def show_comparison(self, request: Request) -> Response:
        """Runs side by side, with the questions that flipped."""
        query = request.query_params
        wanted = parse_wanted(query.getlist("run"), query, fewest=2)
        return await self._show_report(wanted)

    async def send_events(self, request: Request) -> Response:
        """How a run goes on, told as long as somebody listens."""
        name = request.path_params["name"]
        await asyncio.to_thread(self._find, name)
        if request.method == "HEAD":
            return Response(media_type=EVENTS)
        events = stream_events(self.tower, name, self.closing, pause_seconds=self.pause_seconds)
        return StreamingResponse(events, media_type=EVENTS)

    async def send_static(self, request: Request) -> Response:
        """A style or script."""
        found = read_static(request.path_params["name"])
        if found is None:
            raise Gone("There is no such page.")
        data, kind = found
        return Response(data, media_type=kind, headers={"cache-control": "no-cache"})

    def _show_live(self, listed: Listed) -> Response:
        if listed.problem:
            raise RunFormatError(listed.problem)
        return answer(
            render_page(
                "live.html",
                run=listed,
                is_over=listed.state not in OPEN,
                events=address_of(listed.name, "events"),
                report=address_of(listed.name, "report"),
            )
        )

    async def send_export(self, request: Request) -> Response:
        """A report as a file."""
        ending, query = f".{request.path_params['ending']}", request.query_params
        if ending not in list_endings():
            raise Gone("There is no such format here.")
        _, report = await self._build(parse_wanted(query.getlist("run"), query))
        data = await work(self.limiter, lambda: render_export(report, ending))
        name = name_file(report, ending)
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Response(data, media_type=TYPES.get(ending, ANY_TYPE), headers=headers)

    async def _show_report(self, wanted: Wanted) -> Response:
        key, report = await self._build(wanted)
        page = await self.built.get(key, lambda: render_report_page(report, wanted))
        return answer(page.data, policy=page.policy)

    async def _build(self, wanted: Wanted) -> tuple[Hashable, Report]:
        """The report of some runs as they are now, and what it depends on.

        Raises:
            Gone: there is none of such a name.
            EvalkitError: a run can't be read, or they can't be compared.
        """
        shelved = await asyncio.to_thread(lambda: [self._find(name) for name in wanted.runs])
        key = wanted, tuple(mark_of(each) for each in shelved)
        report = await self.reports.get(key, lambda: build(shelved, wanted))
        if report.comparison is None and len(shelved) > 1:
            raise UsageError(
                report.not_compared or "these runs can't be compared: no two are of one benchmark"
            )
        return key, report

    async def _find_listed(self, name: str) -> Listed:
        """A run as it stands in the list.

        Raises:
            Gone: there is none of this name.
        """
        found = await asyncio.to_thread(self.listing.find, name)
        if found is None:
            raise Gone(GONE)
        return found

    def _find(self, name: str) -> Shelved:
        """A run's folder.

        Raises:
            Gone: there is none of this name.
            RunFormatError: nothing of it is shown.
        """
        found = self.shelf.find(name)
        if found is None:
            raise Gone(GONE)
        if found.problem:
            raise RunFormatError(found.problem)
        return found


GONE = "There is no such run here, or no longer."


def build(shelved: list[Shelved], wanted: Wanted) -> Report:
    """Put together what is to be said of some runs."""
    from evalkit.reports.report import build_report

    paths = {each.name: each.path for each in shelved}
    baseline = paths.pop(wanted.baseline) if wanted.baseline else None
    try:
        return build_report(list(paths.values()), baseline=baseline, margin=wanted.margin)
    except RunFormatError as error:
        if not all(each.path.is_dir() for each in shelved):
            raise Gone(GONE) from error
        raise


def mark_of(shelved: Shelved) -> tuple[Any, ...]:
    """What changes when a report of a run would come out otherwise; its lock is of no account."""
    return tuple(sorted((k, v) for k, v in shelved.marks.items() if not k.startswith(".")))


def answer(data: bytes, *, status: int = 200, policy: str | None = None) -> Response:
    """A page."""
    headers = {} if policy is None else {"content-security-policy": policy}
    return Response(data, status_code=status, media_type=HTML, headers=headers)


def show_error(status: int, words: str) -> Response:
    """A page that says what is wrong."""
    return answer(render_page("error.html", status=status, words=words), status=status)


def status_of(error: Exception) -> int:
    """400 for what another address would cure, 404 for what is not there, 422 for damage."""
    if isinstance(error, Gone):
        return 404
    return 422 if isinstance(error, RunFormatError) else 400


async def handle_error(request: Request, error: Exception) -> Response:
    """Say what is wrong: with the address, or with the runs that it names."""
    return show_error(status_of(error), str(error))


async def handle_unknown(request: Request, error: Exception) -> Response:
    """Say that there is no such page."""
    return show_error(getattr(error, "status_code", 404), "There is no such page.")


async def handle_fault(request: Request, error: Exception) -> Response:
    """Say that the fault is ours; the server's own output says which."""
    return show_error(500, "Something went wrong here: the terminal shows what.")


HANDLERS: dict[Any, Callable[[Request, Exception], Any]] = {
    Gone: handle_error,
    EvalkitError: handle_error,
    404: handle_unknown,
    405: handle_unknown,
    Exception: handle_fault,
}
