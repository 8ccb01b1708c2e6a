"""A definition as the text of a TOML file."""

from __future__ import annotations

import glob
import json
import os.path
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.benchmarks import Definition
from evalkit.errors import UsageError
from evalkit.loaders.choices import (
    ChoiceForm,
    FixedChoices,
    ItemList,
    KeyedChoices,
    LetteredText,
    ListColumn,
    ParallelLists,
    PictureChoices,
    RightAndWrong,
    SeparateColumns,
)
from evalkit.loaders.fields import FieldMap
from evalkit.runs.folder import write_whole

PLACES_FOR_MORE = """\
# licence = ""    what others may do with the questions
# homepage = ""
# note = ""       what a reader of scores should know
"""


def render_definition(definition: Definition, folder: Path) -> str:
    """A proposed definition as a TOML file.

    Args:
        definition: of one question file, whose path is the definition's.
        folder: in which the TOML file will lie; its own paths begin there.
    """
    source = definition.source
    head: dict[str, Any] = {"title": definition.title, "version": definition.version}
    head |= {"questions": definition.questions, "choices": definition.choices}
    place = os.path.relpath(definition.path.parent.resolve(), folder.resolve())
    origin = {
        "files": [(Path(glob.escape(place)) / name).as_posix() for name in source.files],
        "format": source.format,
        "columns": list(source.columns) or None,
        "records": source.records,
    }
    return (
        f"{render_table(head)}{PLACES_FOR_MORE}\n[source]\n{render_table(origin)}"
        f"\n[columns]\n{render_table(list_columns(definition.fields))}"
    )


def list_columns(fields: FieldMap) -> dict[str, Any]:
    """The keys of the [columns] table."""
    answer_is = None if fields.answer is None or fields.answer_is == "letter" else fields.answer_is
    return {
        "id": fields.id,
        "group": fields.group,
        "cluster": one_or_more(fields.cluster) or None,
        "stem": one_or_more(fields.stem),
        **list_choices(fields.choices),
        "answer": fields.answer,
        "answer_is": answer_is,
        "example": fields.example,
        "images": list(fields.images) or None,
        "shuffle_seed": fields.shuffle_seed,
    }


def one_or_more(texts: Sequence[str]) -> str | list[str]:
    """A list, or the text in it if it is the only one."""
    return texts[0] if len(texts) == 1 else list(texts)


def list_choices(form: ChoiceForm) -> dict[str, Any]:
    """`choices` in the form that definitions have for it."""
    match form:
        case SeparateColumns():
            return {"choices": list(form.columns)}
        case ListColumn():
            marks = {"labelled": form.labelled, "literal": form.literal}
            said = {name: True for name, is_so in marks.items() if is_so}
            return {"choices": {"list": form.column, **said} if said else form.column}
        case ParallelLists():
            return {"choices": {"texts": form.texts, "labels": form.labels}}
        case KeyedChoices():
            return {"choices": {"keyed": form.column}}
        case ItemList():
            return {"choices": {"items": form.column, "text": form.text, "label": form.label}}
        case FixedChoices():
            return {"choices": {"fixed": list(form.texts)}}
        case LetteredText():
            return {"choices": {"lettered": form.column}}
        case RightAndWrong():
            more = {} if form.separator is None else {"separator": form.separator}
            several = {"several": True} if form.several else {}
            return {"choices": {"right": form.right, "wrong": list(form.wrong), **more, **several}}
        case PictureChoices():
            return {"choice_images": list(form.columns)}


def render_table(table: Mapping[str, Any]) -> str:
    """The lines of a table; what is None is left out."""
    return "".join(
        f"{key} = {render_value(value)}\n" for key, value in table.items() if value is not None
    )


def render_value(value: Any) -> str:
    """A value as TOML writes it.

    Example:
        >>> render_value({"right": "best", "wrong": ["worse"]})
        '{ right = "best", wrong = ["worse"] }'
    """
    match value:
        case bool() | int():
            return json.dumps(value)
        case str():
            # TOML's strings are JSON's, but for the one control character that JSON lets stand.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list():
            return f"[{', '.join(map(render_value, value))}]"
        case _:
            return f"{{ {', '.join(f'{k} = {render_value(v)}' for k, v in value.items())} }}"


def write_definition(path: Path, text: str, *, overwrite: bool = False) -> None:
    """Write a definition's file.

    Raises:
        UsageError: there is one of this name already, and it is not to be overwritten.
        RunError: it can't be written.
    """
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists; name another file by --to, or add --force")
    write_whole(path, text.encode())
