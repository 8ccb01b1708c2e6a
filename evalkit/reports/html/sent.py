"""What was sent with each question, told once for all questions that share it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.errors import PromptError, RunFormatError
from evalkit.images import Image
from evalkit.json_text import encode_json
from evalkit.prompts import render_question
from evalkit.questions import Question
from evalkit.reports.html.texts import tidy
from evalkit.results import Run
from evalkit.runs.folder import RunFolder
from evalkit.verifying import RequestBuilder

QUESTION: Mapping[str, str] = {"type": "question"}
"""In place of the text of a question, which the page writes out by itself."""


class SharedList:
    """Values of JSON, each once, by its number."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.size = 0
        """Bytes of their JSON."""
        self._numbers: dict[bytes, int] = {}

    def add(self, value: Any) -> int:
        """The number of a value."""
        key = encode_json(value)
        number = self._numbers.setdefault(key, len(self.values))
        if number == len(self.values):
            self.values.append(value)
            self.size += len(key) + 1
        return number


class SentRequests:
    """Says of each question what was sent with it, as the run's folder has it.

    Args:
        run: that was asked.
        shared: what has been said already, in this run and others.
    """

    def __init__(self, run: Run, shared: SharedList) -> None:
        self.shared, self.form = shared, run.manifest.prompt
        self.builder = find_builder(run)
        self._known: dict[tuple[str | None, int], tuple[int, tuple[Image, ...]]] = {}
        ranked = () if self.builder is None else self.builder.ranked
        self._examples = {name for each in ranked for name in (each.id, each.stem)}

    def describe(self, question: Question) -> tuple[Any, tuple[Image, ...]]:
        """What was sent with a question.

        Returns:
            The number of a shared request, or a request of its own, or None if the folder does not
            say; and the pictures that it shows.
        """
        if self.builder is None:
            return None, question.images
        try:
            if question.images or question.history:
                return self._build(self.builder, question)
            # A question that is a worked example itself is shown others than its neighbours.
            if not self._examples.isdisjoint((question.id, question.stem)):
                request, images = self._build(self.builder, question)
                return self.shared.add(request), images
            key = (question.group, len(question.choices))
            if key not in self._known:
                request, images = self._build(self.builder, question)
                self._known[key] = self.shared.add(request), images
            return self._known[key]
        except PromptError:  # fewer worked examples than were shown
            return None, question.images

    def _build(
        self, builder: RequestBuilder, question: Question
    ) -> tuple[dict[str, Any], tuple[Image, ...]]:
        body = builder.build_body(question)
        text = render_question(question, self.form)
        # The last turns are the question's own, with the prefill if there is one.
        messages = body["messages"]
        own = 2 if messages[-1]["role"] == "assistant" else 1
        request = {
            "system": list_blocks(body.get("system", ())),
            "earlier": [describe_turn(turn) for turn in messages[:-own]],
            "last": [describe_turn(turn, text) for turn in messages[-own:]],
            "others": tidy_values(
                {k: v for k, v in body.items() if k not in ("system", "messages")}
            ),
        }
        examples = builder.choose_examples(question)
        images = [image for each in (*examples, question) for image in each.images]
        return request, tuple(images)


def find_builder(run: Run) -> RequestBuilder | None:
    """What builds a run's requests again; None: the folder lacks what that takes."""
    identity = run.manifest.identity
    if not identity.keep_text or identity.origin is not None:  # another tool's prompt is not known
        return None
    if not identity.shots:
        return RequestBuilder(run.manifest, ())
    folder = RunFolder(path=run.folder, manifest=run.manifest, questions=run.questions)
    try:
        examples = folder.read_examples()
    except RunFormatError:
        return None
    return None if examples is None else RequestBuilder(run.manifest, examples)


def describe_turn(turn: Mapping[str, Any], question: str | None = None) -> dict[str, Any]:
    """A turn for the page, with a mark in place of the question's text."""
    return {
        "role": turn["role"],
        "blocks": [
            QUESTION if question is not None and is_text(block, question) else describe_block(block)
            for block in list_blocks(turn["content"], plain=True)
        ],
    }


def is_text(block: Any, text: str) -> bool:
    """Whether a block is this text."""
    return bool(block == {"type": "text", "text": text})


def list_blocks(content: Any, *, plain: bool = False) -> list[Any]:
    """The blocks of a turn or of the system prompt."""
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    return blocks if plain else [describe_block(block) for block in blocks]


def describe_block(block: Mapping[str, Any]) -> Any:
    """A block for the page: its text, the digest of its picture, or its JSON."""
    if block["type"] == "text":
        return tidy(block["text"])
    if block["type"] == "image":
        return {"type": "image", "digest": block["source"]["sha256"]}
    return {"type": "json", "value": tidy_values(block)}


def tidy_values(value: Any) -> Any:
    """JSON whose texts can be shown."""
    if isinstance(value, str):
        return tidy(value)
    if isinstance(value, Mapping):
        return {tidy(key): tidy_values(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [tidy_values(each) for each in value]
    return value
