"""The web app in a real browser: lists, reports, comparisons, and a run followed to its end."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from evalkit.benchmarks import load_benchmark
from evalkit.evaluation import run
from evalkit.gating import gate
from evalkit.results import Run
from evalkit.settings import RunSettings
from evalkit.stats.sequential import GateTerms
from evalkit.testing.messages_server import MessagesServer
from tests.browsers import launch_browser, open_page
from tests.conftest import QUICK, endpoint_of, sums_answers, write_sums
from tests.gate_runs import BRIEF, HAIKU, Answers, load_sums, make_run
from tests.view_server import ViewServer, copy_folder, copy_run, view
from tests.written_runs import respond
from tests.written_runs import write_run as write_whole_run

pytestmark = pytest.mark.slow

MODELS = ("claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-5")

WINDOWS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 800}, "is_mobile": True, "has_touch": True},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of three models on two benchmarks, a gate, and forty runs that are only listed.

    All of them are made before there is a browser, beside which no event loop can be started.
    """
    folder = tmp_path_factory.mktemp("made")
    results = folder / "results"
    runs: list[Run] = []
    for number, model in enumerate(MODELS):
        with MessagesServer(answer=sums_answers(wrong_share=0.5 - 0.2 * number)) as server:
            for name in ("sums", "others"):
                benchmark = load_benchmark(write_sums(folder / f"{name}.jsonl"))
                runs.append(make_run(server, benchmark, results, model=model))
    for seed in range(40):
        copy_run(runs[0].path, results, seed=seed + 1, benchmark="many", model=f"model-{seed % 4}")
    hold_gate(folder, results)
    return results


def hold_gate(folder: Path, results: Path) -> None:
    """A baseline, and a candidate that its gate stopped."""
    answers = Answers(wrong={"": range(0, 200, 9), "Be brief.": range(0, 200, 9)})
    with MessagesServer(answer=answers) as server:
        baseline = make_run(server, load_sums(folder, 200, "gated"), results, concurrency=16)
        gate(baseline, prompt=BRIEF, settings=RunSettings(retries=QUICK, concurrency=4),
             terms=GateTerms(margin=0.1), endpoint=endpoint_of(server), results=results,
             progress=False)  # fmt: skip


@pytest.fixture(scope="module")
def server(made: Path) -> Iterator[ViewServer]:
    """An app over these runs."""
    with view(made) as running:
        yield running


@pytest.fixture(scope="module")
def browser(server: ViewServer) -> Iterator[Browser]:
    """One browser for all tests."""
    with launch_browser() as found:
        yield found


@contextmanager
def show(browser: Browser, server: ViewServer, path: str = "/", **settings: Any) -> Iterator[Page]:
    """A page of the app, which must do nothing wrong, and ask nobody but the app."""
    with open_page(browser, f"{server.address}/", **settings) as watched:
        if path != "/":
            watched.page.goto(f"{server.address}{path}")
        yield watched.page


def keep(page: Page, name: str) -> None:
    """Leave a picture where a person asks for it, to be looked at."""
    folder = os.environ.get("EVALKIT_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def list_models(page: Page) -> list[str]:
    """The models in the list, from above."""
    return page.locator("table.runs tbody tr td.long:not(.small)").all_inner_texts()


def list_accuracies(page: Page) -> list[float]:
    """The accuracies in the list, from above."""
    return [float(text) for text in page.locator("table.runs td.strong").all_inner_texts()]


def test_the_list_is_filtered_while_one_types(server: ViewServer, browser: Browser) -> None:
    with show(browser, server) as page:
        expect(page.get_by_role("status")).to_have_text("48 of 48 runs")
        page.get_by_label("Name, model, benchmark").fill("many model-2")
        expect(page.get_by_role("status")).to_have_text("10 of 48 runs")
        assert set(list_models(page)) == {"model-2"}
        assert page.url.endswith("?text=many+model-2")
        page.reload()
        expect(page.get_by_role("status")).to_have_text("10 of 48 runs")
        page.get_by_role("link", name="Show all").click()
        expect(page.get_by_role("status")).to_have_text("48 of 48 runs")


def test_the_list_is_filtered_by_fields_and_sorted(server: ViewServer, browser: Browser) -> None:
    with show(browser, server) as page:
        page.get_by_label("Benchmark", exact=True).select_option("sums")
        expect(page.get_by_role("status")).to_have_text("3 of 48 runs")
        page.get_by_role("link", name="Accuracy").click()
        expect(page.get_by_role("columnheader", name="Accuracy")).to_have_attribute(
            "aria-sort", "descending"
        )
        falling = list_accuracies(page)
        assert falling == sorted(falling, reverse=True)
        assert len(set(falling)) > 1
        page.get_by_role("link", name="Accuracy").click()
        expect(page.get_by_role("columnheader", name="Accuracy")).to_have_attribute(
            "aria-sort", "ascending"
        )
        assert list_accuracies(page) == sorted(falling)
        page.get_by_label("Model", exact=True).select_option(MODELS[1])
        expect(page.get_by_role("status")).to_have_text("1 of 48 runs")
        assert "sort=accuracy" in page.url


def test_a_run_is_opened_and_its_questions_are_searched(
    server: ViewServer, browser: Browser
) -> None:
    with show(browser, server, f"/?benchmark=sums&model={MODELS[0]}") as page:
        page.locator("table.runs tbody a").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("sums")
        page.get_by_label("Text or id").fill("100 + 17?")
        expect(page.locator("#question-list > li")).to_have_count(1)
        page.locator("#question-list button").first.click()
        expect(page.locator("#question-list .detail")).to_contain_text("How much is 100 + 17?")
        page.get_by_role("link", name="How it went").click()
        expect(page.locator("[data-text=state]").first).to_have_text("complete")
        expect(page.locator("[data-text=done]")).to_have_text("30 of 30 replies")
        page.get_by_role("link", name="All runs").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Runs")


def test_runs_are_chosen_and_compared(server: ViewServer, browser: Browser) -> None:
    with show(browser, server, "/?benchmark=sums") as page:
        button = page.locator("#compare")
        expect(button).to_be_disabled()
        for model in (MODELS[0], MODELS[2]):
            page.locator("tr", has_text=model).get_by_role("checkbox").check()
        # What is chosen stays chosen while the list is sorted.
        page.get_by_role("link", name="Model").click()
        expect(page.get_by_role("columnheader", name="Model")).to_have_attribute(
            "aria-sort", "ascending"
        )
        expect(button).to_have_text("Compare the 2 chosen")
        button.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("sums")
        page.get_by_label("Flipped").select_option(index=1)
        assert 0 < page.locator("#question-list > li").count() < 30
        keep(page, "comparison")
        page.get_by_label("Compared with").select_option(label=MODELS[2])
        page.get_by_label("Margin, points").fill("2")
        page.get_by_role("button", name="Compare", exact=True).click()
        expect(page.locator("main")).to_contain_text(re.compile("[Rr]egress|[Ii]nconclusive"))
        assert "margin=2" in page.url
        again = page.url
        page.goto(again)  # as one does who is sent the address
        expect(page.get_by_label("Margin, points")).to_have_value("2")


def test_a_report_is_taken_away(server: ViewServer, browser: Browser, tmp_path: Path) -> None:
    with show(browser, server, "/?benchmark=sums") as page:
        page.locator("table.runs tbody a").first.click()
        for ending in ("csv", "xlsx", "json", "html"):
            with page.expect_download() as waiting:
                page.get_by_role("link", name=ending, exact=True).click()
            found = waiting.value
            assert found.suggested_filename == f"evalkit-sums.{ending}"
            found.save_as(tmp_path / found.suggested_filename)
            assert (tmp_path / found.suggested_filename).stat().st_size > 100


def test_a_finished_gate_is_shown_with_its_evidence(server: ViewServer, browser: Browser) -> None:
    with show(browser, server, "/?state=stopped+early") as page:
        expect(page.locator("table.runs .tag")).to_have_text("gate: no regression")
        page.locator("table.runs tbody a").first.click()
        expect(page.locator("main")).to_contain_text("No regression beyond")
        page.get_by_role("link", name="How it went").click()
        card = page.locator("#live-gates .card")
        expect(card.locator(".sentence")).to_contain_text("No regression beyond")
        assert card.locator("svg path.pass").count() == 1
        assert card.locator("svg line.bound").count() == 1
        keep(page, "gate")


def test_a_run_is_followed_to_its_end(
    browser: Browser, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    results = tmp_path / "results"
    results.mkdir()
    benchmark = load_benchmark(write_sums(tmp_path / "sums.jsonl"))
    answer = sums_answers(wrong_share=0.3)
    with MessagesServer(answer=answer, latency_seconds=0.7) as models, view(results) as server:
        settings = RunSettings(retries=QUICK, concurrency=2)

        def ask() -> None:
            run(benchmark, HAIKU, settings=settings, endpoint=endpoint_of(models),
                results=results, progress=False)  # fmt: skip

        asking = threading.Thread(target=ask)
        with show(browser, server) as page:
            expect(page.locator("main")).to_contain_text("No run yet")
            asking.start()
            until = time.monotonic() + 40
            # It looks for a run every few seconds.
            expect(page.locator("table.runs tbody a")).to_have_count(1, timeout=10_000)
            expect(page.locator("table.runs .tag")).to_have_text("under way")
            page.locator("table.runs tbody a").first.click()
            done = page.locator("[data-text=done]")
            expect(done).to_have_text(re.compile(r"^\d+ of 30 replies$"))
            seen = {done.inner_text()}
            expect(page.locator("#live-course path.band")).to_have_count(1)
            keep(page, "live")
            while page.locator("#live").count() and time.monotonic() < until:
                with suppress(Error):  # the page is just being loaded anew, as the run has ended
                    seen.add(page.evaluate("document.querySelector('[data-text=done]')?.innerText"))
                page.wait_for_timeout(50)
            assert len(seen) > 3, "the numbers moved"
            expect(page.get_by_role("heading", level=1)).to_have_text("sums")
            expect(page.locator("#summary")).to_contain_text("n = 30")
            assert page.url.endswith("/report")
        asking.join(timeout=30)


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202e{{ 7 * 191 }}\0"


def test_hostile_names_and_replies_do_nothing(browser: Browser, tmp_path: Path, made: Path) -> None:
    from evalkit.questions import Question

    question = Question(
        id="q1", stem=HOSTILE, choices=(HOSTILE, f"{HOSTILE}2"), right=(0,), group=HOSTILE
    )
    for name in ("a", "b"):
        write_whole_run(
            tmp_path,
            [question, replace(question, id="q2")],
            lambda *_: respond(HOSTILE),
            model=f"{HOSTILE}{name}",
            benchmark=HOSTILE,
        )
    copy_folder(next(made.glob("sums--*")), tmp_path).rename(tmp_path / "\"'><script>alert(1)")
    with view(tmp_path) as server, show(browser, server) as page:
        assert page.locator("table.runs tbody tr").count() == 3
        addresses = page.locator("table.runs tbody a").evaluate_all("all => all.map(a => a.href)")
        for box in page.get_by_role("checkbox").all()[:3]:
            box.check()
        for address in addresses:
            for part in ("", "/live", "/report"):
                page.goto(f"{address}{part}")
                page.wait_for_timeout(150)
                assert "1337" not in page.locator("body").inner_text()
        page.goto(
            f"{server.address}/?text=%3Cscript%3Ealert(1)%3C/script%3E&benchmark=%22%3E%3Cb%3E"
        )
        assert page.locator("#list b").count() == 0


@pytest.mark.parametrize("window", WINDOWS)
def test_no_page_is_wider_than_its_window(
    server: ViewServer, browser: Browser, window: str
) -> None:
    with show(browser, server, **WINDOWS[window]) as page:
        names = page.locator("table.runs tbody a").evaluate_all("all => all.map(a => a.href)")
        one = next(name for name in names if "/run/sums--" in name)
        for place, address in (
            ("list", f"{server.address}/"), ("run", one), ("live", f"{one}/live"),
            ("missing", f"{server.address}/compare"),
        ):  # fmt: skip
            if place == "missing":
                continue
            page.goto(address)
            page.wait_for_timeout(300)
            keep(page, f"{place}-{window}")
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= page.evaluate("document.documentElement.clientWidth"), place


def test_on_paper_there_are_no_controls(server: ViewServer, browser: Browser) -> None:
    with show(browser, server) as page:
        page.emulate_media(media="print")
        keep(page, "list-print")
        assert not page.locator("#choices").is_visible()
        assert not page.locator("#compare").is_visible()
        assert page.locator("table.runs").is_visible()


def test_the_list_can_be_used_by_keyboard_alone(server: ViewServer, browser: Browser) -> None:
    with show(browser, server, "/?benchmark=sums") as page:
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        for name in page.locator("input, select, button, a.sort").all():
            if name.is_visible():
                assert name.evaluate("e => e.tabIndex") == 0
        page.get_by_role("checkbox").first.focus()
        page.keyboard.press("Space")
        expect(page.get_by_role("checkbox").first).to_be_checked()


def test_without_scripts_the_list_still_works(server: ViewServer, browser: Browser) -> None:
    with show(browser, server, java_script_enabled=False) as page:
        page.get_by_label("Name, model, benchmark").fill("model-2")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_role("status")).to_have_text("10 of 48 runs")
        page.get_by_role("link", name="Model").click()
        assert "sort=model" in page.url


def test_a_server_that_is_gone_is_told(browser: Browser, made: Path, tmp_path: Path) -> None:
    folder = copy_folder(next(made.glob("sums--*")), tmp_path)
    (folder / "summary.json").unlink()
    with view(tmp_path) as server:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{server.address}/run/{folder.name}")
        expect(page.locator("[data-text=done]")).to_have_text("30 of 30 replies")
    expect(page.locator("#live-problem")).to_contain_text("is `evalkit view` still running?")
    context.close()
