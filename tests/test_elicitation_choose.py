"""Every model takes the requests that evalkit builds for it; what it refuses is understood."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.answers import Answer, Outcome
from evalkit.api.client import MessagesClient
from evalkit.elicitation.asking import Asking
from evalkit.elicitation.choose import (
    IN_WORDS,
    MODULES,
    NEEDED,
    Feature,
    build_body,
    build_probe,
    choose_way,
    continues_prefill,
    enlarge,
    keeps_to_constraint,
    list_features,
    list_ways,
    read_answer,
    refused_feature,
    without,
)
from evalkit.errors import InvalidRequestError, NotFoundError
from evalkit.models.catalogue import find_model, load_catalogue
from evalkit.models.model import Capabilities, ThinkingSwitch
from evalkit.prompts import Prompt, PromptFormat, build_prompt
from evalkit.questions import Question
from evalkit.requests import WAYS, Way
from evalkit.responses import Response, Usage
from evalkit.testing.messages_model_rules import NO_FORCED_TOOL, NO_PREFILL, TRAILING_WHITESPACE
from evalkit.testing.messages_models import MODELS
from evalkit.testing.messages_replies import key_answers
from evalkit.testing.messages_server import MessagesServer, Reply
from tests.conftest import endpoint_of

ANT = Question(
    id="ant",
    stem="What is latin for ant?",
    choices=("Apoidea", "Rhopalocera", "Formicidae", "Isoptera"),
    right=(2,),
)
BEE = Question(id="bee", stem="And for bee?", choices=("Apoidea", "Formicidae"), right=(0,))
GONE = "claude-mythos-preview"
"""Still in the catalogue, but no longer served."""

SERVED = [model.id for model in MODELS]
RETIRED = sorted(name for name, model in load_catalogue().items() if model.lifecycle == "retired")
OLD_VERSION, NEW_VERSION = "2023-06-01", "2026-10-21"


@pytest.fixture(scope="module")
def server() -> Iterator[MessagesServer]:
    # All models think as long as they can: those kept from it answer at once all the same.
    answer = key_answers({ANT.stem: "Formicidae"}, thinking="Which of the four is it? " * 40)
    with MessagesServer(answer=answer, style="The answer is ({letter}).") as server:
        yield server


def ask(
    server: MessagesServer,
    model: str,
    way: Way,
    shots: int = 0,
    version: str = OLD_VERSION,
    form: PromptFormat | None = None,
    **chosen: Any,
) -> tuple[Response, Answer]:
    """Ask about the ant as evalkit does."""
    prompt = build_prompt(ANT, form or PromptFormat(), (BEE,) * shots)
    asking = Asking(
        model=model,
        capabilities=find_model(model).capabilities,
        temperature=0.0 if version == OLD_VERSION else None,
        **chosen,
    )
    endpoint = replace(endpoint_of(server), version=version)

    async def send() -> Response:
        async with MessagesClient(endpoint, 1) as client:
            return await client.send(build_body(way, prompt, asking))

    response = asyncio.run(send())
    return response, read_answer(way, response, prompt, ANT.choices)


RIGHT = Answer(outcome=Outcome.ANSWERED, choice=2)


# Every model, every way


def taken(model: str) -> tuple[Way, ...]:
    """The ways that the catalogue says a model takes."""
    return list_ways(find_model(model).capabilities)


@pytest.mark.parametrize("version", [OLD_VERSION, NEW_VERSION])
@pytest.mark.parametrize("shots", [0, 1])
@pytest.mark.parametrize(("model", "way"), [(m, way) for m in SERVED for way in taken(m)])
def test_every_model_is_asked_in_every_way_that_it_takes(
    model: str, way: Way, shots: int, version: str, server: MessagesServer
) -> None:
    response, answer = ask(server, model, way, shots, version)
    assert answer == RIGHT
    can, sent = find_model(model).capabilities, server.requests[-1].body
    assert ("temperature" in sent) is (
        version == OLD_VERSION and bool(can.temperature) and way != "reasoned"
    )
    # A model thinks where it is told to, or where nothing keeps it from thinking.
    assert (response.usage.thinking_tokens or 0) * (way != "reasoned" and not can.may_think) == 0
    if way == "reasoned" or can.may_think:
        assert (response.usage.thinking_tokens or 0) > 100
    expected = {"prefill": "max_tokens", "tool": "tool_use"}.get(way, "end_turn")
    assert response.stop_reason == expected
    prompt = build_prompt(ANT, PromptFormat())
    assert keeps_to_constraint(way, response, prompt)


@pytest.mark.parametrize("version", [OLD_VERSION, NEW_VERSION])
@pytest.mark.parametrize("model", SERVED)
def test_every_model_reasons_in_words(model: str, version: str, server: MessagesServer) -> None:
    response, answer = ask(server, model, "reasoned", 1, version, thought="text")
    assert answer == RIGHT
    thinks = find_model(model).capabilities.may_think
    assert ((response.usage.thinking_tokens or 0) > 0) is thinks


@pytest.mark.parametrize(
    ("model", "effort"),
    [(m, effort) for m in SERVED for effort in find_model(m).capabilities.efforts or ()],
)
@pytest.mark.parametrize("way", ["structured", "reasoned"])
def test_every_model_takes_its_levels_of_effort(
    model: str, effort: str, way: Way, server: MessagesServer
) -> None:
    try:
        _, answer = ask(server, model, way, effort=effort)
    except InvalidRequestError as error:
        # Only without thinking, and only the two highest; the model still takes both settings.
        assert (way, effort in ("xhigh", "max")) == ("structured", True)
        assert "is not supported with effort" in str(error)
        assert refused_feature(error, frozenset({"thinking", "effort", "structured"})) is None
    else:
        assert answer == RIGHT
    assert server.requests[-1].body["output_config"]["effort"] == effort


@pytest.mark.parametrize(
    ("model", "way"), [(m, way) for m in SERVED for way in WAYS if way not in taken(m)]
)
def test_every_model_refuses_the_other_ways_in_words_that_are_understood(
    model: str, way: Way, server: MessagesServer
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        ask(server, model, way)
    sent = list_features(server.requests[-1].body)
    assert refused_feature(caught.value, sent) == NEEDED[way]


@pytest.mark.parametrize("model", [m for m in SERVED if find_model(m).capabilities.prefill])
def test_a_prefill_is_gone_on_with_by_one_token(model: str, server: MessagesServer) -> None:
    response, _ = ask(server, model, "prefill")
    assert (response.text, response.usage.output_tokens) == ("C", 1)


@pytest.mark.parametrize("way", ["prefill", "structured", "tool"])
@pytest.mark.parametrize("labels", ["letters", "digits"])
def test_labels_are_bound_whatever_they_are(way: Way, labels: Any) -> None:
    form = PromptFormat(labels=labels)
    label = "c" if labels == "letters" else "3"
    # Structured output does not guarantee the case.
    with MessagesServer(answer=lambda body: Reply(letter=label), odd_casing=True) as server:
        _, answer = ask(server, "claude-haiku-4-5", way, 1, form=form)
    assert answer == RIGHT


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", RETIRED)
def test_a_model_past_its_end_is_not_found(model: str, way: Way, server: MessagesServer) -> None:
    with pytest.raises(NotFoundError, match=model):
        ask(server, model, way)


# Which way


@pytest.mark.parametrize("model", SERVED)
def test_the_catalogue_settles_the_way_for_every_model(model: str) -> None:
    expected = "prefill" if model.rsplit("-2025", 1)[0].endswith("-4-5") else "instructed"
    assert choose_way(find_model(model).capabilities) == expected


def test_nothing_is_settled_for_a_model_that_is_not_known() -> None:
    assert choose_way(Capabilities()) is None
    assert list_ways(Capabilities()) == WAYS


@pytest.mark.parametrize("way", NEEDED)
def test_a_way_that_is_not_taken_is_not_listed(way: Way) -> None:
    needed: dict[str, Any] = {NEEDED[way]: False}
    assert list_ways(Capabilities(**needed)) == tuple(other for other in WAYS if other != way)


def test_each_way_has_its_module_and_each_feature_its_words() -> None:
    assert tuple(MODULES) == WAYS
    assert set(NEEDED.values()) < set(IN_WORDS)


# What was sent, and what was refused of it


def test_the_features_of_a_request_are_seen() -> None:
    prompt = build_prompt(ANT, PromptFormat())
    can = Capabilities(temperature=True, thinking="disabled", think_on="adaptive")
    asking = Asking(model="m", capabilities=can, effort="low")
    switched = {"temperature", "thinking", "effort"}
    assert {way: list_features(build_body(way, prompt, asking)) for way in WAYS} == {
        "prefill": {"prefill", "temperature"},
        "instructed": switched,
        "structured": {*switched, "structured"},
        "tool": {*switched, "forced_tool"},
        "reasoned": {"thinking", "effort"},
    }


ALL: frozenset[Feature] = frozenset(IN_WORDS)
ENABLED = (
    '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
    '"output_config.effort" to control thinking behavior.'
)


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
        (400, "`temperature` may only be set to 1 when thinking is enabled.", "temperature"),
        (400, NO_FORCED_TOOL, "forced_tool"),
        (
            400,
            "Thinking may not be enabled when tool_choice forces tool use.",
            "forced_tool",
        ),
        (400, ENABLED, "thinking"),
        (400, "adaptive thinking is not supported on this model", "thinking"),
        (400, '"thinking.type.between_tools" is not supported for this model.', "thinking"),
        (400, "This model does not support the effort parameter.", "effort"),
        (400, "output_config.effort: Extra inputs are not permitted", "effort"),
        (400, "output_config.format: Extra inputs are not permitted", "structured"),
        (400, "output_config: Extra inputs are not permitted", "structured"),
        (400, "Structured outputs are not available here", "structured"),
        # Two settings that don't go together, or one that is out of bounds.
        (400, '"thinking.type.disabled" is not supported with effort "max".', None),
        (400, "`max_tokens` must be greater than `thinking.budget_tokens`.", None),
        (400, "thinking.enabled.budget_tokens: Input should be greater than 1023", None),
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
    error = InvalidRequestError(message, status=status)
    assert refused_feature(error, ALL) == feature
    # What was not sent can't have been refused.
    assert refused_feature(error, frozenset()) is None
    if feature is not None:
        assert refused_feature(error, frozenset({feature})) == feature


def test_where_no_schema_was_sent_it_is_the_effort_that_is_refused() -> None:
    error = InvalidRequestError("output_config: Extra inputs are not permitted", status=400)
    assert refused_feature(error, frozenset({"effort", "temperature"})) == "effort"


@pytest.mark.parametrize("feature", ["prefill", "temperature", "forced_tool", "structured"])
def test_a_refused_feature_is_taken_out_alone(feature: Feature) -> None:
    before = Capabilities(
        prefill=True, temperature=True, forced_tool=True, structured=True, thinking="off"
    )
    after = without(before, feature, InvalidRequestError("no", status=400), {})
    refused: dict[str, Any] = {feature: False}
    assert after == replace(before, **refused)


def test_a_refused_effort_leaves_no_level() -> None:
    before = Capabilities(efforts=("low", "high"), think_on="adaptive")
    after = without(before, "effort", InvalidRequestError("no", status=400), {})
    assert after == replace(before, efforts=())


SWITCHED_OFF = (
    '"thinking.type.disabled" is not supported for this model. Use "thinking.type.between_tools" '
    'for the lowest thinking setting, or "thinking.type.adaptive" and "output_config.effort"'
)


@pytest.mark.parametrize(
    ("sent", "message", "known"),
    [
        ("disabled", SWITCHED_OFF, {"thinking": "between_tools"}),
        ("disabled", '"thinking.type.disabled" is not supported', {"thinking": "always"}),
        ("between_tools", '"thinking.type.between_tools" is not', {"thinking": "always"}),
        ("adaptive", "adaptive thinking is not supported on this model", {"think_on": "enabled"}),
        ("enabled", ENABLED, {"think_on": "adaptive"}),
        ("enabled", "thinking: Extra inputs are not permitted", {"think_on": "none"}),
    ],
)
def test_a_refused_kind_of_thinking_leads_to_the_next(
    sent: str, message: str, known: dict[str, Any]
) -> None:
    on: ThinkingSwitch = "enabled" if sent == "enabled" else "adaptive"
    before = Capabilities(thinking="disabled", think_on=on)
    error = InvalidRequestError(message, status=400)
    after = without(before, "thinking", error, {"thinking": {"type": sent}})
    assert after == replace(before, **known)


# More room


@pytest.mark.parametrize(
    ("room", "most", "more"),
    [
        (16, None, 64),
        (16, 64_000, 64),
        (1, None, 4),
        (4096, 128_000, 16_384),
        (4096, 8192, 8192),
        (4096, 4096, None),
        (64_000, 64_000, None),
        (9000, 4096, None),
    ],
)
def test_a_reply_that_was_cut_gets_more_room_up_to_the_models_most(
    room: int, most: int | None, more: int | None
) -> None:
    body = {"model": "m", "max_tokens": room, "messages": []}
    expected = None if more is None else {**body, "max_tokens": more}
    assert enlarge(body, most) == expected
    assert body["max_tokens"] == room


# The probe


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
    assert continues_prefill(response_of(text, "max_tokens")) is continues


@pytest.mark.parametrize("with_prefill", [True, False])
def test_the_probe_is_one_easy_question(with_prefill: bool) -> None:
    asking = Asking(model="m", capabilities=Capabilities(), temperature=0.5, max_tokens=99)
    body = build_probe(asking, with_prefill=with_prefill)
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("m", 1, 0.5)
    assert [m["role"] for m in body["messages"]] == ["user", "assistant"][: 1 + with_prefill]
    # Whatever the model does with it, a fresh turn must not look like a letter.
    assert body["messages"][0]["content"].endswith("begins with the words: My choice")


# Whatever comes back


def response_of(
    text: str, stop_reason: str | None = "end_turn", tool_input: str | None = None
) -> Response:
    return Response(
        text=text, stop_reason=stop_reason, model=None, usage=Usage(), tool_input=tool_input
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("category", ["bio", "cyber", None])
def test_a_refusal_is_a_refusal_in_every_way(way: Way, category: Any) -> None:
    reply = Reply("C" * (category is None), refusal=category, stop_reason="refusal")
    with MessagesServer(answer=lambda body: reply) as server:
        response, answer = ask(server, "claude-haiku-4-5", way)
    assert answer == Answer(outcome=Outcome.REFUSED)
    assert response.refusal_category == category
    assert keeps_to_constraint(way, response, build_prompt(ANT, PromptFormat()))


@pytest.mark.parametrize("way", ["prefill", "instructed", "reasoned"])
def test_where_nothing_is_bound_nothing_is_broken(way: Way) -> None:
    assert keeps_to_constraint(way, response_of("?!"), build_prompt(ANT, PromptFormat()))


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["answer", "arguments", "parameters", "input", "name"]), inner
        )
    ),
    max_leaves=6,
)
SAID = (
    st.text()
    | JSON.map(json.dumps)
    | st.text(st.sampled_from('{}[]":,.() \nABCDEZabcdez123answer'))
    | st.lists(
        st.sampled_from(
            ["The answer is ", "(", "B", ")", "Answer: ", '{"answer": "', '"}', "```", "Apoidea"]
        )
    ).map("".join)
)
QUESTIONS = st.integers(2, 6).map(
    lambda count: Question(
        id="q", stem="Which?", choices=tuple(f"choice {n}" for n in range(count)), right=(0,)
    )
)


@given(
    way=st.sampled_from(WAYS),
    question=QUESTIONS,
    form=st.sampled_from(
        [PromptFormat(), PromptFormat(labels="digits"), PromptFormat(prefill="=")]
    ),
    text=SAID,
    tool_input=st.none() | SAID,
    stop_reason=st.none() | st.sampled_from(["end_turn", "max_tokens", "refusal", "tool_use"]),
)
def test_reading_never_raises_and_names_no_choice_that_was_not_offered(
    way: Way,
    question: Question,
    form: PromptFormat,
    text: str,
    tool_input: str | None,
    stop_reason: str | None,
) -> None:
    prompt: Prompt = build_prompt(question, form)
    response = response_of(text, stop_reason, tool_input)
    answer = read_answer(way, response, prompt, question.choices)
    if answer.choice is not None:
        assert isinstance(answer.choice, int)
        assert 0 <= answer.choice < len(question.choices)
    assert (answer.outcome is Outcome.REFUSED) is (stop_reason == "refusal")
    assert answer.outcome in (
        *(Outcome.ANSWERED, Outcome.UNPARSED, Outcome.REFUSED),
        *([Outcome.TRUNCATED] if stop_reason == "max_tokens" else []),
    )
    assert isinstance(keeps_to_constraint(way, response, prompt), bool)


@given(
    message=st.text(),
    status=st.none() | st.integers(400, 599),
    sent=st.sets(st.sampled_from(sorted(ALL))),
)
def test_only_what_was_sent_is_ever_taken_for_refused(
    message: str, status: int | None, sent: set[Feature]
) -> None:
    found = refused_feature(InvalidRequestError(message, status=status), frozenset(sent))
    assert found is None or found in sent
