"""The app: its addresses, and the guard before them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Route

from evalkit.view.events import PAUSE_SECONDS
from evalkit.view.guard import Guard
from evalkit.view.pages import HANDLERS, Pages
from evalkit.view.shelf import Shelf

if TYPE_CHECKING:
    from starlette.types import ASGIApp

MOST_BUILDS = 2
"""Reports that are built at once."""


def build_app(
    shelf: Shelf, *, port: int, pause_seconds: float = PAUSE_SECONDS
) -> tuple[ASGIApp, Pages]:
    """Put the app together.

    Args:
        shelf: where the runs are.
        port: on which the server listens: requests for another are refused.
        pause_seconds: between two looks at a run that is watched.

    Returns:
        The app, and its pages, which have to be told when the server ends.
    """
    pages = Pages(shelf, asyncio.Semaphore(MOST_BUILDS), pause_seconds=pause_seconds)
    routes = [
        Route("/", pages.show_list),
        Route("/compare", pages.show_comparison),
        Route("/export/{ending}", pages.send_export),
        Route("/run/{name}", pages.show_run),
        Route("/run/{name}/report", pages.show_report),
        Route("/run/{name}/live", pages.show_live),
        Route("/run/{name}/events", pages.send_events),
        Route("/static/{name}", pages.send_static),
    ]
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    return Guard(app, port=port), pages
