"""`evalkit run` asks every benchmark, model and way, and prints what came of it."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.reports.tables import percent
from evalkit.reports.text import render_error
from evalkit.results import load_run
from evalkit.testing.messages_faults import (
    first_attempts,
    from_message_on,
    rate_limited,
    spend_limit_reached,
)
from evalkit.testing.messages_replies import Reply
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import HAIKU, OPUS, Outcome, call, call_process, command, point_at
from tests.conftest import SUMS, stem_of, sums_answers, write_sums

CAPITALS = """\
question,A,B,C,D,answer,subject
What is the capital of Australia?,Sydney,Canberra,Perth,Hobart,B,Pacific
What is the capital of Fiji?,Suva,Apia,Nadi,Lami,A,Pacific
What is the capital of Peru?,Cusco,Arequipa,Lima,Piura,C,America
"What is the capital of ""Brazil""?",Rio,Recife,Salvador,Brasília,D,America
"""


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The working directory, with thirty sums in sums.jsonl."""
    monkeypatch.chdir(tmp_path)
    write_sums(tmp_path / "sums.jsonl")
    return tmp_path


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:
    """A server whose models know most sums."""
    with MessagesServer(answer=sums_answers(wrong_share=0.3)) as running:
        point_at(running, monkeypatch)
        yield running


def questions_asked(server: MessagesServer, since: int = 0) -> set[str]:
    """The sums that the server was asked, from some request on."""
    texts = [record.body["messages"][0]["content"] for record in server.requests[since:]]
    stems = [stem_of(number) for number in range(SUMS)]
    return {stem for text in texts for stem in stems if f"{stem}\n" in text}


def rows_of(text: str) -> list[dict[str, list[str]]]:
    """The cells of each run in the first three tables, by run."""
    lines = [line.split() for line in text.splitlines() if line.startswith("(")]
    numbers = [f"({number})" for number in range(1, len(lines))]
    rows = []
    for number in numbers:
        mine = [line[1:] for line in lines if line[0] == number]
        if len(mine) > 2:
            names = ("accuracy", "outcomes", "errors")
            rows.append({**dict(zip(names, mine, strict=False)), "folder": mine[-1]})
    return rows


def test_the_table_and_json_give_the_same_facts(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    """Two benchmarks, two models and two ways of asking make eight runs, in this order."""
    models = (HAIKU, "claude-sonnet-4-5")
    arguments = ["run", "sums.jsonl", "everyday", "--limit", "12", "--shots", "0"]
    for option, values in (("--model", models), ("--way", ("prefill", "instructed"))):
        arguments += itertools.chain.from_iterable((option, value) for value in values)
    table = call(capsys, *arguments)
    asked = len(server.requests)
    facts = call(capsys, *arguments, "--json")
    assert (table.code, facts.code) == (0, 0)
    assert len(server.requests) == asked, "the second run asks nothing"
    runs: list[dict[str, Any]] = json.loads(facts.out)["runs"]
    names = [(run["model"], run["benchmark"], run["way"]) for run in runs]
    expected = itertools.product(models, ("sums", "everyday"), ("prefill", "instructed"))
    assert names == list(expected)
    rows = rows_of(table.out)
    assert len(rows) == len(runs)
    for row, run in zip(rows, runs, strict=True):
        accuracy = run["accuracy"]
        assert row["accuracy"] == [
            *(run["benchmark"], run["model"], run["way"], str(run["n"])),
            percent(accuracy["estimate"]),
            f"[{percent(accuracy['low'])},",
            f"{percent(accuracy['high'])}]",
        ]
        assert row["errors"] == [
            percent(run["chance"]),
            percent(run["chance_corrected"]["estimate"]),
            *("unknown", "(K", "=", "1)"),
            percent(run["macro"]["mean"]),
            render_error(run["macro"]["standard_error"]),
        ]
        bounds = "–".join(map(percent, run["sensitivity"]))
        counts = [str(count) for count in run["outcomes"].values()]
        assert row["outcomes"] == [*counts, bounds]
        assert row["folder"] == [run["folder"]]
        assert Path(run["folder"], "summary.json").is_file()
        for group in run["groups"]:
            share = f"{100 * group['accuracy']['estimate']:.0f} ["
            lines = [line for line in table.out.splitlines() if line.startswith(group["group"])]
            assert any(share in line for line in lines), group


def test_a_file_of_ones_own_is_evaluated_end_to_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    (folder / "capitals.csv").write_text(CAPITALS, encoding="utf-8")
    right = {"Australia": "B", "Fiji": "A", "Peru": "A", "Brazil": "D"}

    def answer(body: Any) -> Reply:
        text = body["messages"][0]["content"]
        return Reply(letter=next((v for k, v in right.items() if k in text), "B"))

    with MessagesServer(answer=answer) as server:
        point_at(server, monkeypatch)
        done = call(capsys, "run", "capitals.csv", "--model", HAIKU)
    assert done.code == 0
    assert rows_of(done.out)[0]["accuracy"] == [
        *("capitals", HAIKU, "prefill", "4", "75.0", "[30.1,", "95.4]")
    ]
    [path] = (folder / "results").iterdir()
    run = load_run(path)
    assert [score.correct for score in run.scores] == [True, True, False, True]
    assert {group.name: group.correct for group in run.groups} == {"America": 1, "Pacific": 2}


def test_a_sample_is_the_same_for_every_model_and_part_of_a_larger_one(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    asked = []
    for model, limit in ((HAIKU, 8), (OPUS, 8), (HAIKU, 15)):
        before = len(server.requests)
        done = call(capsys, "run", "sums.jsonl", "--model", model, "--limit", str(limit))
        assert done.code == 0
        asked.append(questions_asked(server, since=before))
    assert list(map(len, asked)) == [8, 8, 15]
    assert asked[0] == asked[1] < asked[2]


def test_another_seed_draws_another_sample(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    arguments = ["run", "sums.jsonl", "--model", OPUS, "--limit", "10"]
    call(capsys, *arguments, "--seed", "0")
    first, count = questions_asked(server), len(server.requests)
    call(capsys, *arguments, "--seed", "1")
    second = questions_asked(server, since=count)
    assert len(first) == len(second) == 10
    assert first != second


def test_quiet_says_nothing_but_the_table(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, folder: Path
) -> None:
    sums = (folder / "sums.jsonl").read_text().splitlines()
    again = sums[0].replace("q0", "again")
    (folder / "sums.jsonl").write_text("\n".join([*sums, again, ""]))
    loud = call(capsys, "run", "sums.jsonl", "--model", HAIKU, "--limit", "3")
    quiet = call(capsys, "run", "sums.jsonl", "--model", HAIKU, "--limit", "3", "--quiet")
    assert "sums claude-haiku-4-5 prefill" in loud.err
    assert "sums: 1 questions repeat an earlier one: q0 and again" in loud.err
    assert (quiet.code, quiet.err, quiet.out) == (0, "", loud.out)


def test_progress_goes_to_standard_error_and_json_alone_to_standard_output(
    server: MessagesServer, folder: Path
) -> None:
    done = call_process(
        "run", "sums.jsonl", "--model", HAIKU, "--limit", "3", "--json", folder=folder
    )
    assert (done.code, list(json.loads(done.out))) == (0, ["runs"])
    assert "sums claude-haiku-4-5 prefill: 3 of 3" in done.err


def test_models_and_ways_given_twice_are_run_once(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    done = call(
        capsys, "run", "sums.jsonl", "sums.jsonl", "--limit", "3", "--json",
        "--model", HAIKU, "--model", HAIKU, "--way", "auto", "--way", "prefill", "--way", "auto",
    )  # fmt: skip
    assert len(json.loads(done.out)["runs"]) == 1
    assert server.answered_again == 0


def test_faults_of_a_question_set_are_noted_before_it_is_asked(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, folder: Path
) -> None:
    row = "How much is 1 + 1?,1,2,3,4,{answer}\n"
    rows = [row.format(answer=answer) for answer in "BBBBBC"]
    (folder / "twice.csv").write_text("question,A,B,C,D,answer\n" + "".join(rows))
    done = call(capsys, "run", "twice.csv", "--model", OPUS)
    notes = [line for line in done.err.splitlines() if line.startswith("twice: ")]
    assert done.code == 0
    assert notes[0].startswith("twice: 5 questions repeat an earlier one: ")
    assert notes[0].endswith(", ...")
    assert notes[1].endswith(" contradict each other")


def test_a_set_that_is_not_whole_is_noted(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, folder: Path
) -> None:
    definition = """
        version = "1"
        questions = 31
        source.files = ["sums.jsonl"]
        columns = { stem = "question", choices = "choices", answer = "answer", id = "id" }
    """
    (folder / "own.toml").write_text(definition)
    done = call(capsys, "run", "own.toml", "--model", OPUS, "--limit", "2")
    assert done.code == 0
    assert "own: 30 questions on disk, the published set has 31" in done.err.splitlines()


def test_notes_and_errors_of_a_server_move_nothing_on_the_terminal(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, folder: Path
) -> None:
    """Neither ids of questions nor what a server says reaches the terminal with its controls."""
    rows = [
        {"id": f"\x1b[2Jq{i}", "question": "x?", "choices": ["a", "b"], "answer": "A"}
        for i in range(2)
    ]
    (folder / "twice.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = call(capsys, "run", "twice.jsonl", "--model", OPUS)
    assert done.code == 0
    assert "\N{REPLACEMENT CHARACTER}[2Jq0" in done.err
    assert "\x1b[2J" not in done.out + done.err


def test_failed_requests_make_a_run_incomplete_and_give_the_band(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = first_attempts(rate_limited(should_retry=False), every=5)
    arguments = ["run", "sums.jsonl", "--model", OPUS, "--quiet"]
    with MessagesServer(answer=sums_answers(), faults=failing) as server:
        point_at(server, monkeypatch)
        done = call(capsys, *arguments)
        assert done.code == 4
        assert rows_of(done.out)[0]["accuracy"][3:5] == ["24", "100.0"]
        assert (
            "(1) incomplete: 6 of 30 questions have no reply; over all of them the accuracy is "
            "between 80.0 and 100.0 %"
        ) in done.out.splitlines()
        again = call(capsys, *arguments)
        assert again.code == 0, "the same command again asks what is missing"
        assert rows_of(again.out)[0]["accuracy"][3:5] == ["30", "100.0"]
        assert server.answered_again == 0


def test_an_end_of_money_ends_the_run_and_the_same_command_goes_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What other runs have is printed, and the score of what was answered has its band."""
    arguments = ["run", "sums.jsonl", "everyday", "--limit", "30", "--model", OPUS, "--quiet"]
    broke = from_message_on(40, spend_limit_reached())
    with MessagesServer(answer=sums_answers(), faults=broke) as server:
        point_at(server, monkeypatch)
        done = call(capsys, *arguments)
        assert done.code == 4
        assert "spend limit" in done.error
        assert [row["accuracy"][0] for row in rows_of(done.out)] == ["sums", "everyday"]
    scored = call(capsys, "score", "results")
    assert scored.code == 4
    notes = [line for line in scored.out.splitlines() if "incomplete" in line]
    assert notes, "they took turns"
    assert all(" of 30 questions have no reply" in note for note in notes)
    assert all(note in done.out for note in (line.partition(" ")[2] for line in notes))


def test_an_interrupted_run_says_that_nothing_is_lost_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    with MessagesServer(answer=sums_answers(), latency_seconds=0.3) as server:
        point_at(server, monkeypatch)
        arguments = ["run", "sums.jsonl", "--model", OPUS, "--concurrency", "2"]
        process = subprocess.Popen(
            command(*arguments), cwd=folder, env=dict(os.environ),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip
        deadline = time.monotonic() + 30
        while server.count(200) < 6 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 4
        assert "questions have no reply; over all of them" in out, "what there is"
        assert "Traceback" not in err
        assert err.splitlines()[-1] == (
            "evalkit: interrupted; answers so far are kept, and the same command goes on"
        )
        scored = call_process("score", "results", folder=folder)
        assert scored.code == 4
        assert "questions have no reply; over all of them" in scored.out
        assert not list(folder.glob("results/*/summary.json")), "a summary means that it is done"
        server.latency_seconds = 0.0
        done = call_process(*arguments, folder=folder)
    assert done.code == 0
    assert rows_of(done.out)[0]["accuracy"][3:5] == ["30", "100.0"]
    # What was under way when the interrupt came is answered a second time, nothing else.
    assert server.answered_again <= 2


def test_the_prompt_of_a_file_takes_the_place_of_the_benchmarks_own(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, folder: Path
) -> None:
    (folder / "terse.toml").write_text('[prompt]\nsystem = "Be terse."\nprefill = "Answer: ("\n')
    done = call(
        capsys, "run", "sums.jsonl", "--model", HAIKU, "--limit", "2", "--prompt", "terse.toml"
    )
    assert done.code == 0
    body = server.requests[-1].body
    assert (body["system"], body["messages"][-1]["content"]) == ("Be terse.", "Answer: (")


@pytest.mark.parametrize(("temperature", "sent"), [("0", 0.0), ("0.5", 0.5), ("none", None)])
def test_the_temperature_is_sent_as_asked(
    capsys: pytest.CaptureFixture[str],
    server: MessagesServer,
    temperature: str,
    sent: float | None,
) -> None:
    done = call(
        capsys, "run", "sums.jsonl", "--model", OPUS, "--limit", "1", "--temperature", temperature
    )
    assert (done.code, server.requests[-1].body.get("temperature")) == (0, sent)


def test_a_base_url_beats_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, server: MessagesServer
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    done = call(
        capsys, "run", "sums.jsonl", "--model", OPUS, "--limit", "1", "--base-url", server.base_url
    )
    assert done.code == 0


def test_runs_land_where_results_says(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, folder: Path
) -> None:
    done = call(
        capsys, "run", "sums.jsonl", "--model", OPUS, "--limit", "1", "--results", "deep/down"
    )
    assert done.code == 0
    assert len(list((folder / "deep" / "down").iterdir())) == 1
    assert not (folder / "results").exists()


def test_as_many_requests_are_in_flight_as_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with MessagesServer(latency_seconds=0.02) as server:
        point_at(server, monkeypatch)
        call(capsys, "run", "sums.jsonl", "--model", OPUS, "--concurrency", "3")
    assert server.peak_concurrency == 3


def test_a_bad_file_lists_all_bad_rows_and_leaves_nothing_behind(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, folder: Path
) -> None:
    rows = ["a?,1,2,3,4,A", "b?,1,2,3,4,Z", "c?,1,,3,4,B", ",1,2,3,4,C", "e?,1", "f?,1,2,3,4,"]
    (folder / "bad.csv").write_text("question,A,B,C,D,answer\n" + "\n".join(rows) + "\n")
    done: Outcome = call(capsys, "run", "sums.jsonl", "bad.csv", "--model", HAIKU)
    assert (done.code, done.out) == (2, "")
    assert done.error == "evalkit: 5 rows can't be used:"
    places = [line.split(":")[1] for line in done.err.splitlines()[1:]]
    assert places == ["3", "4", "5", "6", "7"]
    assert not (folder / "results").exists()
    assert server.requests == [], "no model is asked before all files are read"


def test_orders_and_samples_are_asked_and_told(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    arguments = ("--model", HAIKU, "--orders", "cyclic", "--samples", "2", "--limit", "5")
    done = call(capsys, "run", "sums.jsonl", *arguments)
    assert done.code == 0
    assert len(server.requests) == 1 + 5 * 4 * 2  # the first of them a probe
    text = " ".join(done.out.split())
    assert "prefill, cyclic orders, 2 samples 5 " in text
    assert "(1) two responses to a question agree with a chance of 100.0 %" in text
    assert "(1) cyclic 5 " in text
    planned = call(capsys, "plan", "sums.jsonl", *arguments, "--offline")
    assert "nothing is left to ask" in planned.out
