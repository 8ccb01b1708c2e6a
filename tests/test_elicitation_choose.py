"""Every model takes the requests that evalkit builds for it; what it refuses is understood."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from evalkit.answers import Answer, Outcome
from evalkit.api.client import MessagesClient
from evalkit.elicitation.asking import Asking
from evalkit.elicitation.choose import (
    Feature,
    build_body,
    build_probe,
    choose_way,
    continues_prefill,
    read_answer,
    refused_feature,
    without,
)
from evalkit.errors import InvalidRequestError, NotFoundError
from evalkit.models.model import Capabilities, find_capabilities, load_catalogue
from evalkit.prompts import PromptFormat, build_prompt
from evalkit.questions import Question
from evalkit.requests import WAYS, Way
from evalkit.responses import Response, Usage
from tests.conftest import endpoint_of
from tests.messages_model_rules import NO_PREFILL, TRAILING_WHITESPACE
from tests.messages_replies import key_answers
from tests.messages_server import MessagesServer

ANT = Question(
    id="ant",
    stem="What is latin for ant?",
    choices=("Apoidea", "Rhopalocera", "Formicidae", "Isoptera"),
    right=(2,),
)
BEE = Question(id="bee", stem="And for bee?", choices=("Apoidea", "Formicidae"), right=(0,))
GONE = "claude-mythos-preview"
"""Still in the catalogue, but no longer served."""

SERVED = [name for name in load_catalogue() if name != GONE]


@pytest.fixture(scope="module")
def server() -> Iterator[MessagesServer]:
    # All models think as long as they can: those kept from it answer at once all the same.
    answer = key_answers({ANT.stem: "Formicidae"}, thinking="Which of the four is it? " * 40)
    with MessagesServer(answer=answer, style="The answer is ({letter}).") as server:
        yield server


def ask(server: MessagesServer, model: str, way: Way, shots: int = 0) -> tuple[Response, Answer]:
    """Ask about the ant as evalkit does."""
    prompt = build_prompt(ANT, PromptFormat(), (BEE,) * shots)
    asking = Asking(model=model, capabilities=find_capabilities(model))

    async def send() -> Response:
        async with MessagesClient(endpoint_of(server), 1) as client:
            return await client.send(build_body(way, prompt, asking))

    response = asyncio.run(send())
    return response, read_answer(way, response, prompt, ANT.choices)


RIGHT = Answer(outcome=Outcome.ANSWERED, choice=2)


@pytest.mark.parametrize("shots", [0, 1])
@pytest.mark.parametrize("model", SERVED)
def test_every_model_takes_the_instructed_request(
    model: str, shots: int, server: MessagesServer
) -> None:
    response, answer = ask(server, model, "instructed", shots)
    assert answer == RIGHT
    assert response.stop_reason == "end_turn"


@pytest.mark.parametrize("shots", [0, 1])
@pytest.mark.parametrize("model", [m for m in SERVED if find_capabilities(m).prefill])
def test_every_model_that_takes_a_prefill_goes_on_with_it(
    model: str, shots: int, server: MessagesServer
) -> None:
    response, answer = ask(server, model, "prefill", shots)
    assert answer == RIGHT
    assert (response.text, response.stop_reason) == ("C", "max_tokens")
    assert response.usage.output_tokens == 1


@pytest.mark.parametrize("model", [m for m in SERVED if not find_capabilities(m).prefill])
def test_every_other_model_refuses_it(model: str, server: MessagesServer) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        ask(server, model, "prefill")
    assert refused_feature(caught.value) == "prefill"


@pytest.mark.parametrize("way", WAYS)
def test_a_model_past_its_end_is_not_found(way: Way, server: MessagesServer) -> None:
    with pytest.raises(NotFoundError, match=GONE):
        ask(server, GONE, way)


@pytest.mark.parametrize("model", load_catalogue())
def test_the_catalogue_settles_the_way_for_every_model(model: str) -> None:
    expected = "prefill" if model.rsplit("-2025", 1)[0].endswith("-4-5") else "instructed"
    assert choose_way(find_capabilities(model)) == expected


def test_nothing_is_settled_for_a_model_that_is_not_known() -> None:
    assert choose_way(Capabilities()) is None


@pytest.mark.parametrize(
    ("status", "message", "feature"),
    [
        (400, NO_PREFILL, "prefill"),
        (400, NO_PREFILL.upper(), "prefill"),
        (400, "Prefilling assistant messages is not supported for this model.", "prefill"),
        (400, "The conversation must end with a user message.", "prefill"),
        (422, "assistant prefill: not here", "prefill"),
        (400, "`temperature` is deprecated for this model.", "temperature"),
        (400, "Unsupported parameter: Temperature", "temperature"),
        (400, TRAILING_WHITESPACE, None),
        (400, "max_tokens: 99999 > 64000", None),
        # Words of a fault that says nothing about the model.
        (500, NO_PREFILL, None),
        (429, "temperature too high in the data centre", None),
        (None, "prefill", None),
    ],
)
def test_a_refused_feature_is_known_by_status_and_name(
    status: int | None, message: str, feature: Feature | None
) -> None:
    assert refused_feature(InvalidRequestError(message, status=status)) == feature


@pytest.mark.parametrize(
    ("text", "continues"),
    [
        ("B", True),
        ("B)", True),
        (" b", True),
        ("D", True),
        ("The answer is (B", True),
        ("The answer is (B)", True),
        # A turn of its own, or nothing: the prefill was dropped.
        ("My", False),
        ("My choice", False),
        ("The", False),
        ("The answer is", False),
        ("A colour", True),
        ("Because", False),
        ("E", False),
        ("(", False),
        ("", False),
    ],
)
def test_a_letter_shows_that_the_prefill_was_continued(text: str, continues: bool) -> None:
    response = Response(text=text, stop_reason="max_tokens", model=None, usage=Usage())
    assert continues_prefill(response) is continues


@pytest.mark.parametrize("with_prefill", [True, False])
def test_the_probe_is_one_easy_question(with_prefill: bool) -> None:
    asking = Asking(model="m", capabilities=Capabilities(), temperature=0.5)
    body = build_probe(asking, with_prefill=with_prefill)
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("m", 1, 0.5)
    assert [m["role"] for m in body["messages"]] == ["user", "assistant"][: 1 + with_prefill]
    # Whatever the model does with it, a fresh turn must not look like a letter.
    assert body["messages"][0]["content"].endswith("begins with the words: My choice")


@pytest.mark.parametrize("feature", ["prefill", "temperature"])
def test_a_refused_feature_is_taken_out_alone(feature: Feature) -> None:
    before = Capabilities(prefill=True, temperature=True, thinking="off")
    after = without(before, feature)
    assert getattr(after, feature) is False
    changed = {name for name in before.__slots__ if getattr(before, name) != getattr(after, name)}
    assert changed == {feature}
