"""What `evalkit.toml` says, each key looked at before anything is asked."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.check_keys import CHECK_KEYS, PROJECT_KEYS, SETTINGS, Parse
from evalkit.checks import MODEL, Check, Project, name_near, slug
from evalkit.errors import PromptError, UsageError
from evalkit.loaders.source import has_known_ending
from evalkit.prompt_files import read_prompt_file
from evalkit.prompts import PromptFormat, parse_prompt_format
from evalkit.settings import RunSettings
from evalkit.stats.sequential import GateTerms

FILE = "evalkit.toml"

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def load_project(path: Path | str = FILE) -> Project:
    """Read the checks of a project.

    Args:
        path: of the file; what it names lies beside it.

    Raises:
        UsageError: there is none, or it can't be used; all of its faults are named, with lines.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "evalkit.toml"
        ...     keys = "benchmark = 'everyday', model = 'claude-haiku-4-5', way = 'tool'"
        ...     rest = "limit = 9, threshold = 1, baseline = false"
        ...     _ = path.write_text(f"checks.one = {{ {keys}, {rest} }}")
        ...     [found] = load_project(path).checks
        >>> found.name, found.models
        ('one', ('claude-haiku-4-5',))
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UsageError(f"there is no {path}: `evalkit init` writes one") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} can't be read: {error}") from error
    try:
        table = tomllib.loads(text)
    # ValueError: no TOML, or a number of 5,000 digits.
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no TOML: {error}") from error
    reader = Reader(path=path, text=text)
    project = reader.read(table)
    if reader.problems:
        if len(reader.problems) == 1:
            raise UsageError(reader.problems[0])
        lines = "".join(f"\n  {problem}" for problem in reader.problems)
        raise UsageError(f"{path} has {len(reader.problems)} faults:{lines}")
    return project


def build_check(keys: Mapping[str, Any], folder: Path) -> Check:
    """A check that stands in no file, for one model.

    Args:
        keys: those of a check.
        folder: where the files lie that it names.

    Raises:
        UsageError: a key or a value can't be used.
    """
    reader = Reader(path=folder / "a check", text="")
    name = slug(Path(str(keys.get("benchmark", "check"))).stem).replace(".", "-") or "check"
    values = reader.parse(("check",), dict(keys), CHECK_KEYS)
    check = None if reader.problems else reader.build(name, values, "baselines")
    if check is None or reader.problems:
        raise UsageError("; ".join(problem.partition(": ")[2] for problem in reader.problems))
    if len(check.models) > 1:
        raise UsageError("models: a test asks one, by model; pytest.mark.parametrize gives it each")
    return check


@dataclass(kw_only=True)
class Reader:
    """Reads one file, and gathers what is wrong with it."""

    path: Path
    text: str
    problems: list[str] = field(default_factory=list)

    def read(self, table: Mapping[str, Any]) -> Project:
        """The project; of what is wrong, there is a problem each."""
        folder = self.path.parent
        apart = {name: value for name, value in table.items() if name in ("defaults", "checks")}
        rest = {name: value for name, value in table.items() if name not in apart}
        values = self.parse((), rest, PROJECT_KEYS, ("defaults", "checks"))
        defaults = self.parse(("defaults",), apart.get("defaults", {}), CHECK_KEYS)
        baselines = values.get("baselines", "baselines")
        checks = tuple(self.read_checks(apart.get("checks", {}), defaults, baselines))
        if not checks and not self.problems:
            self.problems.append(f"{self.path} has no [checks.NAME] table, so nothing to check")
        data = values.get("data")
        return Project(
            path=self.path,
            results=folder / values.get("results", "results"),
            data=None if data is None else folder / Path(data).expanduser(),
            base_url=values.get("base_url"),
            dollars=values.get("budget"),
            checks=checks,
        )

    def read_checks(
        self, tables: Any, defaults: Mapping[str, Any], baselines: str
    ) -> Iterator[Check]:
        """Each check that can be used."""
        if not isinstance(tables, dict):
            self.refuse(("checks",), "expected tables, [checks.NAME] each")
            return
        for name, table in tables.items():
            place = ("checks", name)
            if not NAME.fullmatch(name):
                self.refuse(place, "a check's name is letters, digits, `-` and `_`")
                continue
            before = len(self.problems)
            own = self.parse(place, table, CHECK_KEYS)
            check = self.build(name, {**drop_model(defaults, own), **own}, baselines)
            if check is not None and len(self.problems) == before:
                yield check

    def parse(
        self,
        place: tuple[str, ...],
        table: Any,
        keys: Mapping[str, Parse],
        tables: tuple[str, ...] = (),
    ) -> dict[str, Any]:
        """The values of a table that can be used."""
        if not isinstance(table, dict):
            self.refuse(place, "expected a table")
            return {}
        found = {}
        for key, value in table.items():
            if key not in keys:
                near = name_near(key, [*keys, *tables])
                self.refuse((*place, key), f"no such key; {near}")
                continue
            try:
                found[key] = keys[key](value)
            except ValueError as error:
                self.refuse((*place, key), f"{error}", value)
        return found

    def build(self, name: str, values: Mapping[str, Any], baselines: str) -> Check | None:
        """One check; None if something is missing."""
        place = ("checks", name)
        if "model" in values and "models" in values:
            self.refuse(place, "has model and models: leave one of them out")
            return None
        models = values.get("models") or ((values["model"],) if "model" in values else ())
        for key, there in (("benchmark", "benchmark" in values), ("model", bool(models))):
            if not there:
                self.refuse(place, f"{key} is missing; name it here or in [defaults]")
                return None
        limit = values.get("budget")
        try:
            terms = GateTerms(
                margin=values.get("margin", 0.02),
                alpha=values.get("alpha", 0.05),
                fail_margin=values.get("fail_margin"),
                budget=limit if isinstance(limit, int) else None,
            )
            settings = {key: value for key, value in values.items() if key in SETTINGS}
            if "stop" in settings:
                settings["stop_sequences"] = settings.pop("stop")
            RunSettings(**settings)
            form = self.read_prompt(values.get("prompt"))
        except (ValueError, UsageError, PromptError) as error:
            self.refuse(place, str(error))
            return None
        full = values.get("full", False)
        if full and terms.budget is not None:
            self.refuse(place, "full asks all questions: leave it out, or give budget in dollars")
        return Check(
            name=name,
            benchmark=self.locate(values["benchmark"]),
            models=models,
            prompt=form,
            terms=terms,
            full=full,
            baseline=self.place_baseline(place, values, models, baselines),
            threshold=values.get("threshold"),
            dollars=limit if isinstance(limit, float) else None,
            settings=settings,
            line=find_line(self.text, place),
        )

    def place_baseline(
        self,
        place: tuple[str, str],
        values: Mapping[str, Any],
        models: Sequence[str],
        baselines: str,
    ) -> str | None:
        """Where the baseline is; None: it is said that there is none."""
        path = values.get("baseline", f"{baselines}/{place[1]}--{MODEL}.jsonl")
        if path is False:
            if "threshold" not in values:
                self.refuse(place, "neither a baseline nor a threshold: there is nothing to check")
            return None
        if len(models) > 1 and MODEL not in path:
            self.refuse((*place, "baseline"), f"several models: put {MODEL} into the path", path)
        return str(self.path.parent / path)

    def locate(self, benchmark: str) -> str:
        """A benchmark's name as it is; a file beside the project's."""
        beside = self.path.parent / benchmark
        is_file = has_known_ending(Path(benchmark)) or Path(benchmark).suffix in (".toml", ".zip")
        return str(beside) if is_file else benchmark

    def read_prompt(self, value: Any) -> PromptFormat | None:
        """The prompt of a file, or of the table itself."""
        if value is None:
            return None
        if isinstance(value, dict):
            return parse_prompt_format(value)
        return read_prompt_file(self.path.parent / value)

    def refuse(self, place: tuple[str, ...], reason: str, value: Any = None) -> None:
        """Note a problem with its line."""
        line = find_line(self.text, place)
        where = f"{self.path}:{line}" if line else str(self.path)
        *tables, name = place
        words = f"[{'.'.join(place)}]" if is_table(self.text, place) or not tables else name
        if tables and words == name:
            words = f"[{'.'.join(tables)}] {name}"
        stated = "" if value is None else f" = {value!r}"
        self.problems.append(f"{where}: {words}{stated}: {reason}")


def drop_model(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults of a check, whose own model or models stand in place of both."""
    names = ("model", "models") if {"model", "models"} & own.keys() else ()
    return {key: value for key, value in defaults.items() if key not in names}


def is_table(text: str, place: Sequence[str]) -> bool:
    """Whether a place in a file has a head of its own."""
    return any(list_names(line) == list(place) for line in text.splitlines())


def list_names(line: str) -> list[str]:
    """The names in the head of a table; none if a line is no such head."""
    found = re.match(r"\s*\[([^\[\]]+)\]", line)
    return [part.strip().strip("\"'") for part in found[1].split(".")] if found else []


def find_line(text: str, place: Sequence[str]) -> int | None:
    r"""The line at which a table or a key begins, counted from 1; None: it can't be found.

    Example:
        >>> find_line("results = 'r'\n[checks.one]\nmargin = 2\n", ("checks", "one", "margin"))
        3
    """
    *tables, key = place
    head: list[str] = []
    for number_of_line, line in enumerate(text.splitlines(), start=1):
        if names := list_names(line):
            head = names
            # A table may have no head of its own, but one of a table within.
            if head[: len(place)] == list(place):
                return number_of_line
        elif head == tables and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[.=]", line):
            return number_of_line
    return None
