"""What was sent is told for every way of asking, as the run's folder has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.images import read_image
from evalkit.prompts import PromptFormat, render_question
from evalkit.questions import Question
from evalkit.reports.html.sent import SentRequests, SharedList
from evalkit.requests import WAYS, Way
from evalkit.results import load_run
from evalkit.verifying import RequestBuilder
from tests.pictures import paint
from tests.written_runs import respond, write_run

FORM = PromptFormat(system=("One.", "Two."), template="{group}: {stem}\n{choices}")

EXAMPLES = [
    Question(id=f"e{n}", stem=f"example {n}", choices=("a", "b"), right=(1,), group="g")
    for n in range(2)
]


def question_of(**changes: Any) -> Question:
    """A question."""
    plain: dict[str, Any] = {"id": "q", "stem": "{stem}?", "choices": ("x", "y"), "right": (0,)}
    return Question(**plain | changes)


def rebuild(request: Any, question: Question, form: PromptFormat) -> dict[str, Any]:
    """The body that a request tells of."""
    text = {"type": "text", "text": render_question(question, form)}

    def block(shown: Any) -> Any:
        match shown:
            case str():
                return {"type": "text", "text": shown}
            case {"type": "question"}:
                return text
            case {"type": "image"}:
                return {"type": "image", "source": {"type": "digest", "sha256": shown["digest"]}}
        return shown["value"]

    turns = [*request["earlier"], *request["last"]]
    return {
        **request["others"],
        "system": [block(each) for each in request["system"]],
        "messages": [
            {"role": turn["role"], "content": [block(each) for each in turn["blocks"]]}
            for turn in turns
        ],
    }


def unfold(body: Any) -> dict[str, Any]:
    """A body with all its texts as blocks."""

    def blocks(content: Any) -> Any:
        return [{"type": "text", "text": content}] if isinstance(content, str) else content

    turns = [{**turn, "content": blocks(turn["content"])} for turn in body["messages"]]
    return {**body, "system": list(blocks(body.get("system", []))), "messages": turns}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shots", [0, 2])
@pytest.mark.parametrize("kind", ["plain", "picture", "conversation"])
def test_a_request_is_told_whole(tmp_path: Path, way: Way, shots: int, kind: str) -> None:
    paint(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    question = {
        "plain": question_of(group="g"),
        "picture": question_of(images=(image, image)),
        "conversation": question_of(history=(("user", "Hi"), ("assistant", "Ho"))),
    }[kind]
    path = write_run(
        tmp_path / "results", [question], lambda *_: respond("A"), way=way, form=FORM,
        examples=EXAMPLES if shots else (), shots=shots,
    )  # fmt: skip
    run, shared = load_run(path), SharedList()
    request, images = SentRequests(run, shared).describe(question)
    assert images == question.images
    if kind == "plain":
        assert request == 0
        [request] = shared.values
    else:
        assert shared.values == []
    builder = RequestBuilder(run.manifest, EXAMPLES)
    assert rebuild(request, question, FORM) == unfold(builder.build_body(question))


def test_a_run_without_texts_does_not_say(tmp_path: Path) -> None:
    path = write_run(tmp_path, [question_of()], lambda *_: respond("A"), keep_text=False)
    assert SentRequests(load_run(path), SharedList()).describe(question_of()) == (None, ())


def test_words_that_can_not_be_shown_are_replaced(tmp_path: Path) -> None:
    form = PromptFormat(system="a\x00b\u202ec")
    path = write_run(
        tmp_path, [question_of()], lambda *_: respond("A"), form=form, way="tool",
        parameters={"max_tokens": 1, "stop_sequences": ["\x00"]},
    )  # fmt: skip
    shared = SharedList()
    SentRequests(load_run(path), shared).describe(question_of())
    [request] = shared.values
    assert request["system"][0].startswith("a\ufffdb\ufffdc")
    assert request["others"]["stop_sequences"] == ["\ufffd"]
