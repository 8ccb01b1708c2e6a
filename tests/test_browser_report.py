"""The report in a real browser: it shows, sorts, filters and opens, and does nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from evalkit.comparisons import Comparison
from evalkit.evaluation import run
from evalkit.images import read_image
from evalkit.questions import Order, Question
from evalkit.reports.html.page import write_page
from evalkit.reports.report import build_report
from evalkit.requests import WAYS, Way
from evalkit.responses import RequestFailure
from evalkit.results import Run
from evalkit.settings import RunSettings
from evalkit.testing.messages_server import MessagesServer
from tests.browsers import Watched, launch_browser, open_page
from tests.conftest import QUICK, endpoint_of
from tests.hostile import HOSTILE
from tests.pictures import paint, write_rows
from tests.written_runs import Result, respond, write_run

pytestmark = pytest.mark.slow

SUBJECTS = ("algebra", "biology", "chemistry", "history", "law")
MODELS = {"small": 3, "middle": 5, "large": 8}
"""Of ten questions, so many are answered right."""

COUNT = 60

MORE_HOSTILE = (
    "<!-- data --><script>window.ran=1</script>",
    "</title></style></textarea></select></option><script>window.ran=1</script>",
    "</bdi></td></tr></table></section></main><script>window.ran=1</script>",
    "<iframe srcdoc='<script>parent.window.ran=1</script>'>",
    "<math><mtext></p><style><img src=x onerror=window.ran=1></style>",
    "<template><script>window.ran=1</script></template>",
    "<base href=http://127.0.0.1:9/>",
    "<link rel=stylesheet href=http://127.0.0.1:9/a.css>",
    "<meta http-equiv=refresh content=0;url=http://127.0.0.1:9/>",
    "<plaintext>",
    "$& $1 $` {stem} {choices} {label} {text} {group}",
    "\\u003cscript\\u003e __proto__",
    "__proto__",
    "constructor",
    "\u200f\u200eright to left",
)

TEXTS = (*HOSTILE, *MORE_HOSTILE)
"""For every field of a question and of a reply."""

NAMES = tuple(
    text for text in TEXTS if 0 < len(text) < 1000 and "\ud800" not in text and "\udfff" not in text
)
"""Those that can stand in a manifest, which is UTF-8."""


def number_of(question: Question) -> int:
    """Which one it is."""
    return int(question.id[1:])


def write_exam(results: Path, benchmark: str) -> list[Path]:
    """Three models, asked the same questions on five subjects."""
    questions = [
        Question(
            id=f"q{number}",
            stem=f"{benchmark} question {number}?",
            choices=tuple(f"{benchmark} choice {number}{letter}" for letter in "abcd"),
            right=(number % 4,),
            group=SUBJECTS[number % 5],
        )
        for number in range(COUNT)
    ]

    def answer_as(skill: int) -> Any:
        def answer(question: Question, order: Order | None, sample: int) -> Result:
            number = number_of(question)
            if number == 0:
                return respond("I can't say")
            if number == 1 and skill == 3:
                return RequestFailure(kind="overloaded", message="Overloaded (status 529)")
            is_right = (7 * number + 3) % 10 < skill
            return respond("ABCD"[(question.right[0] + (not is_right)) % 4])

        return answer

    return [
        write_run(results, questions, answer_as(skill), model=model, benchmark=benchmark)
        for model, skill in MODELS.items()
    ]


def page_of(folders: list[Path], path: Path, **settings: Any) -> Path:
    """The page of some runs."""
    write_page(build_report(folders), path, **settings)
    return path


@dataclass(frozen=True, kw_only=True)
class Pages:
    """Reports that were written before there is a browser."""

    exam: Path
    comparison: Comparison
    """Of the runs in it."""
    small: Path
    """The same with room for some of its questions."""
    hostile: Path
    named: Path
    """Of runs with long names."""
    silent: Path
    """Of runs that keep no texts."""
    ordered: Path
    """Of runs with several orders and samples."""
    pictured: Path
    sent: Path
    """Of runs in every way of asking."""
    ways: tuple[Run, ...]
    bodies: dict[Way, list[Any]]
    """What those runs sent, by way."""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """All reports."""
    root = tmp_path_factory.mktemp("pages")
    exams = [*write_exam(root / "exam", "exam"), *write_exam(root / "exam", "quiz")]
    ways, bodies = ask_all_ways(root)
    report = build_report(exams)
    assert report.comparison is not None
    exam = root / "exam.html"
    write_page(report, exam)
    return Pages(
        exam=exam,
        comparison=report.comparison,
        small=page_of(exams, root / "small.html", most_bytes=exam.stat().st_size - 1000),
        hostile=page_of(write_hostile(root / "hostile"), root / "hostile.html"),
        named=page_of(write_named(root / "named"), root / "named.html"),
        silent=page_of(ask_silently(root), root / "silent.html"),
        ordered=page_of(write_ordered(root / "ordered"), root / "ordered.html"),
        pictured=page_of(write_pictured(root), root / "pictured.html"),
        sent=page_of([each.path for each in ways], root / "sent.html"),
        ways=ways,
        bodies=bodies,
    )


def ask_all_ways(root: Path) -> tuple[tuple[Run, ...], dict[Way, list[Any]]]:
    """Runs in every way of asking, with worked examples, and what was sent."""
    rows = [
        {
            "id": f"q{number}",
            "subject": "even" if number % 2 == 0 else "odd",
            "question": f"Which is {number}? {{stem}} $& {{7}}",
            "choices": [f"{number}{letter} {{label}}" for letter in "abcd"],
            "answer": "ABCD"[number % 4],
            "example": number >= 6,
        }
        for number in range(10)
    ]
    path = write_rows(root / "ways.jsonl", rows)
    found: list[Run] = []
    bodies: dict[Way, list[Any]] = {}
    for way in WAYS:
        with MessagesServer() as server:
            found.append(
                run(
                    path,
                    "claude-haiku-4-5",
                    settings=RunSettings(way=way, retries=QUICK, shots=2, cache=False),
                    endpoint=endpoint_of(server),
                    results=root / "ways",
                    progress=False,
                )
            )
            bodies[way] = [
                record.body
                for record in server.requests
                if record.is_message and "Which is" in str(record.body)
            ]
    return tuple(found), bodies


def ask_silently(root: Path) -> list[Path]:
    """A run without texts."""
    rows = [{"id": f"q{number}", "question": f"secret {number}?"} for number in range(4)]
    path = write_rows(root / "silent.jsonl", rows)
    with MessagesServer() as server:
        done = run(
            path,
            "claude-haiku-4-5",
            settings=RunSettings(way="prefill", retries=QUICK, keep_text=False),
            endpoint=endpoint_of(server),
            results=root / "silent",
            progress=False,
        )
    return [done.path]


def write_ordered(results: Path) -> list[Path]:
    """Runs with each question in three orders, and two responses to each."""
    questions = [
        Question(id=f"q{n}", stem=f"Which one, {n}?", choices=("xa", "xb", "xc"), right=(1,))
        for n in range(3)
    ]

    def answer(question: Question, order: Order | None, sample: int) -> Result:
        """Right in the first sample, and a word without meaning in the second."""
        assert order is not None
        return respond("ABC"[order.index(1)] if sample == 0 else "hm")

    return [write_run(results, questions, answer, samples=2, orders="cyclic")]


def write_named(results: Path) -> list[Path]:
    """Runs whose names are as long as names become, with a hyphen at every few characters."""
    questions = [
        Question(
            id=f"q{n}", stem=f"Which, {n}?", choices=("xa", "xb"), right=(0,), group=SUBJECTS[n]
        )
        for n in range(5)
    ]
    models = ("claude-sonnet-4-6", "claude-opus-4-5-20251101-long-context")
    return [
        write_run(results, questions, lambda *_: respond("A"), model=model, samples=samples)
        for model in models
        for samples in (1, 2)
    ]


def write_pictured(root: Path) -> list[Path]:
    """Runs of questions with pictures, one of which is gone, one at another place."""
    paint(root / "cat.png", size=(40, 30))
    paint(root / "gone.png", seed=1)
    cat, gone = read_image(root / "cat.png"), read_image(root / "gone.png")
    away = replace(cat, digest="0" * 64, url="https://example.org/a.png", path=None)
    (root / "gone.png").unlink()
    question = Question(id="q0", stem="What is on it?", choices=("a cat", "a hat"), right=(0,))
    questions = [
        replace(question, images=(cat, gone)),
        replace(question, id="q1", images=(away,), history=(("user", "Hi"), ("assistant", "Ho"))),
    ]
    return [write_run(root / "pictured", questions, lambda *_: respond("A"))]


def write_hostile(results: Path) -> list[Path]:
    """Runs in which every word that is not ours is hostile."""

    def word(number: int, texts: Sequence[str] = TEXTS) -> str:
        return texts[number % len(texts)]

    count = len(TEXTS)
    questions = [
        Question(
            id=f"{number}{word(number)}"[:300],
            stem=word(number),
            choices=(word(number + 1), word(number + 2), "", "d"),
            right=(0,),
            # Of a million letters, no set has the name of a subject.
            group=word(number // 2, NAMES),
            cluster=word(number // 2, NAMES),
        )
        for number in range(count)
    ]
    found = []
    for place in range(0, len(NAMES), 13):

        def answer(question: Question, order: Order | None, sample: int, at: int = place) -> Result:
            number = questions.index(question)
            text = word(number + at)
            if number % 7 == 6:
                return RequestFailure(kind="server", message=text, request_id=word(number, NAMES))
            return respond(
                f"A{text}" if number % 2 else text,
                stop_reason=word(number + at, NAMES),
                model=word(at, NAMES),
                message_id=word(number, NAMES),
                request_id=text[:100],
                refusal_category=word(number + 3, NAMES),
                tool_input=word(number + 4),
            )

        found.append(
            write_run(
                results,
                questions,
                answer,
                model=word(place, NAMES),
                benchmark=word(place // 26, NAMES),
                endpoint=word(place + 1, NAMES),
                manifest={
                    "selection": word(place + 2, NAMES),
                    "way_reason": word(place + 3, NAMES),
                    "learned": (word(place + 4, NAMES),),
                },
            )
        )
    return found


@pytest.fixture(scope="module")
def browser(pages: Pages) -> Iterator[Browser]:
    """The browser, after all that needs an event loop of its own."""
    with launch_browser() as browser:
        yield browser


def wait_for_list(watched: Watched) -> None:
    """The list of questions is there."""
    watched.page.wait_for_selector("#question-list[data-ready]", state="attached")


def wait_for_count(watched: Watched, text: str) -> None:
    """The number of questions found is told."""
    watched.page.get_by_role("status").get_by_text(text, exact=True).wait_for()


def open_question(watched: Watched, place: int = 0) -> None:
    """Open a question on the page shown."""
    item = watched.page.locator("#question-list > li").nth(place)
    item.locator(".opener").click()
    item.locator(".detail h4").first.wait_for()


def test_the_page_says_at_once_who_is_first_whether_that_is_clear_and_where(
    browser: Browser, pages: Pages
) -> None:
    with open_page(browser, pages.exam) as watched:
        page = watched.page
        assert page.title() == "exam, quiz"
        heads = watched.list_texts(".card h3")
        assert heads[1:] == ["large is first", "large is first"]
        first = page.locator(".card").nth(1)
        assert first.locator(".tag").first.inner_text() == "clear: more than chance"
        # Within the first look at a screen, and within that of a phone.
        box = first.bounding_box()
        assert box is not None
        assert box["y"] < 600
        rows = first.locator("tbody tr")
        assert [row.split("\t")[0] for row in rows.all_inner_texts()] == [
            "(3) large", "(2) middle", "(1) small",
        ]  # fmt: skip
        assert "by more than chance" in first.inner_text()


def test_a_table_sorts_by_a_heading_that_says_so(browser: Browser, pages: Pages) -> None:
    with open_page(browser, pages.exam) as watched:
        table = watched.page.locator(".sheet:has(#sheet-groups)")
        head = table.get_by_role("columnheader", name="Accuracy")
        column = [each.strip() for each in table.locator("thead th:visible").all_inner_texts()]
        place = next(at for at, each in enumerate(column) if each.startswith("Accuracy"))

        def values() -> list[float]:
            rows = table.locator("tbody tr")
            return [float(row.split("\t")[place]) for row in rows.all_inner_texts()]

        assert head.get_attribute("aria-sort") is None
        head.get_by_role("button").focus()
        watched.page.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == "descending"
        assert values() == sorted(values(), reverse=True)
        watched.page.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == "ascending"
        assert values() == sorted(values())
        assert table.locator("[aria-sort]").count() == 1


def test_a_table_filters_and_shows_all_its_columns(browser: Browser, pages: Pages) -> None:
    with open_page(browser, pages.exam) as watched:
        table = watched.page.locator(".sheet:has(#sheet-groups)")
        table.get_by_label("Filter rows").fill("law middle")
        assert table.locator("tbody tr:visible").count() == 2
        assert table.get_by_role("status").inner_text() == "2 of 36 rows"
        before = table.locator("thead th:visible").count()
        table.get_by_label("all columns").check()
        assert table.locator("thead th:visible").count() > before
        assert "Level" in table.locator("thead").inner_text()


FOUND: Sequence[tuple[Mapping[str, str], int]] = [
    ({"Text or id": "choice 13B"}, 2),
    ({"Text or id": "quiz 17"}, 1),
    ({"Text or id": "no such thing"}, 0),
    ({"Benchmark": "quiz"}, 60),
    ({"Subject": "law"}, 24),
    ({"Outcome": "unparsed"}, 2),
    ({"Outcome": "failed"}, 2),
    ({"Run": "(1) small, exam", "Outcome": "failed"}, 1),
    ({"Run": "(3) large, exam", "Outcome": "failed"}, 0),
    ({"Run": "(3) large, exam", "Outcome": "correct"}, 47),
    ({"Run": "(3) large, exam", "Outcome": "not correct"}, 13),
]


def test_questions_are_found_by_text_benchmark_subject_run_and_outcome(
    browser: Browser, pages: Pages
) -> None:
    with open_page(browser, pages.exam) as watched:
        wait_for_list(watched)
        form = watched.page.get_by_role("search")
        for choices, count in FOUND:
            for name, value in choices.items():
                field = form.get_by_label(name, exact=True)
                if name == "Text or id":
                    field.fill(value)
                else:
                    field.select_option(label=value)
            wait_for_count(watched, f"{count} of 120 questions")
            form.get_by_role("button", name="Show all").click()
            wait_for_count(watched, "120 of 120 questions")


def test_flipped_questions_are_as_many_as_the_comparison_counts(
    browser: Browser, pages: Pages
) -> None:
    with open_page(browser, pages.exam) as watched:
        wait_for_list(watched)
        field = watched.page.get_by_label("Flipped", exact=True)
        found = {
            option: watched.evaluate(COUNT_FLIPPED, option)
            for option in field.locator("option").all_inner_texts()
        }
    for pair in pages.comparison.pairs:
        first, second = pair.baseline.number, pair.candidate.number
        assert found[f"right in ({first}), worse in ({second})"] == pair.accuracy.losses
        assert found[f"right in ({second}), worse in ({first})"] == pair.accuracy.gains


COUNT_FLIPPED = """async (option) => {
  const field = document.getElementById("question-flip");
  const count = document.getElementById("question-count");
  field.value = [...field.options].find((each) => each.textContent === option).value;
  const told = new Promise((go) => new MutationObserver(go).observe(count, { childList: true }));
  field.dispatchEvent(new Event("input", { bubbles: true }));
  await told;
  return Number(count.textContent.split(" of ")[0]);
}"""
"""Choose an option, and read how many questions there are."""


def test_pages_of_questions_are_turned(browser: Browser, pages: Pages) -> None:
    with open_page(browser, pages.exam) as watched:
        wait_for_list(watched)
        page = watched.page
        turning = page.get_by_role("navigation", name="Pages of questions")
        assert "1 of 5" in turning.inner_text()
        assert turning.get_by_role("button", name="Previous").is_disabled()
        first = watched.list_texts(".opener .stem")
        turning.get_by_role("button", name="Next").click()
        assert "2 of 5" in turning.inner_text()
        assert not set(first) & set(watched.list_texts(".opener .stem"))


def test_a_question_opens_by_key_with_all_that_there_is_to_know(
    browser: Browser, pages: Pages
) -> None:
    with open_page(browser, pages.exam) as watched:
        wait_for_list(watched)
        opener = watched.page.locator(".opener").nth(1)
        assert opener.get_attribute("aria-expanded") == "false"
        opener.focus()
        watched.page.keyboard.press("Enter")
        detail = watched.page.locator(".detail:visible")
        detail.get_by_role("heading", name="Replies").wait_for()
        assert opener.get_attribute("aria-expanded") == "true"
        words = detail.inner_text()
        for expected in (
            "exam question 1?\n\n(A) exam choice 1a\n(B) exam choice 1b",
            "The answer is (",
            "As sent to (1), (2), (3)",
            "Overloaded (status 529)",
            "40 in, 3 out",
            "req_1",
            "msg_1",
            "served by served-1",
            "prefill",
            "subject biology",
        ):
            assert expected in words
        rows = detail.get_by_role("region", name="Choices").locator("tbody tr").all_inner_texts()
        assert [row.split("\t")[2] for row in rows] == ["", "right", "", ""]
        watched.page.keyboard.press("Enter")
        assert opener.get_attribute("aria-expanded") == "false"
        assert detail.count() == 0


def test_an_address_names_a_question(browser: Browser, pages: Pages) -> None:
    with open_page(browser, f"{pages.exam.absolute().as_uri()}#q=q47&b=1") as watched:
        wait_for_list(watched)
        opened = watched.page.locator(".opener[aria-expanded=true]")
        assert opened.locator(".stem").inner_text() == "quiz question 47?"
        assert watched.evaluate("document.activeElement.className") == "opener"
        link = watched.page.get_by_role("link", name="Link to this question")
        assert link.get_attribute("href") == "#q=q47&b=1"
        watched.page.evaluate("location.hash = '#q=q3&b=0'")
        watched.page.locator(".opener[aria-expanded=true]", has_text="exam question 3?").wait_for()
        watched.page.evaluate("location.hash = '#q=gone&b=0'")
        wait_for_count(watched, "The question of this address is not in this file.")


@pytest.mark.parametrize("number", range(len(WAYS)))
def test_a_question_is_shown_as_it_was_sent(number: int, browser: Browser, pages: Pages) -> None:
    way = WAYS[number]
    sent = {str(body): body for body in pages.bodies[way]}
    shown = []
    with open_page(browser, pages.sent) as watched:
        wait_for_list(watched)
        for place in range(watched.page.locator(".opener").count()):
            open_question(watched, place)
            item = watched.page.locator("#question-list > li").nth(place)
            watched.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
            # The first request is told openly, the others behind their headings.
            block = item.locator(f":is(h4, summary):has-text('As sent to ({number + 1})')").first
            turns = block.evaluate(LIST_TURNS)
            shown.append(turns)
    expected = [list_turns(body) for body in sent.values()]
    assert sorted(shown) == sorted(expected)
    assert len(shown) == 6


LIST_TURNS = """head => {
  const inside = head.tagName === "SUMMARY" ? head.parentElement : null;
  let turns = [];
  if (inside) turns = [...inside.querySelectorAll(".turn")];
  else {
    for (let at = head.nextElementSibling; at && at.tagName !== "H4"; at = at.nextElementSibling) {
      if (at.matches("details") && at.querySelector("summary").textContent.startsWith("As sent"))
        break;
      turns.push(...(at.matches(".turn") ? [at] : at.querySelectorAll(".turn")));
    }
  }
  return turns.map((turn) => [turn.querySelector(".role").textContent.split(",")[0],
    ...Array.from(turn.querySelectorAll("pre"), (pre) => pre.textContent)]);
}"""
"""The turns below a heading, each as its role and texts."""


def list_turns(body: Mapping[str, Any]) -> list[list[str]]:
    """The turns of a request, each as its role and texts."""
    turns = [("system", body["system"])] if "system" in body else []
    turns += [(turn["role"], turn["content"]) for turn in body["messages"]]
    return [[role, *list_texts(content)] for role, content in turns]


def list_texts(content: Any) -> list[str]:
    """The texts of a turn."""
    if isinstance(content, str):
        return [content]
    return [block["text"] if block["type"] == "text" else dump(block) for block in content]


def dump(block: Any) -> str:
    """A block as the page writes it."""
    import json

    return json.dumps(block, separators=(",", ":"), ensure_ascii=False)


def test_every_order_and_sample_is_shown(browser: Browser, pages: Pages) -> None:
    with open_page(browser, pages.ordered) as watched:
        wait_for_list(watched)
        assert "(1) 3 of 6" in watched.list_texts(".opener .pick")[0]
        open_question(watched)
        rows = watched.page.get_by_role("region", name="Replies").locator("tbody tr")
        assert rows.count() == 6
        told = rows.locator("th .muted").all_inner_texts()
        assert told == [
            f"prefill, order {order}, sample {sample}"
            for order in ("A B C", "B C A", "C A B")
            for sample in (1, 2)
        ]
        watched.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        texts = watched.list_texts(".turn.user pre")
        assert [text.split("\n")[2] for text in texts] == ["(A) xa", "(A) xb", "(A) xc"]
        picked = watched.page.get_by_role("region", name="Choices").locator("tbody tr")
        assert [row.split("\t")[3] for row in picked.all_inner_texts()] == ["–", "(1) × 3", "–"]


def test_pictures_are_shown_from_within_the_file(browser: Browser, pages: Pages) -> None:
    with open_page(browser, pages.pictured) as watched:
        wait_for_list(watched)
        open_question(watched)
        image = watched.page.get_by_role("img", name="Picture of the question")
        image.wait_for()
        assert watched.evaluate(
            "() => { const i = document.querySelector('.turn img');"
            " return [i.naturalWidth, i.naturalHeight]; }"
        ) == [40, 30]
        detail = watched.page.locator(".detail:visible").inner_text()
        assert "gone.png, which is gone or has changed since the run" in detail
        assert str(pages.pictured.parent) not in watched.page.content()
        open_question(watched, 1)
        detail = watched.page.locator(".detail").nth(1).inner_text()
        assert "not loaded from https://example.org/a.png" in detail
        assert "2 earlier turns" in detail


def test_a_run_without_texts_says_so(browser: Browser, pages: Pages) -> None:
    with open_page(browser, pages.silent) as watched:
        wait_for_list(watched)
        assert "not kept by (1)" in watched.page.locator("#question-notices").inner_text()
        open_question(watched)
        detail = watched.page.locator(".detail:visible").inner_text()
        assert "(text not kept)" in detail
        assert "do not say what was sent" in detail
    assert "secret" not in pages.silent.read_text()


def test_a_page_that_lacks_questions_says_which(browser: Browser, pages: Pages) -> None:
    with open_page(browser, pages.small) as watched:
        wait_for_list(watched)
        notices = watched.page.locator("#question-notices").inner_text()
        shown = int(watched.page.locator("#question-count").inner_text().split(" of ")[0])
        assert shown < 120
        assert f"{shown} of 120 are" in notices
        assert "drawn at random" in notices


OPEN_ALL = """async () => {
  for (const opener of document.querySelectorAll(".opener")) opener.click();
  while ([...document.querySelectorAll(".detail")].some((each) => !each.querySelector("h4")))
    await new Promise((go) => setTimeout(go, 20));
  for (const each of document.querySelectorAll("details")) each.open = true;
}"""
"""Open all questions of a page with all that is in them."""


def test_hostile_words_stay_words(browser: Browser, pages: Pages) -> None:
    with open_page(browser, pages.hostile) as watched:
        wait_for_list(watched)
        page = watched.page
        while True:
            watched.evaluate(OPEN_ALL)
            assert watched.evaluate("window.ran") is None
            following = page.get_by_role("button", name="Next", exact=True)
            if following.is_disabled():
                break
            following.click()
        for box in page.locator(".all-columns").all():
            box.check()
        page.wait_for_timeout(200)
        assert watched.evaluate("window.ran") is None
        assert watched.evaluate("document.querySelectorAll('main > section').length") == 5
        found = "iframe, base, link:not([rel=icon]), plaintext, template, math, object, embed"
        assert watched.evaluate(f"document.querySelectorAll('{found}').length") == 0
        assert watched.evaluate("document.querySelectorAll('style').length") == 1
        assert watched.evaluate("document.querySelectorAll('script:not([data-part])').length") == 2
        words = watched.evaluate("document.body.textContent")
        assert "<img src=x onerror=window.ran=1>" in words
        assert "{{7*7}} {% raw %} {# x #}" in words
        assert not set(words) & set("\u202e\u2066\u2067\u2068\x00\x1b\ud800\udc00")
        # Nothing is wider than the page, whatever the length of a name.
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 844})
            assert watched.evaluate("document.documentElement.scrollWidth") == width


def test_a_policy_keeps_all_but_our_own_scripts_and_styles_out(
    browser: Browser, pages: Pages
) -> None:
    with open_page(browser, pages.exam) as watched:
        wait_for_list(watched)
        policy = watched.page.locator("meta[http-equiv]").get_attribute("content") or ""
        assert "unsafe" not in policy
        assert policy.startswith("default-src 'none'; base-uri 'none'; form-action 'none'")
        # Whatever found its way in could not run.
        watched.evaluate(
            """() => {
              const script = document.createElement("script");
              script.textContent = "window.ran = 1";
              document.body.append(script);
              const image = document.createElement("img");
              image.setAttribute("onerror", "window.ran = 1");
              image.src = "data:,";
              document.body.append(image);
            }"""
        )
        watched.page.wait_for_timeout(200)
        assert watched.evaluate("window.ran") is None
        assert watched.errors
        assert all("Content Security Policy" in error for error in watched.errors)
        watched.errors.clear()


NAMELESS = """() => [...document.querySelectorAll("input, select, textarea, button, summary, a")]
  .filter((each) => {
    const labels = each.labels ? [...each.labels].map((label) => label.textContent).join("") : "";
    const own = (each.getAttribute("aria-label") || "") + each.textContent + labels;
    return own.trim() === "";
  }).map((each) => each.outerHTML)"""
BROKEN_REFERENCES = """() => ["aria-labelledby", "aria-controls", "aria-describedby", "for"]
  .flatMap((name) => [...document.querySelectorAll(`[${name}]`)]
    .filter((each) => !document.getElementById(each.getAttribute(name)))
    .map((each) => each.outerHTML))"""
REPEATED_IDS = """() => { const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
  return ids.filter((id, at) => ids.indexOf(id) !== at); }"""
LEVELS = """() => [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")]
  .map((each) => Number(each.tagName[1]))"""
UNSAID_PICTURES = """() => [...document.querySelectorAll("img:not([alt])")].length"""
UNREACHABLE = """() => [...document.querySelectorAll(".table, .drawing")]
  .filter((each) => each.tabIndex !== 0 || !each.getAttribute("role")).length"""


def test_everything_has_a_name_and_a_place_for_those_who_do_not_see_it(
    browser: Browser, pages: Pages
) -> None:
    with open_page(browser, pages.exam) as watched:
        wait_for_list(watched)
        page = watched.page
        page.keyboard.press("Tab")
        assert watched.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert watched.evaluate("document.activeElement.id") == "main"
        open_question(watched)
        assert page.locator("html").get_attribute("lang") == "en"
        for query in (NAMELESS, BROKEN_REFERENCES, REPEATED_IDS):
            assert watched.evaluate(query) == []
        assert watched.evaluate(UNSAID_PICTURES) == 0
        assert watched.evaluate(UNREACHABLE) == 0
        levels = watched.evaluate(LEVELS)
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))
        for role in ("banner", "main", "contentinfo", "search"):
            assert page.get_by_role(role).count() == 1
        assert page.locator("th:not([scope])").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(scheme: str, browser: Browser, pages: Pages) -> None:
    phone = {"width": 390, "height": 844}
    with open_page(browser, pages.exam, viewport=phone, color_scheme=scheme) as watched:
        wait_for_list(watched)
        open_question(watched)
        assert watched.evaluate("document.documentElement.scrollWidth") == 390


LINES = """() => [...document.querySelectorAll("tbody bdi")]
  .filter((each) => each.offsetParent && /^(.\\d+. )?claude-/.test(each.textContent)
    && each.textContent.length < 80)
  .map((each) => { const range = document.createRange();
    range.selectNodeContents(each);
    return [each.textContent, Math.round(range.getBoundingClientRect().height
      / parseFloat(getComputedStyle(each).lineHeight))]; })"""
"""Names in tables, each with the lines that it takes."""


@pytest.mark.parametrize("width", [1200, 400])
def test_a_name_takes_three_lines_at_most(width: int, browser: Browser, pages: Pages) -> None:
    with open_page(browser, pages.named, viewport={"width": width, "height": 900}) as watched:
        wait_for_list(watched)
        open_question(watched)
        names = watched.evaluate(LINES)
        longest = "claude-opus-4-5-20251101-long-context, responses to a question 2"
        assert {longest, f"(4) {longest}"} <= {name for name, _ in names}
        assert [each for each in names if each[1] > 3] == []
        assert watched.evaluate("document.documentElement.scrollWidth") == width


def test_paper_gets_no_controls_and_charts_of_its_own(browser: Browser, pages: Pages) -> None:
    with open_page(browser, pages.exam, color_scheme="dark") as watched:
        wait_for_list(watched)
        page = watched.page
        source = page.locator(".drawing img").first
        on_screen = source.evaluate("image => image.currentSrc")
        page.emulate_media(media="print")
        assert page.locator(".controls:visible, nav:visible, .questions:visible").count() == 0
        assert "in the file that this was printed from" in page.locator("#questions").inner_text()
        shown = page.locator(".drawing img:visible").first.evaluate("image => image.currentSrc")
        assert shown != on_screen
        # How the runs were asked is unfolded for as long as it is printed.
        for event, count in (("beforeprint", 6), ("afterprint", 0)):
            watched.evaluate("name => dispatchEvent(new Event(name)) && null", event)
            assert page.locator("details.run[open]").count() == count
        ground = "getComputedStyle(document.documentElement).backgroundColor"
        assert watched.evaluate(ground) == "rgb(255, 255, 255)"
        page.emulate_media(media="screen")
        assert watched.evaluate(ground) == "rgb(22, 24, 28)"


def test_a_browser_that_can_not_unpack_the_questions_says_so(
    browser: Browser, pages: Pages
) -> None:
    with open_page(browser, "about:blank") as watched:
        page = watched.page
        page.add_init_script("delete window.DecompressionStream")
        page.goto(pages.exam.absolute().as_uri())
        wait_for_count(watched, "This browser can't show the questions.")
        assert watched.list_texts(".card h3")[1] == "large is first"
        assert watched.errors == ["DecompressionStream is not defined"]
        watched.errors.clear()
        watched.asked.clear()
