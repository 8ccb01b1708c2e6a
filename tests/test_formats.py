"""A report says the same in every format, and no text in it is taken for anything else."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import openpyxl
import pandas
import pytest

from evalkit.errors import MissingExtraError, RunError, UsageError
from evalkit.reports import json_format
from evalkit.reports.csv_format import FORMULA, disarm
from evalkit.reports.formats import FORMATS, FileOptions, check_paths, write_report
from evalkit.reports.html.templates import load_environment
from evalkit.reports.report import Report, build_report
from evalkit.results import Run
from evalkit.testing.messages_server import MessagesServer
from tests.gate_runs import Answers, load_sums, make_run
from tests.hostile import HOSTILE
from tests.report_runs import MODELS, SUBJECTS, hostile_runs, report_of_three, scores_of, three_runs
from tests.test_gating import hold

SCHEMA = json.loads(
    Path(json_format.__file__).with_name("report.schema.json").read_text(encoding="utf-8")
)


def files_of(
    report: Report, folder: Path, formats: Iterable[str] = FORMATS, **options: object
) -> dict[str, Path]:
    """A report in some formats; of several files of one, the first."""
    return {
        ending: write_report(report, folder / f"report{ending}", FileOptions(**options))[0]  # type: ignore[arg-type]
        for ending in formats
    }


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    return three_runs()


@pytest.fixture(scope="module")
def files(runs: list[Run], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return files_of(build_report(runs), tmp_path_factory.mktemp("report"))


# The same numbers

Numbers = tuple[str, float, float, float]
"""A name, and its accuracy with both ends of the interval."""

Reader = Callable[[Path], Iterable[Numbers]]


def numbers_of(name: str, texts: Sequence[str], scale: float = 1.0) -> Numbers:
    """Numbers read from texts."""
    accuracy, low, high = (float(text) / scale for text in texts)
    return name, accuracy, low, high


def read_csv(path: Path) -> Iterable[Numbers]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if not row["group"]:
                yield numbers_of(row["name"], [row[name] for name in ("accuracy", "low", "high")])


def read_json(path: Path) -> Iterable[Numbers]:
    for run in json.loads(path.read_text(encoding="utf-8"))["runs"]:
        accuracy = run["accuracy"]
        yield run["name"], accuracy["estimate"], accuracy["low"], accuracy["high"]


def read_xlsx(path: Path) -> Iterable[Numbers]:
    head, *rows = openpyxl.load_workbook(path)["Accuracy"].iter_rows(values_only=True)
    places = [head.index(title) for title in ("Name", "Accuracy", "From", "To")]
    for row in rows:
        name, *numbers = (str(row[place]) for place in places)
        yield numbers_of(name, numbers)


def read_text(path: Path) -> Iterable[Numbers]:
    """From Markdown and LaTeX, whose cells are parted by one sign."""
    sign = {".md": "|", ".tex": "&"}[path.suffix]
    for line in path.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("| \\").split(sign)]
        found = re.fullmatch(r"(?:\{\})?\[(.+), (.+)\]", cells[6]) if len(cells) > 9 else None
        if cells[0].startswith("(") and found and cells[1] == "exam" and cells[3] == "prefill":
            yield numbers_of(cells[2], [cells[5], *found.groups()], 100)


def read_junit(path: Path) -> Iterable[Numbers]:
    for case in ET.parse(path).iter("testcase"):
        found = re.search(r": (\S+) % \[(\S+), (\S+)\]", case.findtext("system-out") or "")
        assert found is not None
        yield numbers_of(case.get("name", ""), found.groups(), 100)


class SheetReader(HTMLParser):
    """Reads the first table of a page that has a caption of this id."""

    def __init__(self, caption: str) -> None:
        super().__init__()
        self.caption, self.is_inside, self.is_cell = caption, False, False
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.is_inside = dict(attrs).get("aria-describedby") == self.caption
        elif self.is_inside and tag == "tr":
            self.rows.append([])
        elif self.is_inside and tag in ("th", "td"):
            self.rows[-1].append("")
            self.is_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("th", "td"):
            self.is_cell = False

    def handle_data(self, data: str) -> None:
        if self.is_inside and self.is_cell:
            self.rows[-1][-1] += data


def read_html(path: Path) -> Iterable[Numbers]:
    reader = SheetReader("caption-summary")
    reader.feed(path.read_text(encoding="utf-8"))
    head, *rows = reader.rows
    places = [head.index(title) for title in ("Name", "Accuracy", "From", "To")]
    for row in rows:
        name, *numbers = (row[place] for place in places)
        yield numbers_of(name, numbers, 100)


def read_svg(path: Path) -> Iterable[Numbers]:
    """The words beside each model's mark, which stand after its name."""
    texts = [each.text or "" for each in ET.parse(path).iter() if each.tag.endswith("text")]
    for name, words in itertools.pairwise(texts):
        found = re.match(r"(\S+) \[(\S+), (\S+)\]  n = ", words)
        if found is not None:
            yield numbers_of(name, found.groups(), 100)


READERS: dict[str, Reader] = {
    ".html": read_html,
    ".csv": read_csv,
    ".json": read_json,
    ".xlsx": read_xlsx,
    ".md": read_text,
    ".tex": read_text,
    ".xml": read_junit,
    ".svg": read_svg,
}

PICTURES = {".png": b"\x89PNG", ".pdf": b"%PDF"}
"""How files begin that show the same chart as dots, and as a page."""


@pytest.mark.parametrize("ending", READERS)
def test_every_format_says_the_same_accuracies(
    files: dict[str, Path], runs: list[Run], ending: str
) -> None:
    within = 1e-12 if ending in (".csv", ".json", ".xlsx") else 0.0005 + 1e-9
    found = {name: numbers for name, *numbers in READERS[ending](files[ending])}
    assert sorted(found) == sorted(MODELS)
    for run in runs:
        accuracy = run.summary.accuracy
        assert accuracy is not None
        expected = (accuracy.estimate, accuracy.low, accuracy.high)
        assert found[run.manifest.identity.model] == pytest.approx(expected, abs=within)


def test_no_format_is_left_out_of_that() -> None:
    assert {*READERS, *PICTURES, ".jsonl", ".parquet"} == set(FORMATS)


@pytest.mark.parametrize("ending", PICTURES)
def test_a_chart_is_a_picture_too(files: dict[str, Path], ending: str) -> None:
    assert files[ending].read_bytes().startswith(PICTURES[ending])


def test_a_picture_shows_the_chart_that_was_named(tmp_path: Path, runs: list[Run]) -> None:
    report = build_report(runs)
    write_report(report, tmp_path / "a.svg", FileOptions(chart="outcomes"))
    assert "refused" in (tmp_path / "a.svg").read_text(encoding="utf-8")
    with pytest.raises(UsageError, match="chart 'pie': these runs have accuracies, differences, "):
        write_report(report, tmp_path / "b.svg", FileOptions(chart="pie"))


def test_scores_by_question_and_by_response_come_to_the_same_accuracies(
    files: dict[str, Path], runs: list[Run]
) -> None:
    paths = [files[".jsonl"].with_name(f"report-{number + 1}.jsonl") for number in range(len(runs))]
    samples = pandas.concat(pandas.read_json(path, lines=True) for path in paths)
    responses = pandas.read_parquet(files[".parquet"])
    assert len(samples) == sum(len(run.questions) for run in runs)
    assert len(responses) == sum(len(scores_of(run)) for run in runs)
    expected = {run.manifest.identity.model: run.summary.mean for run in runs}
    shares = responses.groupby(["model", "question_id"]).correct.mean()
    assert samples.groupby("model").acc.mean().to_dict() == pytest.approx(expected)
    assert shares.groupby("model").mean().to_dict() == pytest.approx(expected)


def test_the_tidy_table_has_a_row_for_each_run_and_group(
    files: dict[str, Path], runs: list[Run]
) -> None:
    table = pandas.read_csv(files[".csv"])
    assert len(table) == len(MODELS) * (1 + len(SUBJECTS))
    for run in runs:
        for group in run.groups:
            [row] = table[
                (table.model == run.manifest.identity.model) & (table.group == group.name)
            ].itertuples()
            assert (row.n, row.accuracy, row.correct) == (group.asked, group.mean, group.correct)


def test_the_rows_of_responses_are_those_of_the_runs(tmp_path: Path, runs: list[Run]) -> None:
    path = tmp_path / "responses.csv"
    write_report(build_report(runs), path, FileOptions(rows="responses"))
    table = pandas.read_csv(path)
    assert len(table) == sum(len(scores_of(run)) for run in runs)
    counted = table.groupby("model").correct.apply(
        lambda cells: (cells.astype(str) == "True").sum()
    )
    assert counted.to_dict() == {run.manifest.identity.model: run.summary.correct for run in runs}


def test_the_differences_are_those_of_the_comparison(
    files: dict[str, Path], runs: list[Run]
) -> None:
    comparison = build_report(runs).comparison
    assert comparison is not None
    head, *rows = openpyxl.load_workbook(files[".xlsx"])["Differences"].iter_rows(values_only=True)
    found = {(row[1], row[2]): dict(zip(head, row, strict=True)) for row in rows}
    for pair in comparison.pairs:
        row = found[pair.baseline.name, pair.candidate.name]
        assert pair.accuracy.interval is not None
        assert row["Difference"] == pytest.approx(pair.accuracy.interval.estimate, abs=1e-12)
        assert (row["Losses"], row["Gains"]) == (pair.accuracy.losses, pair.accuracy.gains)
    said = json.loads(files[".json"].read_text())["comparison"]["benchmarks"][0]["pairs"]
    assert [pair["accuracy"]["p_value"] for pair in said] == [
        pair.accuracy.p_value for pair in comparison.pairs
    ]


def test_a_data_frame_has_the_rows_of_the_tidy_table(
    files: dict[str, Path], runs: list[Run]
) -> None:
    frame = build_report(runs).to_dataframe()
    table = pandas.read_csv(files[".csv"])
    assert list(frame.columns) == list(table.columns)
    assert frame.accuracy.tolist() == table.accuracy.tolist()
    assert frame.group.isna().sum() == len(MODELS)


# Each format by its own rules


def test_json_keeps_to_the_published_schema(files: dict[str, Path]) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(files[".json"].read_text(encoding="utf-8")), SCHEMA)


def test_json_names_a_run_by_its_folder_and_no_place_of_this_machine(tmp_path: Path) -> None:
    results = tmp_path / "results"
    with MessagesServer(answer=Answers()) as server:
        baseline = make_run(server, load_sums(tmp_path, 40), results)
        [gate] = hold(server, baseline, full=True).gates
        alone = make_run(server, load_sums(tmp_path, 40, "others"), results)
    write_report(build_report([baseline, gate.folder, alone]), tmp_path / "a.json")
    text = (tmp_path / "a.json").read_text()
    table = json.loads(text)
    names = [baseline.path.name, Path(gate.folder).name, alone.path.name]
    assert [run["folder"] for run in table["runs"]] == names
    assert [run["folder"] for run in table["comparison"]["benchmarks"][0]["runs"]] == names[:2]
    assert table["comparison"]["not_compared"] == names[2:]
    [held] = table["gates"]
    assert [held["baseline_folder"], held["folder"]] == names[:2]
    assert str(tmp_path) not in text
    jsonschema.validate(table, SCHEMA)


def test_the_schema_refuses_a_report_that_lacks_something(files: dict[str, Path]) -> None:
    table = json.loads(files[".json"].read_text(encoding="utf-8"))
    del table["runs"][0]["accuracy"]
    with pytest.raises(jsonschema.ValidationError, match="accuracy"):
        jsonschema.validate(table, SCHEMA)


def test_a_workbook_has_a_sheet_for_each_question_that_one_asks(files: dict[str, Path]) -> None:
    book = openpyxl.load_workbook(files[".xlsx"])
    assert book.sheetnames == [
        *("Findings", "Accuracy", "Groups", "Places", "Differences", "Subjects"),
        *("Flipped questions", "Responses"),
    ]
    assert all(book[name].freeze_panes == "A2" for name in book.sheetnames[1:])
    accuracy = book["Accuracy"]["F2"]
    assert (accuracy.data_type, accuracy.number_format) == ("n", "0.0%")


def test_a_run_below_the_threshold_is_a_failed_test_case(tmp_path: Path, runs: list[Run]) -> None:
    path = tmp_path / "junit.xml"
    means = sorted(run.summary.mean or 0 for run in runs)
    write_report(build_report(runs), path, FileOptions(threshold=(means[0] + means[1]) / 2))
    cases = list(ET.parse(path).iter("testcase"))
    failed = [case.get("name") for case in cases if case.find("failure") is not None]
    assert failed == [min(runs, key=lambda run: run.summary.mean or 0).manifest.identity.model]
    [suite] = ET.parse(path).iter("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "0")


def test_a_verdict_is_a_test_case_of_its_own(tmp_path: Path, runs: list[Run]) -> None:
    path = tmp_path / "junit.xml"
    write_report(build_report(runs[:1], baseline=runs[2], margin=0.02), path)
    cases = {case.get("name"): case for case in ET.parse(path).iter("testcase")}
    found = cases["model-a against model-c"].find("failure")
    assert found is not None
    assert found.get("type") == "regressed"
    assert (found.get("message") or "").startswith("Regressed: accuracy on exam fell by more than")


def test_latex_is_taken_by_latex(files: dict[str, Path], tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("there is no pdflatex")
    (tmp_path / "report.tex").write_bytes(files[".tex"].read_bytes())
    set_latex(tmp_path)


def set_latex(folder: Path) -> None:
    """Set `report.tex` of a folder."""
    (folder / "main.tex").write_text(
        "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage{booktabs,longtable}"
        "\\begin{document}\\input{report}\\end{document}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "main"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        errors="replace",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]


# Hostile texts


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_breaks_a_format_or_becomes_a_formula(tmp_path: Path, text: str) -> None:
    report = build_report(hostile_runs(text), title=f"report{text}")
    # A page takes seconds, for its charts; tests of its own open it with all these texts.
    paths = files_of(report, tmp_path, FORMATS.keys() - {".html"})
    responses = tmp_path / "responses.csv"
    write_report(report, responses, FileOptions(rows="responses"))
    csv.field_size_limit(len(text) + 1000)
    for path in (paths[".csv"], responses):
        rows = list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))
        assert len({len(row) for row in rows}) == 1
        assert not [cell for row in rows for cell in row if is_formula(cell)]
    book = openpyxl.load_workbook(paths[".xlsx"])
    kinds = {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row}
    assert "f" not in kinds
    assert book["Responses"].max_row == 1 + sum(len(scores_of(run)) for run in report.runs)
    jsonschema.validate(json.loads(paths[".json"].read_bytes()), SCHEMA)
    assert len(list(ET.parse(paths[".xml"]).iter("testcase"))) == 2
    assert len(pandas.read_parquet(paths[".parquet"])) == book["Responses"].max_row - 1
    for run, path in zip(report.runs, sorted(tmp_path.glob("report-*.jsonl")), strict=True):
        lines = path.read_bytes().splitlines()
        assert len([json.loads(line) for line in lines]) == len(run.questions)
    ET.parse(paths[".svg"])
    markdown = paths[".md"].read_bytes().decode()
    assert "<script" not in markdown.replace("\\<", "")
    assert {line.count("|") - line.count("\\|") for line in table_of(markdown, "Replies")} == {
        line_signs(markdown, "Replies")
    }


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_every_text_can_be_drawn(tmp_path: Path, text: str) -> None:
    files_of(build_report(hostile_runs(text), title=text), tmp_path, PICTURES)


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet may compute a cell; a negative number is none."""
    return cell.startswith(FORMULA) and not re.fullmatch(r"-?[\d.]+(e-?\d+)?", cell)


def table_of(markdown: str, head: str) -> list[str]:
    """The lines of the table below a head."""
    _, _, after = markdown.partition(f"## {head}\n")
    lines = after.split("\n## ")[0].splitlines()
    return [line for line in lines if line.startswith("|")]


def line_signs(markdown: str, head: str) -> int:
    """Signs that part the cells in the first line of a table."""
    return table_of(markdown, head)[0].count("|")


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE[:-1], ids=range(len(HOSTILE) - 1))
def test_no_text_is_a_command_to_latex(tmp_path: Path, text: str) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("there is no pdflatex")
    if not text.isascii():
        pytest.skip("pdflatex has no glyphs for it")
    write_report(build_report(hostile_runs(text), title=text), tmp_path / "report.tex")
    set_latex(tmp_path)


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "＝1"])
def test_an_apostrophe_disarms_a_formula(text: str) -> None:
    assert disarm(text) == f"'{text}"


# Files


def test_an_unknown_ending_is_refused_before_anything_is_read() -> None:
    with pytest.raises(UsageError, match=r"out\.pdx: a report is written as \.html, "):
        check_paths([Path("a.md"), Path("out.pdx")])


def test_the_folder_of_a_run_is_no_place_for_a_report(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(UsageError, match="a run's folder holds the run alone"):
        write_report(report_of_three(), tmp_path / "summary.json")


def test_a_file_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="can't be written: No such file"):
        write_report(report_of_three(), tmp_path / "nowhere" / "a.md")


def test_a_report_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("before")
    report = report_of_three()
    with pytest.raises(ValueError, match="zip"):
        write_report(replace(report, names=report.names[:2]), path, FileOptions(rows="responses"))
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    ("ending", "libraries"),
    [
        (".html", ["jinja2", "markupsafe"]),
        (".html", ["matplotlib"]),
        (".xlsx", ["xlsxwriter"]),
        (".png", ["matplotlib"]),
    ],
)
def test_a_missing_library_is_one_line_that_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, libraries: list[str]
) -> None:
    load_environment.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] in libraries]:
        monkeypatch.delitem(sys.modules, name)
    for name in libraries:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'evalkit-mcq\[report\]'"):
        write_report(report_of_three(), tmp_path / f"a{ending}")
    load_environment.cache_clear()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "value"), [("rows", "words"), ("threshold", 1.5)])
def test_options_out_of_range_are_refused(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"{name}.*expected"):
        FileOptions(**{name: value})  # type: ignore[arg-type]
