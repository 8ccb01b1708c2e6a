"""Options that name the questions of a set that are meant."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalkit.selection import Selection


def add_selection_options(parser: argparse.ArgumentParser) -> None:
    """Which split of a set, which subjects and which ids."""
    parser.add_argument(
        "--split", metavar="NAME", help="another split than the definition's own, such as dev"
    )
    parser.add_argument(
        "--subjects",
        action="append",
        default=[],
        metavar="NAME,...",
        help="only these subjects; patterns such as high_school_* will do; may be given several "
        "times",
    )
    parser.add_argument(
        "--ids", type=Path, metavar="FILE", help="only the questions whose ids a file names by line"
    )


def build_selection(given: Mapping[str, Any]) -> Selection:
    """What the options select; not all commands have them.

    Raises:
        UsageError: the file of ids can't be used.
    """
    from evalkit.selection import Selection, read_ids, split_subjects

    file = given.get("ids")
    return Selection(
        subjects=split_subjects(given.get("subjects", ())),
        ids=None if file is None else read_ids(file),
        stratified=given.get("stratified", False),
    )
