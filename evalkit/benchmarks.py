"""Benchmarks: a definition read, checked, and joined to its question set."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from evalkit.errors import BenchmarkError, PromptError, QuestionSetError, RowProblem, UsageError
from evalkit.loaders.definition import (
    DefinitionError,
    check_keys,
    parse_fields,
    parse_source,
    read_number,
    read_text,
    read_texts,
)
from evalkit.loaders.fields import FieldMap, build_question_set
from evalkit.loaders.guess import guess_fields
from evalkit.loaders.source import FORMATS, Source, read_rows
from evalkit.prompts import PromptFormat, parse_prompt_format
from evalkit.questions import MIN_CHOICES, QuestionSet

TEXT_KEYS = ("name", "title", "version", "licence", "homepage", "citation", "note")
ENTRY_POINTS = "evalkit.benchmarks"
"""The group of entry points by which other packages offer benchmarks."""

OTHER_KEYS = ("questions", "choices", "source", "columns", "prompt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a benchmark's TOML file says; its questions are not read yet."""

    name: str
    version: str
    path: Path
    """The definition's file, or the question file if there is no definition."""
    source: Source
    fields: FieldMap
    prompt: PromptFormat
    title: str = ""
    licence: str = ""
    homepage: str = ""
    citation: str = ""
    note: str = ""
    split: str = ""
    """The split that was chosen, if it is not the set's own."""
    questions: int | None = None
    """How many questions the published set has."""
    choices: int | None = None
    """How many choices each question has, if all have as many."""

    def choose_split(self, name: str) -> Definition:
        """The same set with the questions of another split.

        Raises:
            UsageError: the definition names no such split.
        """
        files = self.source.splits.get(name)
        if files is None:
            known = ", ".join(self.source.splits) or "none"
            raise UsageError(
                f"{self.name} has no split {name!r}; its definition names {known} under "
                "[source.splits]"
            )
        if files == self.source.files:
            return self
        # How many questions there are is said of the set's own split.
        source = replace(self.source, files=files)
        return replace(self, source=source, split=name, questions=None)

    def find_files(self, patterns: tuple[str, ...], data_folder: Path | None) -> tuple[Path, ...]:
        """Files that match the patterns, from the first folder that has any.

        Folders are tried in this order: the definition's own, the data folder, the set's usual
        folder within it.
        """
        folders = [self.path.parent]
        if data_folder is not None:
            folders += [data_folder, data_folder / (self.source.folder or self.name)]
        for folder in folders:
            try:
                found = {path for pattern in patterns for path in folder.glob(pattern)}
            except (ValueError, NotImplementedError, IndexError, OSError) as error:
                reason = f"source: {list(patterns)} are no patterns relative to a folder: {error}"
                raise BenchmarkError(reason, path=self.path) from error
            if found:
                return tuple(sorted(found))
        return ()

    @property
    def chance(self) -> float | None:
        """Accuracy of blind guessing, if all questions have as many choices."""
        return None if self.choices is None else 1 / self.choices


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A definition with its questions.

    Example:
        >>> everyday = load_benchmark("everyday")
        >>> len(everyday.question_set.questions), len(everyday.question_set.examples)
        (300, 20)
    """

    definition: Definition
    question_set: QuestionSet

    @property
    def name(self) -> str:
        """The benchmark's name."""
        return self.definition.name


def load_benchmark(
    name: str | Path, *, data_folder: Path | None = None, split: str | None = None
) -> Benchmark:
    """Read a benchmark and all its questions.

    Args:
        name: a shipped benchmark's name, a definition (.toml), or a question file (.csv, .tsv,
            .jsonl, .json) whose columns have usual names.
        data_folder: where published sets that evalkit does not ship lie on this machine.
        split: a name under [source.splits]; None: the definition's own.

    Raises:
        UsageError: the definition names no such split.
        BenchmarkError: there is no such benchmark, its definition is wrong, or its files are
            missing.
        QuestionSetError: rows can't be used; all are listed.
    """
    definition = load_definition(name)
    if split is not None:
        definition = definition.choose_split(split)
    paths = definition.find_files(definition.source.files, data_folder)
    if not paths:
        raise BenchmarkError(missing_files(definition, data_folder), path=definition.path)
    example_paths = definition.find_files(definition.source.examples, data_folder)
    questions = read_questions(definition, paths, example_paths)
    if not questions.questions:
        raise BenchmarkError("there is no question in it", path=paths[0])
    return Benchmark(definition=definition, question_set=questions)


def read_questions(
    definition: Definition, paths: tuple[Path, ...], example_paths: tuple[Path, ...]
) -> QuestionSet:
    """Read the questions of some files, and the worked examples of others.

    Raises:
        BenchmarkError: a file can't be read.
        QuestionSetError: rows can't be used; those of all files are listed.
    """
    problems: list[RowProblem] = []
    sets: list[QuestionSet] = []
    for files in (paths, example_paths):
        try:
            sets.append(build_question_set(read_rows(files, definition.source), definition.fields))
        except QuestionSetError as error:
            problems += error.problems
    if problems:
        raise QuestionSetError(tuple(problems))
    asked, shown = sets
    return QuestionSet(
        questions=asked.questions, examples=(*asked.examples, *shown.questions, *shown.examples)
    )


def missing_files(definition: Definition, data_folder: Path | None) -> str:
    """Say which files a definition needs and where they may lie."""
    wanted = ", ".join(definition.source.files)
    if data_folder is None:
        where = "name the folder that holds it with --data or EVALKIT_DATA"
    else:
        where = f"nothing matches below {data_folder}"
    origin = f" (from {definition.homepage})" if definition.homepage else ""
    return f"{definition.name} needs {wanted}{origin}, which is not shipped: {where}"


def load_definition(name: str | Path) -> Definition:
    """Read a benchmark's definition without its questions.

    Raises:
        BenchmarkError: there is no such benchmark, or its definition is wrong.
    """
    path = find_definition(name)
    if path.suffix == ".toml":
        return parse_definition(path)
    guess = guess_fields(path)
    return Definition(
        name=path.stem,
        version="unversioned",
        path=path,
        source=guess.source,
        fields=guess.fields,
        prompt=PromptFormat(),
    )


def find_definition(name: str | Path) -> Path:
    """The file that a name, or a path, stands for.

    Raises:
        BenchmarkError: with the nearest names that exist.
    """
    path = Path(name)
    if path.suffix == ".toml" or path.suffix.lower() in FORMATS:
        if is_file(path):
            return path
        raise BenchmarkError("no such file", path=path)
    for folder in definition_folders():
        candidate = folder / f"{name}.toml"
        if is_file(candidate):
            return candidate
    names = [found.stem for found in list_definitions()]
    near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.4) or names
    raise BenchmarkError(
        f"no benchmark {str(name)!r}; near it: {', '.join(near)}. `evalkit list` shows all; "
        "files of your own end in .csv, .tsv, .jsonl, .json or .toml"
    )


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file system takes is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def definition_folders() -> Iterator[Path]:
    """Where definitions lie: in ./benchmarks, with evalkit, in packages of others."""
    yield Path("benchmarks")
    package = Path(__file__).resolve().parent
    shipped = (package / "shipped_benchmarks", package.parent / "benchmarks")
    yield from (folder for folder in shipped if folder.is_dir())
    yield from registered_folders()


def registered_folders() -> Iterator[Path]:
    """The folders of packages that other distributions register as `evalkit.benchmarks`.

    Such a package holds definitions and question files; none of its code is run, but that of the
    packages around it. One that is not there is passed over.
    """
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        try:
            spec = find_spec(entry.module)
        except (ImportError, ValueError):
            continue
        if spec is not None:
            yield from map(Path, spec.submodule_search_locations or ())


def list_definitions() -> Iterator[Path]:
    """The definition files at hand, by name; a nearer folder hides a farther one's."""
    found: dict[str, Path] = {}
    for folder in definition_folders():
        for path in folder.glob("*.toml"):
            found.setdefault(path.stem, path)
    yield from (found[name] for name in sorted(found))


def parse_definition(path: Path) -> Definition:
    """Read and check a definition file.

    Raises:
        BenchmarkError: naming the file and the key.
    """
    table = read_definition(path)
    try:
        return build_definition(path, table)
    except (DefinitionError, PromptError) as error:
        raise BenchmarkError(str(error), path=path) from error


def read_definition(path: Path) -> dict[str, Any]:
    """The tables of a definition file, not checked yet.

    Raises:
        BenchmarkError: it can't be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    # ValueError: no UTF-8, no TOML, or a number of 5,000 digits.
    except (OSError, ValueError, RecursionError) as error:
        raise BenchmarkError(f"can't be read: {error}", path=path) from error


def build_definition(path: Path, table: dict[str, Any]) -> Definition:
    """Check the tables of a definition.

    Raises:
        DefinitionError: a key or value can't be used.
        PromptError: the prompt can't be used.
    """
    if "suite" in table:
        names = ", ".join(read_texts("a suite", table, "suite"))
        raise DefinitionError(f"it is a suite of several benchmarks; name one of them: {names}")
    check_keys("the definition", table, dict.fromkeys((*TEXT_KEYS, *OTHER_KEYS)))
    texts = {key: read_text("definition", table, key) or "" for key in TEXT_KEYS}
    texts["name"] = texts["name"] or path.stem
    if not texts["version"]:
        raise DefinitionError('version is missing; for example version = "1"')
    for section in ("source", "columns", "prompt"):
        if not isinstance(table.get(section, {}), dict):
            raise DefinitionError(f"{section}: expected a table, [{section}]")
    return Definition(
        path=path,
        source=parse_source(table.get("source", {})),
        fields=parse_fields(table.get("columns", {})),
        prompt=parse_prompt_format(table.get("prompt", {})),
        questions=read_number("definition", table, "questions", least=1),
        choices=read_number("definition", table, "choices", least=MIN_CHOICES),
        **texts,
    )
