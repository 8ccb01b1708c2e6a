"""`evalkit.toml` is looked at as a whole, key by key, and every fault has its line and remedy."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from evalkit.check_files import load_project
from evalkit.check_keys import CHECK_KEYS, PROJECT_KEYS
from evalkit.checks import Project, slug
from evalkit.cli.init import read_recipe
from evalkit.errors import UsageError
from evalkit.prompts import PromptFormat

ONE = '[checks.one]\nbenchmark = "everyday"\nmodel = "m"\n'


def load(folder: Path, text: str) -> Project:
    path = folder / "evalkit.toml"
    path.write_text(text, encoding="utf-8")
    return load_project(path)


def test_the_defaults_hold_for_every_check_that_says_nothing_else(tmp_path: Path) -> None:
    project = load(
        tmp_path,
        'results = "runs"\nbudget = "$5"\n[defaults]\nmodel = "m"\nmargin = 1.5\nway = "tool"\n'
        '[checks.one]\nbenchmark = "everyday"\n'
        '[checks.two]\nbenchmark = "q.csv"\nmodels = ["a/b", "c"]\nmargin = 3\nbudget = "$2.50"\n'
        'threshold = 80\nstop = "END"\n'
        '[checks.three]\nbenchmark = "facts"\nbaseline = false\nthreshold = 50\n',
    )
    one, two, _ = project.checks
    assert (project.results, project.dollars) == (tmp_path / "runs", 5.0)
    assert (one.terms.margin, one.models, one.settings) == (0.015, ("m",), {"way": "tool"})
    assert (two.terms.margin, two.threshold, two.dollars) == (0.03, 0.8, 2.5)
    assert two.settings == {"way": "tool", "stop_sequences": ("END",)}
    assert (one.benchmark, two.benchmark) == ("everyday", str(tmp_path / "q.csv"))
    assert [case.id for case in project.cases] == ["one", "two[a/b]", "two[c]", "three"]
    folder = tmp_path / "baselines"
    assert [case.baseline for case in project.cases] == [
        folder / "one--m.jsonl",
        folder / "two--a-b.jsonl",
        folder / "two--c.jsonl",
        None,
    ]
    assert project.suites == 3
    assert [check.line for check in project.checks] == [7, 9, 16]


def test_checks_are_chosen_by_name_or_with_a_model(tmp_path: Path) -> None:
    project = load(tmp_path, ONE + '[checks.two]\nbenchmark = "facts"\nmodels = ["a", "b"]\n')

    def chosen(*names: str) -> list[str]:
        return [case.id for case in project.choose(names)]

    assert chosen() == ["one", "two[a]", "two[b]"]
    assert chosen("two") == ["two[a]", "two[b]"]
    assert chosen("two[b]", "one") == ["one", "two[b]"]
    with pytest.raises(UsageError, match=r"has no check 'twoo'; did you mean two\?"):
        project.choose(["twoo"])


def test_a_prompt_is_a_file_or_a_table(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('[prompt]\nsystem = "Be brief."\n')
    brief = PromptFormat(system="Be brief.")
    assert load(tmp_path, ONE + 'prompt = "p.toml"\n').checks[0].prompt == brief
    inline = load(tmp_path, ONE + '[checks.one.prompt]\nsystem = "Be brief."\n')
    assert inline.checks[0].prompt == brief


FAULTS = [
    ("margni = 2\n" + ONE, ":1: [margni]: no such key; there are "),
    ("result = 'x'\n" + ONE, ":1: [result]: no such key; did you mean results?"),
    (ONE + "marign = 2\n", ":4: [checks.one] marign: no such key; did you mean margin?"),
    ("[defaults]\nmargin = 'x'\n" + ONE, ":2: [defaults] margin = 'x': expected percentage"),
    (ONE + "margin = 100\n", ":4: [checks.one] margin = 100: expected percentage points"),
    (ONE + "margin = true\n", "margin = True: expected percentage points"),
    (ONE + "threshold = 101\n", ":4: [checks.one] threshold = 101: expected percent, 0 to 100"),
    (ONE + "budget = 0\n", "budget = 0: expected a number of questions, or dollars"),
    (ONE + f"budget = '${'9' * 400}'\n", "expected dollars, such as"),
    (ONE + "budget = '2.50'\n", "budget = '2.50': expected dollars, such as"),
    ("budget = 5\n" + ONE, ":1: [budget] = 5: expected dollars, such as"),
    (ONE + "alpha = 0.5\n", "alpha = 0.5: expected more than 0, less than 0.5"),
    (ONE + "full = 1\n", "full = 1: expected true or false"),
    (ONE + "full = true\nbudget = 5\n", ":1: [checks.one]: full asks all questions"),
    (ONE + "fail_margin = 3\n", ":1: [checks.one]: fail_margin = 0.03: expected 0 to 0.02"),
    (ONE + "way = 'prefil'\n", "way = 'prefil': expected auto, prefill, "),
    (ONE + "limit = 0\n", "limit = 0: expected a whole number, at least 1"),
    (ONE + "orders = 'all'\n", "orders = 'all': expected a whole number, at least 1, or"),
    (ONE + "temperature = 2\n", "temperature = 2: expected 0 to 1"),
    (ONE + "stop = []\n", "stop = []: expected a list of different texts"),
    (ONE + "prompt = 'none.toml'\n", "none.toml can't be read: No such file"),
    (ONE + "prompt = {sytem = 'x'}\n", "[checks.one]: prompt has no setting 'sytem'"),
    (ONE + "baseline = true\n", "baseline = True: expected the path of a file, or false"),
    (ONE + "baseline = false\n", ":1: [checks.one]: neither a baseline nor a threshold"),
    (ONE + "models = ['a']\n", ":1: [checks.one]: has model and models"),
    ("[checks.one]\nmodel = 'm'\n", ":1: [checks.one]: benchmark is missing; name it here or in"),
    ("[checks.one]\nbenchmark = 'b'\n", ":1: [checks.one]: model is missing"),
    ("[checks.one]\nbenchmark = 'b'\nmodels = ['a', 'a']\n", ":3: [checks.one] models = "),
    (
        "[checks.one]\nbenchmark = 'b'\nmodels = ['a', 'b']\nbaseline = 'x.jsonl'\n",
        ":4: [checks.one] baseline = 'x.jsonl': several models: put {model} into the path",
    ),
    ("[checks.'a b']\nbenchmark = 'b'\n", "a check's name is letters, digits"),
    ("checks = 3\n", ":1: [checks]: expected tables"),
    ("[checks]\none = 3\n", ":2: [checks] one: expected a table"),
    ("results = 'x'\n", "has no [checks.NAME] table, so nothing to check"),
    ("[checks.one\n", "is no TOML: "),
    ("x = " + "[" * 20_000, "is no TOML: maximum recursion depth"),
]


@pytest.mark.parametrize(("text", "said"), FAULTS, ids=[said for _, said in FAULTS])
def test_a_fault_is_named_with_its_line_and_what_would_do(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, text)
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "evalkit.toml")), caught.value


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, ONE + "marign = 2\nlimit = 0\n")
    head, first, second = str(caught.value).splitlines()
    assert head.endswith("evalkit.toml has 2 faults:")
    assert ":4: [checks.one] marign" in first
    assert ":5: [checks.one] limit" in second


def test_without_a_file_it_is_said_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no .*: `evalkit init` writes one"):
        load_project(tmp_path / "evalkit.toml")


def test_the_file_that_comes_with_evalkit_names_every_key() -> None:
    text = read_recipe("evalkit.toml")
    for key in (*PROJECT_KEYS, *CHECK_KEYS):
        assert key in text, key
    tomllib.loads(text.replace("@NAME@", "one"))


def test_what_is_commented_out_in_it_can_be_used(tmp_path: Path) -> None:
    lines = []
    for line in read_recipe("evalkit.toml").splitlines():
        bare = line.removeprefix("# ")
        name, _, rest = bare.partition(" = ")
        is_key = name in {*PROJECT_KEYS, *CHECK_KEYS} and rest != "" and line != bare
        taken = is_key and name not in ("models", "full", "prompt", "budget", "shots")
        lines.append(bare if taken else line)
    text = "\n".join(lines).replace("@NAME@", "one").replace("@BENCHMARK@", "everyday")
    [check] = load(tmp_path, text).checks
    assert (check.threshold, check.terms.fail_margin, check.settings["way"]) == (0.8, 0, "prefill")


def test_a_models_name_becomes_a_part_of_a_files() -> None:
    assert slug("local/qwen2.5-coder-1.5b") == "local-qwen2.5-coder-1.5b"
    assert slug("../x") == "x"
