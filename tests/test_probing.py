"""How a model is asked is found out with as few requests as it takes, and remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from evalkit.api.client import MessagesClient
from evalkit.elicitation.asking import Asking
from evalkit.errors import (
    ApiError,
    AuthenticationError,
    ConnectionFailedError,
    InvalidRequestError,
    NotFoundError,
    ServerError,
)
from evalkit.models.findings import Findings
from evalkit.models.model import Capabilities, Model
from evalkit.probing import MOST_ATTEMPTS, Settled, probe, settle_way, telling
from evalkit.requests import Way
from evalkit.responses import Response
from evalkit.targets import Target, known_capabilities
from evalkit.testing.messages_body import prefill_of
from evalkit.testing.messages_faults import (
    Fault,
    connection_reset,
    first_attempts,
    from_message_on,
    overloaded,
    rate_limited,
)
from evalkit.testing.messages_server import MessagesServer, Reply
from tests.conftest import QUICK, endpoint_of

OLD, NEW, STRANGE = "claude-haiku-4-5", "claude-opus-4-8", "claude-sonnet-4-6"
"""Models that take a prefill and a temperature; neither; the temperature alone."""


@pytest.fixture
def findings(tmp_path: Path) -> Findings:
    return Findings(path=tmp_path / "findings.json")


def target_of(
    server: MessagesServer, model: str, capabilities: Capabilities | None = None
) -> Target:
    """A model at the test server, with what is to be known of it before: by default nothing."""
    endpoint = endpoint_of(server)
    return Target(
        model=model,
        wire_model=model,
        endpoint=endpoint,
        host=endpoint.host,
        capabilities=capabilities or Capabilities(),
        facts=Model(id=model),
    )


def settle(
    target: Target,
    findings: Findings,
    way: Way | Literal["auto"] = "auto",
    temperature: float | None = 0.0,
    effort: str | None = None,
) -> Settled:
    asking = Asking(
        model=target.wire_model,
        capabilities=Capabilities(),
        temperature=temperature,
        effort=effort,
    )

    async def settle() -> Settled:
        async with MessagesClient(target.endpoint, 1) as client:
            return await settle_way(
                target,
                way,
                asking,
                send=client.send,
                policy=QUICK,
                findings=findings,
            )

    return asyncio.run(settle())


def asked(server: MessagesServer) -> list[tuple[bool, bool]]:
    """Each request: with a prefill? with a temperature?"""
    bodies = [record.body for record in server.requests]
    return [(prefill_of(body) is not None, "temperature" in body) for body in bodies]


BOTH, NO_PREFILL, NO_TEMPERATURE, NEITHER = (
    *((True, True), (False, True), (True, False), (False, False)),
)


@pytest.mark.parametrize(
    ("model", "deviations", "way", "requests"),
    [
        (OLD, {}, "prefill", [BOTH]),
        # A 400 that names the feature means no; the next request leaves it out.
        (STRANGE, {}, "instructed", [BOTH, NO_PREFILL]),
        (NEW, {}, "instructed", [BOTH, NO_PREFILL, NEITHER]),
        # So does a 200 whose text starts a turn of its own.
        (OLD, {"ignore_prefill": True}, "instructed", [BOTH]),
        (OLD, {"echo_prefill": True}, "prefill", [BOTH]),
        ("llama", {"bare": True}, "prefill", [BOTH]),
        ("llama", {"bare": True, "ignore_prefill": True}, "instructed", [BOTH]),
        ("llama", {"bare": True, "echo_prefill": True}, "prefill", [BOTH]),
    ],
)
def test_auto_finds_out_by_a_probe_and_remembers(
    model: str,
    deviations: dict[str, Any],
    way: Way,
    requests: list[tuple[bool, bool]],
    findings: Findings,
) -> None:
    with MessagesServer(**deviations) as server:
        settled = settle(target_of(server, model), findings)
        assert settled.way == way
        words = "takes a prefill" if way == "prefill" else "takes no prefill"
        assert settled.reason == f"auto: {words} (found out by a probe)"
        assert settled.warning is None
        assert asked(server) == requests
        # The next run asks nothing, in whichever process.
        again = settle(target_of(server, model), Findings(path=findings.path))
        assert again.way == way
        assert again.asking == settled.asking
        assert again.reason == f"auto: {words} (found out before)"
        assert len(server.requests) == len(requests)


@pytest.mark.parametrize(
    ("model", "way"), [(OLD, "prefill"), (STRANGE, "instructed"), (NEW, "instructed")]
)
def test_what_the_catalogue_says_costs_no_request(model: str, way: Way, findings: Findings) -> None:
    with MessagesServer() as server:
        official = known_capabilities(model, replace(endpoint_of(server), base_url=OFFICIAL))
        settled = settle(target_of(server, model, official), findings)
        assert (settled.way, server.requests) == (way, [])
        assert settled.reason.endswith("prefill (known)")
        assert not findings.path.exists()


OFFICIAL = "https://api.anthropic.com"


def test_each_endpoint_is_asked_for_itself(findings: Findings) -> None:
    with MessagesServer() as one, MessagesServer(ignore_prefill=True) as other:
        assert settle(target_of(one, OLD), findings).way == "prefill"
        assert settle(target_of(other, OLD), findings).way == "instructed"
        assert settle(target_of(one, OLD), findings).way == "prefill"


def test_a_way_that_was_asked_for_is_not_probed_where_nothing_is_open(findings: Findings) -> None:
    known = Capabilities(temperature=True)
    with MessagesServer() as server:
        settled = settle(target_of(server, NEW, known), findings, "instructed")
        assert (settled.way, settled.reason) == ("instructed", "asked for")
        assert server.requests == []


def test_instructed_wants_to_know_of_the_temperature_alone(findings: Findings) -> None:
    with MessagesServer() as server:
        settled = settle(target_of(server, NEW), findings, "instructed")
        assert settled.asking.capabilities == Capabilities(temperature=False)
        assert asked(server) == [NO_PREFILL, NEITHER]
        # The prefill is still open, and found out when it matters.
        assert settle(target_of(server, NEW), findings).way == "instructed"
        assert asked(server)[2:] == [NO_TEMPERATURE, NEITHER]


def test_without_a_temperature_none_is_probed(findings: Findings) -> None:
    with MessagesServer() as server:
        settled = settle(target_of(server, OLD), findings, temperature=None)
        assert settled.asking.capabilities == Capabilities(prefill=True)
        assert asked(server) == [NO_TEMPERATURE]


def test_a_prefill_that_was_asked_for_and_is_refused_is_an_error(findings: Findings) -> None:
    with (
        MessagesServer() as server,
        pytest.raises(InvalidRequestError) as caught,
    ):
        settle(target_of(server, STRANGE), findings, "prefill")
    assert str(caught.value) == (
        "claude-sonnet-4-6 takes no prefill; use --way auto or --way instructed (This model does "
        "not support assistant message prefill. The conversation must end with a user message. "
        "(status 400))"
    )
    assert caught.value.status == 400
    assert len(server.requests) == 1


def test_a_prefill_that_was_asked_for_and_is_ignored_is_a_warning(findings: Findings) -> None:
    with MessagesServer(ignore_prefill=True) as server:
        target = target_of(server, OLD)
        for reason in ("found out by a probe", "found out before"):
            settled = settle(target, findings, "prefill")
            assert (settled.way, settled.reason) == ("prefill", "asked for")
            assert settled.warning == (
                f"claude-haiku-4-5 takes no prefill ({reason}); --way auto would ask otherwise"
            )
        assert len(server.requests) == 1


def test_what_the_catalogue_refuses_is_left_to_the_api_to_refuse(findings: Findings) -> None:
    known = Capabilities(prefill=False, temperature=True)
    with MessagesServer() as server:
        settled = settle(target_of(server, STRANGE, known), findings, "prefill")
        assert (settled.way, settled.warning, server.requests) == ("prefill", None, [])


@pytest.mark.parametrize("fault", [rate_limited(0.001), overloaded(), connection_reset()])
def test_a_probe_is_retried_like_any_request(fault: Any, findings: Findings) -> None:
    with MessagesServer(faults=first_attempts(fault)) as server:
        assert settle(target_of(server, OLD), findings).way == "prefill"
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("server", "model", "kind", "requests"),
    [
        (MessagesServer(key="another"), OLD, AuthenticationError, 1),
        (MessagesServer(), "claude-nope", NotFoundError, 1),
        # A server that says 500 for a refused prefill: retried, but not for ever.
        (MessagesServer(mistakes_as_500=True), STRANGE, ServerError, QUICK.attempts),
    ],
)
def test_another_refusal_is_an_error_and_no_finding(
    server: MessagesServer, model: str, kind: type[ApiError], requests: int, findings: Findings
) -> None:
    with server:
        target = target_of(server, model)
        target = replace(target, endpoint=replace(target.endpoint, api_key="test-key"))
        with pytest.raises(kind):
            settle(target, findings)
        assert len(server.requests) == requests
    assert not findings.path.exists()


def test_a_feature_refused_when_it_is_not_sent_ends_the_probe(findings: Findings) -> None:
    # A refusal of another kind that names a feature: leaving the feature out does not help.
    words = b'{"error": {"message": "prefill is switched off here, and so is all else"}}'
    off = Fault(manner="page", status=400, content=words, content_type="application/json")
    with MessagesServer(faults=from_message_on(1, off)) as server:
        with pytest.raises(InvalidRequestError, match="and so is all else"):
            settle(target_of(server, OLD), findings)
        assert asked(server) == [BOTH, NO_PREFILL]
    assert not findings.path.exists()


@pytest.mark.parametrize("way", ["auto", "instructed"])
def test_an_effort_that_will_not_be_sent_is_a_warning(
    way: Literal["auto", "instructed"], findings: Findings
) -> None:
    with MessagesServer() as server:
        target = target_of(server, STRANGE)
        known = Capabilities(prefill=False, temperature=True, efforts=())
        findings.remember(known, target.model, target.host)
        assert settle(target, findings, way).warning is None
        settled = settle(target, findings, way, effort="low")
        assert settled.warning == (
            "claude-sonnet-4-6 takes no effort (found out before); it is asked without low"
        )
        assert server.requests == []


@pytest.mark.parametrize("reply", [Reply(""), Reply(refusal="bio"), Reply("My choice is green")])
def test_a_reply_without_a_letter_is_no_continuation(reply: Reply, findings: Findings) -> None:
    # llama.cpp without its template engine answers a prefill with nothing at all.
    with MessagesServer(answer=lambda body: reply) as server:
        assert settle(target_of(server, OLD), findings).way == "instructed"


def test_a_probe_that_fails_says_so_once_and_ends_soon() -> None:
    said: list[str] = []
    tried = 0

    async def refuse(body: Mapping[str, Any]) -> Response:
        nonlocal tried
        tried += 1
        raise ConnectionFailedError("no connection to host: Connection refused")

    stubborn = replace(QUICK, attempts=100)
    asking = Asking(model="m", capabilities=Capabilities())
    with pytest.raises(ConnectionFailedError):
        asyncio.run(probe(asking, "auto", telling(refuse, said.append), stubborn))
    assert tried == MOST_ATTEMPTS
    assert said == ["no connection to host: Connection refused; trying again"]
