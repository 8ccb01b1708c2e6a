"""A benchmark is found by name or file, read by its definition, and refused with a remedy."""

from __future__ import annotations

import json
import re
import sys
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.benchmarks import (
    Definition,
    build_definition,
    find_definition,
    list_definitions,
    load_benchmark,
    load_definition,
    parse_definition,
)
from evalkit.errors import BenchmarkError, PromptError, QuestionSetError
from evalkit.images import read_image
from evalkit.loaders.definition import DefinitionError
from evalkit.prompts import PromptFormat
from evalkit.questions import Question
from evalkit.suites import parse_suite

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = sorted((ROOT / "benchmarks").glob("*.toml"), key=lambda path: path.stem)
WITH_QUESTIONS = ("everyday", "facts")

HEAD = 'version = "1"\n'
COLUMNS = '[columns]\nstem = "question"\nchoices = ["A", "B"]\nanswer = "answer"\n'
WHOLE = f'{HEAD}[source]\nfiles = "q.csv"\n{COLUMNS}'
ROWS = "question,A,B,answer\nWhich?,red,blue,B\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def define(folder: Path, source: str = 'files = ["q.csv"]', *, head: str = HEAD) -> Path:
    return write(folder / "mine.toml", f"{head}[source]\n{source}\n{COLUMNS}")


def stems(questions: Sequence[Question]) -> list[str]:
    return [question.stem for question in questions]


# Finding it


@pytest.mark.parametrize("name", WITH_QUESTIONS)
def test_a_shipped_benchmark_is_found_by_its_name_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)

    assert load_benchmark(name).name == name


def test_a_definition_of_ones_own_hides_the_shipped_one_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = define(tmp_path / "benchmarks")
    own.rename(own.with_name("everyday.toml"))
    write(tmp_path / "benchmarks" / "q.csv", ROWS)
    monkeypatch.chdir(tmp_path)

    assert stems(load_benchmark("everyday").question_set.questions) == ["Which?"]
    assert Path("benchmarks/everyday.toml") in list(list_definitions())
    assert [path.stem for path in list_definitions()] == [path.stem for path in SHIPPED]


def test_a_definition_is_found_by_its_path(tmp_path: Path) -> None:
    path = define(tmp_path)
    write(tmp_path / "q.csv", ROWS)
    benchmark = load_benchmark(str(path))

    assert benchmark.name == "mine"
    assert benchmark.definition == load_definition(path)
    assert stems(benchmark.question_set.questions) == ["Which?"]


def test_a_question_file_is_a_benchmark_of_its_name_without_version(tmp_path: Path) -> None:
    definition = load_benchmark(write(tmp_path / "quiz.csv", ROWS)).definition

    assert (definition.name, definition.version) == ("quiz", "unversioned")
    assert definition.prompt == PromptFormat()
    assert definition.chance is None


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        (
            "everday",
            "no benchmark 'everday'; near it: everyday. `evalkit list` shows all; files of",
        ),
        ("MMLU", "no benchmark 'MMLU'; near it: mmlu, mmlu-by-group, mmlu-humanities. `evalkit"),
        ("gpqa", "no benchmark 'gpqa'; near it: gpqa-diamond, gpqa-extended, gpqa-main."),
        ("quiz.docx", "files of your own end in .csv, .tsv, .jsonl, .ndjson, .json, "),
        ("zzz", "no benchmark 'zzz'. `evalkit list` shows all; files of"),
        ("", "no benchmark ''. `evalkit list` shows all"),
        ("x" * 5000, "x'. `evalkit list` shows all"),
        ("x" * 5000 + ".csv", "x.csv: no such file"),
        ("quiz.csv", "quiz.csv: no such file"),
        ("quiz.toml", "quiz.toml: no such file"),
        ("quiz.JSON", "quiz.JSON: no such file"),
    ],
    ids=lambda value: value[:20],
)
def test_a_name_that_is_not_known_is_refused_with_the_nearest_ones(
    name: str, complaint: str
) -> None:
    with pytest.raises(BenchmarkError) as caught:
        find_definition(name)

    assert complaint in str(caught.value)


# Finding its files


@pytest.mark.parametrize(
    ("places", "found"),
    [
        (["here", "data", "data/sets", "data/mine"], "here"),
        (["data", "data/sets", "data/mine"], "data"),
        (["data/sets", "data/mine"], "data/sets"),
    ],
)
def test_files_lie_beside_the_definition_or_in_the_data_folder_or_in_the_sets_own(
    tmp_path: Path, places: list[str], found: str
) -> None:
    path = define(tmp_path / "here", 'files = ["part/*.csv"]\nfolder = "sets"')
    for place in places:
        write(tmp_path / place / "part" / "q.csv", ROWS)
    definition = parse_definition(path)

    assert definition.find_files(definition.source.files, tmp_path / "data") == (
        tmp_path / found / "part" / "q.csv",
    )


def test_a_sets_usual_folder_is_that_of_its_name(tmp_path: Path) -> None:
    write(tmp_path / "data" / "mine" / "q.csv", ROWS)

    assert load_benchmark(define(tmp_path), data_folder=tmp_path / "data").question_set.questions


def test_files_of_several_patterns_are_read_once_each_in_the_order_of_their_names(
    tmp_path: Path,
) -> None:
    for name in "bca":
        write(tmp_path / f"{name}.csv", ROWS.replace("Which", f"Which {name}"))
    benchmark = load_benchmark(define(tmp_path, 'files = ["b.csv", "*.csv", "c.csv"]'))

    assert stems(benchmark.question_set.questions) == ["Which a?", "Which b?", "Which c?"]


@pytest.mark.parametrize(
    ("data_folder", "text"),
    [
        (None, "name the folder that holds it with --data or EVALKIT_DATA"),
        (Path("nowhere"), "nothing matches below nowhere"),
    ],
)
def test_missing_files_are_named_with_their_origin_and_the_remedy(
    tmp_path: Path, data_folder: Path | None, text: str
) -> None:
    path = define(tmp_path, head=f'{HEAD}homepage = "https://example.org"\n')

    with pytest.raises(BenchmarkError) as caught:
        load_benchmark(path, data_folder=data_folder)

    assert str(caught.value) == (
        f"{path}: mine needs q.csv (from https://example.org), which is not shipped: {text}"
    )


@pytest.mark.parametrize(
    "pattern", ["", ".", "/sets/*.csv", "**x/q.csv", "x" * 5000], ids=lambda pattern: pattern[:9]
)
def test_a_pattern_that_no_folder_can_be_searched_for_is_refused(
    tmp_path: Path, pattern: str
) -> None:
    path = define(tmp_path, f'files = ["{pattern}"]')

    with pytest.raises(BenchmarkError) as caught:
        load_benchmark(path)

    # Later Pythons take "." and "**x" for patterns; then nothing is found that can be read.
    assert str(caught.value).startswith(str(tmp_path))
    if pattern in ("", "/sets/*.csv"):
        assert f"mine.toml: source: [{pattern!r}] are no patterns relative t" in str(caught.value)


# Reading it


def test_every_key_of_a_definition_is_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / "full.toml",
        """
        name = "own name"
        title = "Title"
        version = "2.1"
        licence = "MIT"
        homepage = "https://example.org"
        citation = "Someone 2024"
        note = "Note"
        questions = 10
        choices = 4

        [source]
        files = ["q.csv"]

        [columns]
        stem = "question"
        choices = "choices"
        answer = "answer"

        [prompt]
        system = "Hello."
        """,
    )
    definition = parse_definition(path)

    assert definition == Definition(
        name="own name",
        title="Title",
        version="2.1",
        licence="MIT",
        homepage="https://example.org",
        citation="Someone 2024",
        note="Note",
        questions=10,
        choices=4,
        path=path,
        source=definition.source,
        fields=definition.fields,
        prompt=PromptFormat(system="Hello."),
    )
    assert definition.chance == 0.25


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", 'version is missing; for example version = "1"'),
        ('version = ""', "version is missing"),
        (
            f'{HEAD}unverified = ["question"]',
            "unverified has no key 'question'; there are name, title, version, licence, homepage",
        ),
        ("version = 1", "definition.version = 1: expected a text"),
        ('version = "1"', 'source.files is missing; for example files = ["questions.csv"]'),
        (f'{HEAD}tilte = "x"', "the definition has no key 'tilte'; there are name, title, version"),
        (f"choices = 0\n{WHOLE}", "definition.choices = 0: expected a whole number, at least 2"),
        (f"choices = 1\n{WHOLE}", "definition.choices = 1: expected a whole number, at least 2"),
        (
            f"questions = -1\n{WHOLE}",
            "definition.questions = -1: expected a whole number, at least 1",
        ),
        (
            f'questions = "9"\n{WHOLE}',
            "definition.questions = '9': expected a whole number, at least",
        ),
        (f'{HEAD}source = "q.csv"', "source: expected a table, [source]"),
        (f"{HEAD}prompt = []", "prompt: expected a table, [prompt]"),
        (f'{HEAD}[source]\nfiles = ["q"]\n[columns]\n', "columns.choices = missing: expected one "),
        (f'{HEAD}[prompt]\nprefill = "( "\n', "source.files is missing"),
        ("version", "can't be read: Expected '=' after a key"),
        ("x = " + "[" * 5000 + "]" * 5000, "can't be read: "),
        ("x = " + "1" * 5000, "can't be read: Exceeds the limit (4300 digits)"),
    ],
    ids=lambda value: value[:30],
)
def test_a_definition_that_cannot_be_used_is_refused_with_its_file_and_key(
    tmp_path: Path, text: str, complaint: str
) -> None:
    path = write(tmp_path / "mine.toml", text)

    with pytest.raises(BenchmarkError) as caught:
        parse_definition(path)

    assert str(caught.value).startswith(f"{path}: {complaint}")


def test_a_prompt_that_cannot_be_used_is_refused_with_the_file(tmp_path: Path) -> None:
    path = define(tmp_path)
    path.write_text(path.read_text() + '[prompt]\nprefill = "Answer: "\n')

    with pytest.raises(BenchmarkError) as caught:
        parse_definition(path)

    assert str(caught.value) == f"{path}: a prefill may not end in white space: 'Answer: '"


@pytest.mark.parametrize("data", [b"\xff\xfe", "version = '1' # ü".encode("latin-1")])
def test_a_definition_in_another_encoding_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(data)

    with pytest.raises(BenchmarkError, match=r"mine\.toml: can't be read: 'utf-8' codec can't"):
        parse_definition(path)


# Reading its questions


DECLARED: dict[str, tuple[str, str, str, str]] = {
    "CSV, header, columns, letter": (
        "q.csv",
        "q,one,two,three,key,subject\nWhich?,red,blue,green,B,colours\n",
        "",
        'stem = "q"\nchoices = ["one", "two", "three"]\nanswer = "key"\ngroup = "subject"',
    ),
    "CSV, no header, columns, index from 1, subject of the file's name": (
        "colours_test.csv",
        "2;Which?;red;blue;green\n",
        'columns = ["n", "q", "a", "b", "c"]\ngroup_from_file = "(.+)_test"',
        'stem = "q"\nchoices = ["a", "b", "c"]\nanswer = "n"\nanswer_is = "index1"',
    ),
    "CSV, lettered text, text": (
        "q.csv",
        "q,c,key,s\nWhich?,A) red B) blue C) green,blue,colours\n",
        "",
        'stem = "q"\nchoices = { lettered = "c" }\nanswer = "key"\nanswer_is = "text"\ngroup = "s"',
    ),
    "JSONL, list, index from 0": (
        "q.jsonl",
        '{"q": "Which?", "c": ["red", "blue", "green"], "n": 1, "s": "colours"}\n',
        "",
        'stem = "q"\nchoices = "c"\nanswer = "n"\nanswer_is = "index0"\ngroup = "s"',
    ),
    "JSON, parallel lists, label": (
        "colours.json",
        '[{"q": "Which?", "c": {"t": ["red", "blue", "green"], "l": ["x", "y", "z"]}, "k": "y"}]',
        'group_from_file = "(.+)"',
        'stem = "q"\nchoices = { texts = "c.t", labels = "c.l" }\nanswer = "k"',
    ),
    "JSON, labelled list under a key, flags": (
        "q.json",
        '{"rows": [{"q": "Which?", "c": ["A. red", "B. blue", "C. green"], "f": [0, 1, 0], '
        '"s": "colours"}]}',
        'records = "rows"',
        'stem = "q"\nchoices = { list = "c", labelled = true }\nanswer = "f"\n'
        'answer_is = "flags"\ngroup = "s"',
    ),
}


@pytest.mark.parametrize(
    ("name", "text", "source", "columns"), DECLARED.values(), ids=DECLARED.keys()
)
def test_a_definition_maps_every_shape_of_file_to_the_same_question(
    tmp_path: Path, name: str, text: str, source: str, columns: str
) -> None:
    write(tmp_path / name, text)
    table = f'{HEAD}[source]\nfiles = "{name}"\n{source}\n[columns]\n{columns}\n'
    found = load_benchmark(write(tmp_path / "mine.toml", table)).question_set

    assert [(q.stem, q.choices, q.right, q.group) for q in found.questions] == [
        ("Which?", ("red", "blue", "green"), (1,), "colours")
    ]


@pytest.mark.parametrize("with_data_folder", [True, False])
@pytest.mark.parametrize(
    ("image_folder", "place"),
    [("", "part/a.png"), ("static", "part/static/a.png"), ("..", "a.png")],
)
def test_paths_of_pictures_begin_at_the_question_file_or_where_the_definition_says(
    tmp_path: Path, with_data_folder: bool, image_folder: str, place: str
) -> None:
    data = tmp_path / "data" if with_data_folder else tmp_path
    source = f'files = ["part/q.csv"]\nimage_folder = "{image_folder}"'
    path = define(tmp_path, source)
    path.write_text(path.read_text() + 'images = "image"\n')
    write(data / "part" / "q.csv", "question,A,B,answer,image\nWhich?,red,blue,B,a.png\n")
    (data / place).parent.mkdir(exist_ok=True)
    PIL.Image.new("L", (8, 8)).save(data / place)
    [question] = load_benchmark(path, data_folder=tmp_path / "data").question_set.questions

    assert [image.path for image in question.images] == [str(data / place)]
    assert question.images == (read_image(data / place),)


def test_worked_examples_may_have_pictures(tmp_path: Path) -> None:
    path = define(tmp_path, 'files = "q.csv"\nexamples = "more/dev.csv"')
    path.write_text(path.read_text() + 'images = "image"\n')
    text = "question,A,B,answer,image\nWhich?,red,blue,B,{}\n"
    write(tmp_path / "q.csv", text.format(""))
    write(tmp_path / "more" / "dev.csv", text.format("b.png"))
    PIL.Image.new("L", (8, 8)).save(tmp_path / "more" / "b.png")
    found = load_benchmark(path).question_set

    assert [len(q.images) for q in (*found.questions, *found.examples)] == [0, 1]


def test_rows_of_example_files_are_shown_and_not_asked(tmp_path: Path) -> None:
    write(tmp_path / "q.csv", ROWS)
    write(tmp_path / "dev.csv", ROWS.replace("Which", "Which example"))
    found = load_benchmark(define(tmp_path, 'files = "q.csv"\nexamples = "dev.csv"')).question_set

    assert stems(found.questions) == ["Which?"]
    assert stems(found.examples) == ["Which example?"]


def test_questions_and_examples_may_number_their_rows_alike(tmp_path: Path) -> None:
    path = define(tmp_path, 'files = "q.csv"\nexamples = "dev.csv"')
    path.write_text(path.read_text() + 'id = "id"\nexample = "example"\n')
    marked = "question,A,B,answer,id,example\nQ1?,x,y,A,1,\nQ2?,x,y,A,2,true\n"
    write(tmp_path / "q.csv", marked)
    write(tmp_path / "dev.csv", marked.replace("Q", "E"))
    found = load_benchmark(path).question_set

    assert stems(found.questions) == ["Q1?"]
    assert stems(found.examples) == ["Q2?", "E1?", "E2?"]


def test_bad_rows_of_all_files_are_refused_in_one_pass(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", ROWS + "Which?,red,blue,C\n")
    write(tmp_path / "b.csv", ROWS + '"two\nlines",red,blue,D\n,red,blue,A\n')
    write(tmp_path / "dev.csv", ROWS + "Which?,red,,B\nWhich?,red\n")
    path = define(tmp_path, 'files = ["a.csv", "b.csv"]\nexamples = ["dev.csv"]')

    with pytest.raises(QuestionSetError) as caught:
        load_benchmark(path)

    assert str(caught.value) == (
        "5 rows can't be used:\n"
        f"  {tmp_path / 'a.csv'}:3: answer = 'C': expected one of A, B\n"
        f"  {tmp_path / 'b.csv'}:3: answer = 'D': expected one of A, B\n"
        f"  {tmp_path / 'b.csv'}:5: question = '': the question has no text\n"
        f"  {tmp_path / 'dev.csv'}:3: A, B = ['red']: expected 2 to 26 choices, found 1\n"
        f"  {tmp_path / 'dev.csv'}:4: row = ['Which?', 'red']: 2 cells where 4 are expected: "
        "check the quotes"
    )


def test_an_id_may_not_stand_in_two_files_of_questions(tmp_path: Path) -> None:
    path = define(tmp_path, 'files = ["a.csv", "b.csv"]')
    path.write_text(path.read_text() + 'id = "id"\n')
    for name in "ab":
        write(tmp_path / f"{name}.csv", "question,A,B,answer,id\nWhich?,red,blue,A,1\n")

    with pytest.raises(QuestionSetError) as caught:
        load_benchmark(path)

    [problem] = caught.value.problems
    assert (problem.path.name, problem.line, problem.value) == ("b.csv", 2, "'1'")
    assert problem.remedy == f"stands already at {tmp_path / 'a.csv'}:2; give each row its own"


@pytest.mark.parametrize(
    ("name", "text"),
    [("q.csv", "question,A,B,answer,example\nWhich?,red,blue,A,true\n"), ("q.json", "[]")],
)
def test_a_set_without_a_question_to_ask_is_refused(tmp_path: Path, name: str, text: str) -> None:
    path = define(tmp_path, f'files = "{name}"')
    path.write_text(path.read_text() + 'example = "example"\n')
    write(tmp_path / name, text)

    with pytest.raises(BenchmarkError, match=rf"{re.escape(name)}: there is no question in it$"):
        load_benchmark(path)


# What is shipped


@pytest.mark.parametrize(
    "path", [p for p in SHIPPED if parse_suite(p) is None], ids=lambda path: path.stem
)
def test_every_shipped_definition_says_what_it_is_and_may_be_used_for(path: Path) -> None:
    definition = parse_definition(path)

    assert definition.name == path.stem
    assert definition.title
    assert definition.version
    assert definition.licence
    assert definition.name in WITH_QUESTIONS or (definition.homepage and definition.citation)


def test_ten_or_more_definitions_are_shipped() -> None:
    assert len(SHIPPED) >= 10
    assert [path.stem for path in list_definitions()] == [path.stem for path in SHIPPED]


@pytest.mark.parametrize(
    ("name", "questions", "examples", "subjects"),
    [("everyday", 300, 20, 10), ("facts", 2000, 0, 10)],
)
def test_a_shipped_set_is_large_balanced_and_without_repetition(
    name: str, questions: int, examples: int, subjects: int
) -> None:
    benchmark = load_benchmark(name)
    found = benchmark.question_set
    answers = Counter(question.right for question in found.questions)

    assert len(found.questions) >= questions
    assert len(found.examples) == examples
    assert len({question.group for question in found.questions} - {None}) >= subjects
    assert {len(q.choices) for q in found.questions} == {benchmark.definition.choices} == {4}
    assert max(answers.values()) - min(answers.values()) <= 1
    assert len(answers) == 4
    assert found.find_duplicates() == ()


def test_everyday_asks_what_its_definition_says_and_has_examples_for_each_subject() -> None:
    benchmark = load_benchmark("everyday")
    found = benchmark.question_set

    assert len(found.questions) == benchmark.definition.questions == 300
    assert {q.group for q in found.examples} == {q.group for q in found.questions}


@pytest.mark.parametrize("name", WITH_QUESTIONS)
def test_a_shipped_set_is_what_its_file_says(name: str) -> None:
    raw = (ROOT / "benchmarks" / f"{name}.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in raw.splitlines()]
    found = load_benchmark(name).question_set

    by_id = {question.id: question for question in (*found.questions, *found.examples)}
    assert list(by_id) != []
    assert sorted(by_id) == sorted(row["id"] for row in rows)
    for row in rows:
        question = by_id[row["id"]]
        assert (question.stem, list(question.choices)) == (row["question"], row["choices"])
        assert question.right == ("ABCD".index(row["answer"]),)
        assert question.group == row["subject"]


# Any definition at all

SECTIONS = st.dictionaries(
    st.sampled_from(["files", "stem", "choices", "answer", "prefill", "template", "x"]),
    st.text(max_size=8) | st.integers() | st.lists(st.text(max_size=3), max_size=3),
    max_size=4,
)


@given(
    st.dictionaries(
        st.sampled_from(["name", "version", "questions", "choices", "source", "columns", "prompt"]),
        SECTIONS | st.text(max_size=3) | st.integers(-1, 5) | st.booleans() | st.none(),
    )
)
def test_any_table_is_a_definition_or_an_error_of_ours(table: dict[str, Any]) -> None:
    try:
        definition = build_definition(Path("any.toml"), table)
    except (DefinitionError, PromptError) as error:
        assert str(error)
    else:
        assert definition.chance is None or 0 < definition.chance <= 0.5


@given(st.text(max_size=200))
def test_any_text_is_a_definition_or_a_benchmark_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = write(tmp_path_factory.getbasetemp() / "any.toml", f"{HEAD}{text}")

    with pytest.raises(BenchmarkError):
        parse_definition(path)


# Large sets


def measure_peak(path: Path) -> int:
    """Bytes in use at most while a file is loaded and checked."""
    tracemalloc.start()
    try:
        found = load_benchmark(path).question_set
        assert found.find_duplicates() == ()
        assert found.sample(None, 0).digest
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_a_further_question_takes_little_more_memory_than_its_texts(
    tmp_path: Path, suffix: str
) -> None:
    """Neither the file nor a digest's text may lie in memory as a whole."""
    columns = ["id", "question", "A", "B", "C", "D", "answer"]
    peaks = []
    for count in (3000, 9000):  # more rows than are looked at to find the columns
        texts = [[f"{mark} {i} ".ljust(150, mark) for mark in "?abcd"] for i in range(count)]
        rows = [[f"q{i}", *row, "ABCD"[i % 4]] for i, row in enumerate(texts)]
        lines = [json.dumps(dict(zip(columns, row, strict=True))) for row in rows]
        if suffix == "csv":
            lines = [",".join(row) for row in [columns, *rows]]
        peaks.append(measure_peak(write(tmp_path / f"{count}.{suffix}", "\n".join(lines))))
        texts_bytes = sum(map(sys.getsizeof, rows[-1])) - sys.getsizeof("A")

    assert (peaks[1] - peaks[0]) / 6000 < texts_bytes + 450
