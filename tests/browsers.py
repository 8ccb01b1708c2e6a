"""A browser without a window, and what a page in it does that it should not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, sync_playwright

WITHIN = ("data:", "blob:", "about:")
"""Addresses for which nobody is asked."""


@contextmanager
def launch_browser() -> Iterator[Browser]:
    """Debian's Chromium.

    While it is there, no event loop can be started in this thread: what a test runs with `asyncio`
    has to be done before.
    """
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no program `chromium`: the package chromium has it")
    with sync_playwright() as playwright:
        # Its sandbox does not work for root, whose rights it would take away.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass(kw_only=True)
class Watched:
    """A page with what it did."""

    page: Page
    errors: list[str] = field(default_factory=list)
    """What it wrote to the console, and errors that nobody caught."""
    asked: list[str] = field(default_factory=list)
    """Addresses that it asked for, its own apart."""
    dialogs: list[str] = field(default_factory=list)

    def evaluate(self, script: str, value: Any = None) -> Any:
        """The value of an expression in the page."""
        return self.page.evaluate(script, value)

    def refuse(self, dialog: Dialog) -> None:
        """Close a window that asks something."""
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def list_texts(self, selector: str) -> list[str]:
        """The texts of all elements that can be seen."""
        return [text.strip() for text in self.page.locator(f"{selector}:visible").all_inner_texts()]


@contextmanager
def open_page(browser: Browser, address: str | Path, **settings: Any) -> Iterator[Watched]:
    """A page in a window of its own, which must do nothing wrong as long as it is open.

    Args:
        browser: that shows it.
        address: a file, or an address.
        settings: of the window, such as `viewport`.
    """
    own = address.absolute().as_uri() if isinstance(address, Path) else address
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
    watched = Watched(page=context.new_page())
    page = watched.page
    page.on("console", lambda said: watched.errors.append(f"{said.type}: {said.text}"))
    page.on("pageerror", lambda error: watched.errors.append(str(error)))
    page.on("dialog", watched.refuse)
    page.on("request", lambda request: watched.asked.append(request.url))
    try:
        page.goto(own)
        yield watched
        alien = [url for url in watched.asked if not url.startswith((*WITHIN, own.split("#")[0]))]
        assert (watched.errors, watched.dialogs, alien) == ([], [], [])
    finally:
        context.close()
