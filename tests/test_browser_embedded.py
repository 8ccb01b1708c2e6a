"""Runs of an embedded model, from its answers to what a browser shows of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from evalkit.comparisons import compare
from evalkit.reports.report import build_report
from tests.browsers import launch_browser, open_page
from tests.view_server import view

pytestmark = pytest.mark.slow

MODEL = "local/smollm2-135m"
QUESTIONS = 20


def command_of(results: Path, *arguments: str) -> list[str]:
    """A command that asks the smaller of the embedded models."""
    return [
        *(sys.executable, "-m", "evalkit", "run", "everyday", "--model", MODEL),
        *("--results", str(results), "--quiet", *arguments),
    ]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs: the same questions asked in two ways."""
    results = tmp_path_factory.mktemp("embedded") / "results"
    ways = ("--way", "prefill", "--way", "instructed", "--limit", str(QUESTIONS))
    subprocess.run(command_of(results, *ways), check=True, timeout=300, stdout=subprocess.DEVNULL)
    return results


@pytest.fixture(scope="module")
def browser(results: Path) -> Iterator[Browser]:
    with launch_browser() as found:
        yield found


def keep(page: Page, name: str) -> None:
    """Leave a picture where a person asks for it, to be looked at."""
    folder = os.environ.get("EVALKIT_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_a_report_of_both_ways_is_read_in_a_browser(
    browser: Browser, results: Path, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    report = build_report(sorted(results.iterdir()))
    report.write(path)
    for scheme in ("light", "dark"):
        with open_page(browser, path, color_scheme=scheme) as watched:
            page = watched.page
            expect(page.locator("#summary")).to_contain_text(f"n = {QUESTIONS}")
            groups = page.locator(".sheet:has(#sheet-groups)")
            groups.get_by_role("columnheader", name="Accuracy").get_by_role("button").click()
            expect(groups.locator("[aria-sort=descending]")).to_have_count(1)
            page.wait_for_selector("#question-list[data-ready]", state="attached")
            form = page.get_by_role("search")
            form.get_by_label("Text or id").fill(report.runs[0].questions[0].id)
            page.get_by_role("status").get_by_text(f"1 of {QUESTIONS} questions").wait_for()
            page.locator("#question-list > li .opener").first.click()
            detail = page.locator("#question-list .detail").first
            expect(detail).to_contain_text("prefill")
            expect(detail).to_contain_text("The answer is (")
            keep(page, f"embedded-{scheme}")
    for settings in ({"viewport": {"width": 390, "height": 844}}, {}):
        with open_page(browser, path, **settings) as watched:
            if not settings:
                watched.page.emulate_media(media="print")
            keep(watched.page, "embedded-phone" if settings else "embedded-print")


def test_both_ways_are_compared_in_the_app(browser: Browser, results: Path) -> None:
    with view(results) as server, open_page(browser, f"{server.address}/") as watched:
        page = watched.page
        for box in page.locator("table.runs").get_by_role("checkbox").all():
            box.check()
        page.locator("#compare").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("everyday")
        expect(page.locator("#summary")).to_contain_text("points")
        page.get_by_label("Flipped").select_option(index=1)
        [pair] = compare(sorted(results.iterdir())).pairs
        expected = pair.accuracy.losses + pair.accuracy.gains
        expect(page.locator("#question-list > li")).to_have_count(expected)
        keep(page, "embedded-compared")


def test_a_run_is_followed_to_its_end(browser: Browser, tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    asking = subprocess.Popen(
        command_of(results, "--way", "instructed", "--limit", "60"), stdout=subprocess.DEVNULL
    )
    try:
        with view(results) as server, open_page(browser, f"{server.address}/") as watched:
            page = watched.page
            expect(page.locator("table.runs tbody a")).to_have_count(1, timeout=60_000)
            page.locator("table.runs tbody a").first.click()
            expect(page.locator("[data-text=done]")).to_have_text(re.compile(" of 60 replies$"))
            seen = set()
            until = time.monotonic() + 240
            while page.locator("#live").count() and time.monotonic() < until:
                with suppress(Error):  # the page is just being loaded anew, as the run has ended
                    seen.add(page.evaluate("document.querySelector('[data-text=done]')?.innerText"))
                page.wait_for_timeout(100)
            assert len(seen) > 3, "the numbers moved"
            expect(page.locator("#summary")).to_contain_text("n = 60")
        assert asking.wait(timeout=60) == 0
    finally:
        asking.kill()
        asking.wait()
