"""How sets lie in repositories of the hub: which files hold a config and a split."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evalkit.loaders.archive import split_pattern

MAIN = "main"

CONVERTED = "refs/convert/parquet"
"""The branch on which the hub keeps its own Parquet copy of a set."""

UNPINNED = (MAIN, CONVERTED)
"""Revisions that move; any other is taken for a commit or a tag."""

ANY_CONFIG = "*"

FILE = r"(?:[-._]\d+[^/]*)?\.(?:parquet|jsonl|json|csv|tsv)(?:\.gz)?"
"""What may follow a split's name: the number of a part, and an ending."""

PART = r"\d{4}\.parquet"

NUMBERED = re.compile(r"(.+)-(\d{5})-of-(\d{5})(\..+)")
"""One of several parts of a split."""

LAYOUTS = (
    rf"(?:data/)?{{config}}/{{split}}{FILE}",
    rf"(?:data/)?{{config}}/{{split}}/{PART}",
    rf"(?:data/)?{{config}}[-_]{{split}}{FILE}",
    rf"(?:data/)?{{split}}/{{config}}(?:[-_]{{split}})?{FILE}",
)
"""Patterns of a config's files below the root of a repository, the most usual first."""

DEFAULT_LAYOUTS = (
    rf"data/{{split}}{FILE}",
    rf"{{split}}{FILE}",
    rf"default/{{split}}/{PART}",
    rf"default/{{split}}{FILE}",
    rf"(?:[^/]+/)?{{split}}/{PART}",
)
"""The same for sets without configs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSet:
    """A part of a dataset repository on the hub.

    Args:
        repository: owner and name, such as `allenai/ai2_arc`.
        revision: a commit, for the same questions for ever; or a branch.
        configs: the hub's name for parts of a set; `*` stands for all of them, none for a set
            without parts. Of several, each is the subject of its rows.
        split: whose questions are asked.
        example_split: whose rows are worked examples; None: there are none.
        paths: where the files lie, with {config} and {split}, if not as usual; within an archive,
            `set.zip/{split}/*.csv`.
    """

    repository: str
    revision: str = MAIN
    configs: tuple[str, ...] = ()
    split: str = "test"
    example_split: str | None = None
    paths: tuple[str, ...] = ()

    @property
    def is_pinned(self) -> bool:
        """Whether the revision always means the same files."""
        return self.revision not in UNPINNED

    @property
    def has_subjects(self) -> bool:
        """Whether a config is a subject."""
        return len(self.configs) > 1 or self.configs == (ANY_CONFIG,)


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file that holds rows of a set.

    Args:
        name: its path in the repository.
        config: the config that it belongs to; None: the set has none.
    """

    name: str
    config: str | None = None


def choose_files(names: Iterable[str], hub: HubSet, split: str) -> tuple[HubFile, ...]:
    """The files of a split in the first layout that has any, config by config.

    Example:
        >>> names = ["README.md", "easy/test-00000-of-00001.parquet", "hard/test.jsonl"]
        >>> every = HubSet(repository="a/b", configs=("*",))
        >>> [file.name for file in choose_files(names, every, "test")]
        ['easy/test-00000-of-00001.parquet', 'hard/test.jsonl']
    """
    known = sorted(names)
    found: list[HubFile] = []
    for config in hub.configs or (None,):
        found += choose_of_config(known, hub, config, split)
    return tuple(found)


def find_missing(hub: HubSet, files: Iterable[HubFile]) -> str | None:
    """The first config or part of a split that some files lack; None: they are complete."""
    chosen = tuple(files)
    for config in hub.configs:
        if config != ANY_CONFIG and config not in {file.config for file in chosen}:
            return config
    names = {file.name for file in chosen}
    for name in sorted(names):
        if match := NUMBERED.fullmatch(name):
            beginning, _, count, ending = match.groups()
            for number in range(int(count)):
                part = f"{beginning}-{number:05}-of-{count}{ending}"
                if part not in names:
                    return part
    return None


def choose_of_config(
    names: Sequence[str], hub: HubSet, config: str | None, split: str
) -> list[HubFile]:
    """The files of one config, or of all."""
    for layout in list_patterns(hub, config):
        pattern = fill_pattern(layout, config, split)
        matches = [(name, match) for name in names if (match := pattern.fullmatch(name))]
        if matches:
            return [HubFile(name, match.groupdict().get("config")) for name, match in matches]
    return []


def list_patterns(hub: HubSet, config: str | None) -> Sequence[str]:
    """Where files may lie."""
    if hub.paths:
        return [translate(split_pattern(path)[0]) for path in hub.paths]
    return DEFAULT_LAYOUTS if config in (None, "default") else LAYOUTS


def translate(path: str) -> str:
    """A path with `*`, {config} and {split} as a regular expression."""
    pieces = re.split(r"(\*|\{config\}|\{split\})", path)
    return "".join(
        "[^/]*" if p == "*" else p if p in ("{config}", "{split}") else re.escape(p) for p in pieces
    )


def fill_pattern(layout: str, config: str | None, split: str) -> re.Pattern[str]:
    """A layout for one split, and one config or any; its group `config` says which."""
    name = "[^/]+?" if config == ANY_CONFIG else re.escape(config or "default")
    first, *others = layout.split("{config}")
    filled = first
    for number, other in enumerate(others):
        filled += (f"(?P<config>{name})" if number == 0 else "(?P=config)") + other
    return re.compile(filled.replace("{split}", re.escape(split)))
