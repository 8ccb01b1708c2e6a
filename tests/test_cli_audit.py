"""`evalkit audit` asks in every way that a model takes, and says what the way of asking decides."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.audits import audit_runs
from evalkit.reports.tables import percent
from evalkit.requests import WAYS
from evalkit.results import load_run
from evalkit.testing.messages_body import Body
from evalkit.testing.messages_faults import Fault, FaultPlan, rate_limited
from evalkit.testing.messages_record import RequestRecord
from evalkit.testing.messages_replies import Reply
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import HAIKU, OPUS, Outcome, call, point_at
from tests.conftest import SUMS, sums_answers, write_sums
from tests.test_audits import PLAN, by_way, way_of
from tests.test_tables import moves_something


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The working directory, with thirty sums in sums.jsonl, and a terminal of 100 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    write_sums(tmp_path / "sums.jsonl")
    return tmp_path


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:
    """A server whose models answer each way as planned."""
    with MessagesServer(answer=by_way(PLAN)) as running:
        point_at(running, monkeypatch)
        yield running


def audit(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Outcome:
    """Audit the sums."""
    return call(capsys, "audit", "sums.jsonl", *arguments)


def facts_of(done: Outcome) -> dict[str, Any]:
    """What `--json` printed."""
    facts = json.loads(done.out)
    assert isinstance(facts, dict)
    return facts


def ways_asked(server: MessagesServer) -> set[str]:
    """The ways of all requests for one of the sums."""
    bodies = [record.body for record in server.requests if record.is_message]
    return {way_of(body) for body in bodies if "100 + " in str(body["messages"])}


def run_folders() -> list[str]:
    """The ways that have a run folder, in the order of the ways."""
    names = [path.name.split("--")[2] for path in Path("results").iterdir()]
    return sorted(names, key=WAYS.index)


TABLES = """
sums asked of claude-haiku-4-5, in percent, with the 95 % Wilson interval
Way          n  Accuracy      Interval  Unparsed  Refused  Truncated  Missing
─────────────────────────────────────────────────────────────────────────────
prefill     30      93.3  [78.7, 98.2]       0.0      0.0        0.0      0.0
instructed  30      90.0  [74.4, 96.5]       0.0     10.0        0.0      0.0
structured  30      90.0  [74.4, 96.5]       3.3      0.0        0.0      0.0
tool        30      60.0  [42.3, 75.4]       0.0      0.0        0.0      0.0
reasoned    30      93.3  [78.7, 98.2]       0.0      0.0        6.7      0.0
"""

DIFFERENCES = """
Difference from prefill in points, with the 95 % Tango interval for questions like these
                                                           McNemar
Way          n  Difference        Interval  Gains  Losses    mid-p   Holm
─────────────────────────────────────────────────────────────────────────
instructed  30        -3.3   [-20.7, 13.7]      2       3    0.688  1.000
structured  30        -3.3    [-16.7, 8.4]      0       1    0.500  1.000
tool        30       -33.3  [-51.2, -18.2]      0      10    0.001  0.004
reasoned    30         0.0   [-16.2, 16.2]      2       2    0.812  1.000
"""

DISAGREEMENTS = """
Questions that some ways have right and others have not: 12
Id   Question               Right  prefill  instructed  structured  tool  reasoned
───────────────────────────────────────────────────────────────────────────────────
q0   How much is 100 + 0?   A      A        refused     A           B     A
q1   How much is 100 + 1?   B      B        refused     B           C     B
q2   How much is 100 + 2?   C      C        refused     C           D     C
q3   How much is 100 + 3?   D      D        D           D           A     truncated
"""

CONCLUSION = (
    "The way of asking moves this score by up to 33.3 points [18.2, 51.2]: tool lies below "
    "prefill, with 0 gains and 10 losses on 30 questions (McNemar mid-p 0.004 after Holm for 4 "
    "comparisons)."
)


def test_all_ways_make_exactly_these_tables(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    done = audit(capsys, "--model", HAIKU)
    assert done.code == 0
    assert done.out.startswith(TABLES)
    assert DIFFERENCES in done.out
    assert DISAGREEMENTS in done.out
    lines = done.out.splitlines()
    assert CONCLUSION in lines
    assert "structured: 1 of 30 replies don't keep to the schema: read as text" in lines
    folders = [line for line in lines if re.match(r"\w+: results", line)]
    assert [line.split("--")[2] for line in folders] == list(WAYS)


def test_the_same_command_again_asks_nothing_and_says_the_same(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    first = audit(capsys, "--model", HAIKU, "--quiet")
    asked = len(server.requests)
    again = audit(capsys, "--model", HAIKU, "--quiet")
    assert (again.code, again.out, again.err) == (0, first.out, "")
    assert len(server.requests) == asked
    assert server.answered_again == 0


def test_json_is_the_audit_of_the_runs_on_disk(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    facts = facts_of(audit(capsys, "--model", HAIKU, "--json"))
    runs = [load_run(path) for path in Path("results").iterdir()]
    assert facts == audit_runs(runs).to_dict()
    assert [way["way"] for way in facts["ways"]] == list(WAYS)


def test_runs_on_disk_are_compared_without_asking(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    asked = audit(capsys, "--model", HAIKU, "--quiet")
    count = len(server.requests)
    assert call(capsys, "audit", "results").out == asked.out
    folders = sorted(Path("results").iterdir())
    assert call(capsys, "audit", *folders).out == asked.out
    two = call(capsys, "audit", "results", "--way", "tool", "--way", "instructed", "--json")
    assert facts_of(two)["reference"] == "instructed"
    assert [way["way"] for way in facts_of(two)["ways"]] == ["instructed", "tool"]
    assert len(server.requests) == count


def test_the_numbers_printed_are_those_of_json(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    table = audit(capsys, "--model", HAIKU)
    facts = facts_of(audit(capsys, "--model", HAIKU, "--json"))
    rows = [line.split() for line in table.out.splitlines()]
    for way in facts["ways"]:
        mine = [row for row in rows if row[:1] == [way["way"]]]
        share = percent(way["accuracy"]["estimate"])
        assert mine[0][1:3] == [str(way["n"]), share]
        assert mine[1][1:] == [
            f"{way['output_tokens_per_question']:,.1f}",
            f"${way['cost_per_1000_questions']:.4f}",
            str(way["retakes"]),
            str(way["unbound_replies"]),
        ]
    for each in facts["comparisons"]:
        mine = [row for row in rows if row[:1] == [each["way"]]]
        for row, kind in ((mine[2], "accuracy"), (mine[3], "readable")):
            assert row[-4:-2] == [str(each[kind]["gains"]), str(each[kind]["losses"])]


def test_a_model_without_prefill_is_asked_in_the_other_ways(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    done = audit(capsys, "--model", OPUS)
    assert done.code == 0
    assert f"{OPUS}: prefill is left out: it takes no prefill" in done.err.splitlines()
    assert "prefill is left out: it takes no prefill" in done.out.splitlines()
    assert run_folders() == ["instructed", "structured", "tool", "reasoned"]
    assert ways_asked(server) == set(run_folders()), "it is known, so that nothing was tried"
    facts = facts_of(audit(capsys, "--model", OPUS, "--json"))
    assert facts["reference"] == "instructed"
    assert facts["left_out"] == [{"way": "prefill", "reason": "it takes no prefill"}]


def test_a_way_that_the_endpoint_refuses_is_left_out_and_not_tried_again(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    server: MessagesServer,
    folder: Path,
) -> None:
    """The user's own catalogue is mistaken about a model that takes no forced tool."""
    model = "claude-opus-5-5"
    (folder / "models.toml").write_text(f'[[model]]\nid = "{model}"\nforced_tool = true\n')
    monkeypatch.setenv("EVALKIT_MODELS", "models.toml")
    done = audit(capsys, "--model", model)
    assert done.code == 0
    [line] = [line for line in done.out.splitlines() if line.startswith("tool is left out")]
    assert line.startswith("tool is left out: it takes no forced tool (")
    assert run_folders() == ["instructed", "structured", "reasoned"]
    refused = server.count(400)
    assert refused > 0
    again = audit(capsys, "--model", model)
    assert "tool is left out: it takes no forced tool" in again.out.splitlines()
    assert server.count(400) == refused


def test_a_way_that_was_named_is_tried_and_left_out_if_refused(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    done = audit(capsys, "--model", OPUS, "--way", "prefill", "--way", "instructed")
    assert done.code == 0
    assert server.count(400) == 1
    [line] = [line for line in done.out.splitlines() if line.startswith("prefill is left out")]
    assert line.startswith("prefill is left out: it takes no prefill (")
    assert "Asked by instructed alone: there is nothing to compare." in done.out.splitlines()


def test_if_every_way_is_refused_the_error_is_the_endpoints(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, folder: Path
) -> None:
    done = audit(capsys, "--model", OPUS, "--way", "prefill", "--quiet")
    assert (done.code, done.out) == (2, "")
    assert "takes no prefill" in done.error
    assert list(folder.glob("results/*")) == []


def test_auto_stands_for_one_of_the_ways(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    done = audit(capsys, "--model", OPUS, "--way", "auto", "--way", "instructed", "--json")
    assert [way["way"] for way in facts_of(done)["ways"]] == ["instructed"]
    assert server.answered_again == 0


def test_a_way_that_the_settings_rule_out_is_left_out(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    """Thinking needs more room than the user leaves it."""
    done = audit(capsys, "--model", HAIKU, "--max-tokens", "200")
    assert done.code == 0
    [line] = [line for line in done.out.splitlines() if line.startswith("reasoned is left out")]
    assert "1024" in line
    assert run_folders() == ["prefill", "instructed", "structured", "tool"]


def test_settings_that_no_way_takes_are_an_error(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    done = audit(capsys, "--model", HAIKU, "--effort", "extreme")
    assert (done.code, done.out) == (2, "")
    assert "effort 'extreme'" in done.error
    assert server.requests == []


def test_a_way_refused_for_another_reason_is_left_out_with_the_endpoints_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan(record: RequestRecord) -> Fault | None:
        is_tool = record.is_message and way_of(record.body) == "tool"
        odd = Fault(manner="error", status=400, message="tools: \x1b[2Jtoo odd")
        return odd if is_tool else None

    with MessagesServer(answer=by_way(PLAN), faults=plan) as server:
        point_at(server, monkeypatch)
        done = audit(capsys, "--model", HAIKU)
    assert done.code == 0
    assert "tool is left out: tools: \N{REPLACEMENT CHARACTER}[2Jtoo odd" in done.out
    assert re.findall(r"^(\w+): results", done.out, re.MULTILINE) == [
        *("prefill", "instructed", "structured", "reasoned")
    ]


def test_a_server_that_ignores_schemas_and_tools_is_seen_through(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with MessagesServer(answer=sums_answers(), bare=True) as server:
        point_at(server, monkeypatch)
        done = audit(capsys, "--model", "any")
        facts = facts_of(audit(capsys, "--model", "any", "--json"))
    unbound = {way["way"]: way["unbound_replies"] for way in facts["ways"]}
    assert unbound == {**dict.fromkeys(WAYS, 0), "structured": SUMS, "tool": SUMS}
    assert {way["cost_per_1000_questions"] for way in facts["ways"]} == {None}
    lines = done.out.splitlines()
    assert "structured: 30 of 30 replies don't keep to the schema: read as text" in lines
    assert "tool: 30 of 30 replies don't keep to the forced tool: read as text" in lines
    assert (
        "Nothing beyond chance was found between prefill and instructed, structured, tool or "
        "reasoned; the smallest difference that 30 questions would have shown with 80 % power is "
        "about 27.1 points."
    ) in lines


def test_a_server_that_drops_the_prefill_in_silence_is_asked_without(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with MessagesServer(answer=sums_answers(), ignore_prefill=True) as server:
        point_at(server, monkeypatch)
        done = audit(capsys, "--model", HAIKU)
        assert done.code == 0
        assert "prefill is left out: it takes no prefill" in done.out.splitlines()
        assert run_folders() == ["instructed", "structured", "tool", "reasoned"]
        assert server.answered_again == 0
        asked = len(server.requests)
        again = audit(capsys, "--model", HAIKU)
        assert "prefill is left out: it takes no prefill" in again.out.splitlines()
        assert len(server.requests) == asked


def failing(way: str, *, every: int, while_true: list[bool]) -> FaultPlan:
    """Fail some of the requests of one way for good, as long as the list is not empty."""

    def plan(record: RequestRecord) -> Any:
        if not (while_true and record.is_message and way_of(record.body) == way):
            return None
        return rate_limited(should_retry=False) if record.number % every == 0 else None

    return plan


def test_with_replies_missing_there_is_no_comparison_unless_forced(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = [True]
    plan = failing("instructed", every=3, while_true=fails)
    arguments = ("--model", HAIKU, "--way", "prefill", "--way", "instructed", "--quiet")
    with MessagesServer(answer=by_way(PLAN), faults=plan) as server:
        point_at(server, monkeypatch)
        done = audit(capsys, *arguments)
        assert done.code == 4
        assert "Difference" not in done.out
        assert "Questions that some" not in done.out
        [line] = [line for line in done.out.splitlines() if line.startswith("No comparison")]
        assert re.search(r"replies are missing \(instructed \d\d\.\d %\)\.", line)
        facts = facts_of(call(capsys, "audit", "results", "--json"))
        assert (facts["complete"], facts["comparable"], facts["comparisons"]) == (
            *(False, False), None
        )  # fmt: skip
        forced = call(capsys, "audit", "results", "--force")
        assert (forced.code, "Difference from prefill" in forced.out) == (4, True)
        assert "No comparison" not in forced.out
        n = facts_of(call(capsys, "audit", "results", "--force", "--json"))["comparisons"][0]
        assert n["accuracy"]["n"] == next(w["n"] for w in facts["ways"] if w["n"] < SUMS)
        fails.clear()
        again = audit(capsys, *arguments)
        assert again.code == 0
        assert "Difference from prefill" in again.out
        assert server.answered_again == 0


def test_without_any_reply_both_ways_nothing_is_concluded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way that fails has one answer before, so that it is no error of the whole."""
    fails: list[bool] = []
    plan = failing("instructed", every=1, while_true=fails)
    arguments = ("--model", HAIKU, "--way", "prefill", "--way", "instructed", "--limit", "4")
    with MessagesServer(answer=by_way(PLAN), faults=plan) as server:
        point_at(server, monkeypatch)
        assert audit(capsys, *arguments).code == 0
        journals = sorted(Path("results").glob("*/responses.jsonl"))
        for journal in journals:
            journal.write_text("")
        done = call(capsys, "audit", "results", "--force")
    assert done.code == 4
    assert "No question got a reply both ways: there is nothing to compare." in done.out
    assert "prefill     0         -         -" in done.out


def test_faults_of_format_are_named_as_such(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = {**PLAN, "instructed": dict.fromkeys(range(15), "refused")}
    for first, second, words in (
        ("prefill", "instructed", "fewer replies name a choice than by prefill"),
        ("instructed", "tool", "more replies name a choice than by instructed"),
    ):
        with MessagesServer(answer=by_way(silent)) as server:
            point_at(server, monkeypatch)
            done = audit(capsys, "--model", HAIKU, "--way", first, "--way", second)
        [line] = [line for line in done.out.splitlines() if line.startswith("By ")]
        assert line.startswith(f"By {second} {words}, by 50.0 points [")


def test_a_single_comparison_needs_no_adjustment(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    done = audit(capsys, "--model", OPUS, "--way", "instructed", "--way", "tool")
    assert (
        "The way of asking moves this score by 30.0 points [15.2, 47.9]: tool lies below "
        "instructed, with 0 gains and 9 losses on 30 questions (McNemar mid-p 0.002)."
    ) in done.out.splitlines()
    up = {**PLAN, "instructed": dict.fromkeys(range(9), "wrong"), "tool": {20: "wrong"}}
    server.answer = by_way(up)
    done = audit(
        capsys, "--model", HAIKU, "--way", "instructed", "--way", "tool", "--results", "up"
    )
    assert "tool lies above instructed, with 9 gains and 1 loss on 30" in done.out


def test_what_differs_beside_the_way_is_said(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    for way, shots in (("prefill", "0"), ("tool", "0")):
        call(
            capsys, "run", "sums.jsonl", "--model", HAIKU, "--way", way, "--shots", shots,
            "--temperature", "0" if way == "tool" else "1",
        )  # fmt: skip
    done = call(capsys, "audit", "results")
    assert "prefill and tool differ in more than the way: temperature: 1.0 and 0.0" in (
        done.out.splitlines()
    )


def test_only_so_many_disagreements_are_printed_unless_all_are_asked_for(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    server.answer = by_way({**PLAN, "tool": dict.fromkeys(range(25), "wrong")})
    arguments = ("--model", HAIKU, "--way", "prefill", "--way", "tool")
    done, all_of_them = audit(capsys, *arguments), audit(capsys, *arguments, "--all-questions")
    assert "others have not: 23, the first 20\n" in done.out
    assert len(re.findall(r"^q\d", done.out, re.MULTILINE)) == 20
    assert "others have not: 23\n" in all_of_them.out
    assert len(re.findall(r"^q\d", all_of_them.out, re.MULTILINE)) == 23


@pytest.mark.parametrize(
    ("stem", "shown"),
    [
        ("\x1b[2J\x1b[31mWhich\x07?", "\N{REPLACEMENT CHARACTER}[2J"),
        ("Which\r\nof\tthese\u2028is\u202e?", "Which of these is\N{REPLACEMENT CHARACTER}?"),
        ("[red]Which[/red] :smile:", "[red]Which[/red] :smile:"),
        ("哪个" * 60, "哪个" * 10 + " ..."),
        ("word " * 60, "word word word word word word word word ..."),
    ],
)  # fmt: skip
def test_hostile_questions_move_nothing_on_the_terminal(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    stem: str,
    shown: str,
) -> None:
    rows = [
        {"id": f"\x1b[2J{i}", "question": f"{stem} {i}", "choices": ["a", "b"], "answer": "A"}
        for i in range(2)
    ]
    (folder / "odd.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setenv("COLUMNS", "200")

    def answer(body: Body) -> Reply:
        return Reply(letter="A" if way_of(body) == "prefill" else "B")

    with MessagesServer(answer=answer) as server:
        point_at(server, monkeypatch)
        done = call(
            capsys, "audit", "odd.jsonl", "--model", HAIKU, "--way", "prefill", "--way", "tool"
        )
    assert done.code == 0
    assert shown in done.out
    assert "\N{REPLACEMENT CHARACTER}[2J1" in done.out
    assert not [character for character in done.out if moves_something(character)]


@pytest.mark.parametrize("columns", ["20", "80"])
def test_no_pick_is_cut_off_by_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    server: MessagesServer,
    columns: str,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    done = audit(capsys, "--model", HAIKU, "--samples", "2")
    assert done.code == 0
    assert "…" not in done.out
    assert "t-test" in done.out


def test_without_texts_on_disk_questions_have_their_ids(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    done = audit(capsys, "--model", HAIKU, "--no-text", "--way", "prefill", "--way", "instructed")
    assert done.code == 0
    assert re.search(r"^q0 +- +A +A +refused$", done.out, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sums.jsonl"], "which model is to be asked? Add --model M"),
        (["nowhere"], "which model is to be asked?"),
        (["sums.jsonl", "everyday", "--model", HAIKU], "these are 2 benchmarks: sums.jsonl, every"),
        (["sums.jsonl", "--model", HAIKU, "--model", OPUS], f"these are 2 models: {HAIKU}, {OPUS}"),
        (["sums.jsonl", "--model", HAIKU, "--results", "sums.jsonl"], "expected a folder"),
        (["."], "manifest.json"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_asked(
    capsys: pytest.CaptureFixture[str],
    server: MessagesServer,
    arguments: list[str],
    words: str,
) -> None:
    done = call(capsys, "audit", *arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.error
    assert server.requests == []


def test_runs_of_other_questions_are_refused(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    for way, limit in (("prefill", "4"), ("tool", "6")):
        call(capsys, "run", "sums.jsonl", "--model", HAIKU, "--way", way, "--limit", limit)
    done = call(capsys, "audit", "results")
    assert (done.code, done.out) == (2, "")
    assert re.search("questions: [46] with digest [0-9a-f]{12} and [46] with digest ", done.error)


def test_ways_that_no_run_was_asked_by_are_no_runs(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    call(capsys, "run", "sums.jsonl", "--model", HAIKU, "--limit", "2")
    done = call(capsys, "audit", "results", "--way", "tool")
    assert (done.code, done.error) == (2, "evalkit: no runs to audit")


def test_ways_can_be_compared_over_several_orders(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    ways = ("--way", "prefill", "--way", "instructed")
    done = call(capsys, "audit", "sums.jsonl", "--model", HAIKU, *ways, "--orders", "2", "--json")
    facts = json.loads(done.out)
    assert [way["n"] for way in facts["ways"]] == [SUMS, SUMS]
    [each] = facts["comparisons"]
    assert (each["accuracy"]["n"], each["accuracy"]["test"]) == (SUMS, "t-test p")
    assert each["other_differences"] == []
