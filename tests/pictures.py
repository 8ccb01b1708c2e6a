"""Pictures for tests: painted, written to files, and found again in what a server was sent."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import PIL.Image

from evalkit.testing.messages_body import Body, blocks_of, images_of, last_user_text, messages_of
from evalkit.testing.messages_replies import Answer, Reply, same_letter_each_time

CHOICES = ("a cat", "a dog", "a hat", "a bat")


def paint(path: Path, *, seed: int = 0, size: tuple[int, int] = (12, 8), form: str = "PNG") -> str:
    """Write a picture that is different for each seed; return the digest of the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = random.Random(seed)
    tile = PIL.Image.frombytes("RGB", (4, 4), drawn.randbytes(4 * 4 * 3))
    picture = PIL.Image.new("RGB", size)
    picture.paste(tile)
    picture.save(path, form)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def noise(path: Path, size: tuple[int, int]) -> None:
    """Write a PNG that can't be compressed: three bytes a pixel."""
    data = random.Random(0).randbytes(size[0] * size[1] * 3)
    PIL.Image.frombytes("RGB", size, data).save(path, "PNG", compress_level=0)


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write a question file; a row without choices gets some."""
    plain = {"choices": CHOICES, "answer": "B"}
    lines = [json.dumps({**plain, **row}) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def write_pictures(folder: Path, count: int = 4, size: tuple[int, int] = (12, 8)) -> Path:
    """Write a file of questions with a picture each, and the pictures 0.png, 1.png, ..."""
    for number in range(count):
        paint(folder / f"{number}.png", seed=number, size=size)
    rows = [
        {"id": f"p{n}", "question": f"What does picture {n} show?", "image": f"{n}.png"}
        for n in range(count)
    ]
    return write_rows(folder / "pictures.jsonl", rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What one request showed."""

    text: str
    """The last of the user's turns."""
    pictures: tuple[str, ...]
    """The digests of all pictures in order, or their addresses."""


@dataclass(eq=False)
class Eyes:
    """An answer for the test server that writes down the pictures which it was shown."""

    answer: Answer = same_letter_each_time
    shown: list[Shown] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, body: Body) -> Reply:
        pictures = tuple(map(name_source, (block["source"] for _, block in images_of(body))))
        with self._lock:
            self.shown.append(Shown(text=last_user_text(body), pictures=pictures))
        return self.answer(body)

    def by_text(self, words: str) -> tuple[str, ...]:
        """The pictures beside a question."""
        [found] = [shown.pictures for shown in self.shown if words in shown.text]
        return found


def name_source(source: Mapping[str, Any]) -> str:
    """The digest of a picture, whose file the server has put in its place; or its address."""
    if "url" in source:
        return str(source["url"])
    return hashlib.sha256(base64.b64decode(source["data"])).hexdigest()


def outline(body: Body) -> list[str]:
    """The blocks of the last of the user's turns: texts, and the types of others."""
    turn = [turn for turn in messages_of(body) if turn["role"] == "user"][-1]
    return [str(block.get("text", block["type"])) for block in blocks_of(turn["content"])]
