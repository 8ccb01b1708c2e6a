"""Batches of the test server are taken at once, answered later, and told of as documented."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import httpx
import pytest

from evalkit.testing.messages_batches import BatchFault
from evalkit.testing.messages_model_rules import NO_PREFILL
from evalkit.testing.messages_models import Json
from evalkit.testing.messages_replies import by_model, key_answers
from evalkit.testing.messages_rules import NEW_VERSION, OLD_VERSION
from evalkit.testing.messages_server import MessagesServer

PATH = "/v1/messages/batches"
ANT = "What is latin for Ant? (A) Apoidea, (B) Rhopalocera, (C) Formicidae"
ASKED: Json = {
    "model": "claude-haiku-4-5",
    "max_tokens": 1,
    "messages": [
        {"role": "user", "content": ANT},
        {"role": "assistant", "content": "The answer is ("},
    ],
}
KEY = key_answers({"What is latin for Ant?": "Formicidae"})


def params(**fields: object) -> Json:
    return ASKED | fields


def batch_of(count: int) -> Json:
    return {"requests": [{"custom_id": f"q-{n:02}", "params": ASKED} for n in range(count)]}


class Caller:
    """Asks one server."""

    def __init__(self, server: MessagesServer, version: str = NEW_VERSION) -> None:
        headers = {"x-api-key": server.key, "anthropic-version": version}
        self._client = httpx.Client(base_url=server.base_url, headers=headers, trust_env=False)

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    def send(self, method: str, path: str = "", body: Json | None = None) -> httpx.Response:
        return self._client.request(method, path if ":" in path else PATH + path, json=body)

    def json(self, method: str, path: str = "", body: Json | None = None) -> Json:
        response = self.send(method, path, body)
        assert response.status_code == 200, response.text
        decoded: Json = response.json()
        return decoded

    def results(self, batch: Json) -> list[Json]:
        response = self.send("GET", batch["results_url"])
        assert response.status_code == 200, response.text
        return [json.loads(line) for line in response.text.splitlines()]


def results_of(server: MessagesServer, body: Json, version: str = NEW_VERSION) -> dict[str, Json]:
    """What came of each request, once the batch has ended."""
    with Caller(server, version) as caller:
        batch = caller.json("POST", body=body)
        server.end_batches()
        ended = caller.json("GET", f"/{batch['id']}")
        assert ended["processing_status"] == "ended"
        return {line["custom_id"]: line["result"] for line in caller.results(ended)}


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    with MessagesServer(answer=KEY, batch_seconds=None) as opened:
        yield opened


@pytest.fixture
def caller(server: MessagesServer) -> Iterator[Caller]:
    with Caller(server) as opened:
        yield opened


# The life of a batch


def test_a_batch_tells_nothing_before_its_end(server: MessagesServer, caller: Caller) -> None:
    created = caller.json("POST", body=batch_of(3))
    assert caller.json("GET", f"/{created['id']}") == created
    begin, end = (datetime.fromisoformat(created[f"{word}_at"]) for word in ("created", "expires"))
    assert end - begin == timedelta(hours=24)
    none = ("ended_at", "cancel_initiated_at", "archived_at", "results_url")
    assert [created[name] for name in none] == [None] * 4
    assert (created["type"], created["processing_status"]) == ("message_batch", "in_progress")
    counts = {"processing": 3, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    assert created["request_counts"] == counts
    assert caller.send("GET", f"/{created['id']}/results").status_code == 400
    server.end_batches()
    ended = caller.json("GET", f"/{created['id']}")
    assert ended["request_counts"] == counts | {"processing": 0, "succeeded": 3}
    assert ended["results_url"] == f"{server.base_url}{PATH}/{created['id']}/results"
    assert datetime.fromisoformat(ended["ended_at"]) >= begin
    assert caller.json("GET", f"/{created['id']}") == ended


def test_a_batch_takes_the_time_that_it_is_given() -> None:
    with MessagesServer(batch_seconds=0.2) as server, Caller(server) as caller:
        path = f"/{caller.json('POST', body=batch_of(1))['id']}"
        statuses = {caller.json("GET", path)["processing_status"]}
        time.sleep(0.2)
        assert statuses == {"in_progress"}
        assert caller.json("GET", path)["processing_status"] == "ended"


def test_a_batch_without_a_time_has_ended_at_the_second_look() -> None:
    with MessagesServer() as server, Caller(server) as caller:
        created = caller.json("POST", body=batch_of(1))
        assert created["processing_status"] == "in_progress"
        assert caller.json("GET", f"/{created['id']}")["processing_status"] == "ended"


def test_a_canceled_batch_keeps_what_was_done() -> None:
    with MessagesServer(batch_seconds=0.4) as server, Caller(server) as caller:
        path = f"/{caller.json('POST', body=batch_of(20))['id']}"
        time.sleep(0.1)
        canceling = caller.json("POST", f"{path}/cancel")
        ended = caller.json("GET", path)
        again = caller.send("POST", f"{path}/cancel")
        results = {line["custom_id"]: line["result"]["type"] for line in caller.results(ended)}
    assert (canceling["processing_status"], canceling["results_url"]) == ("canceling", None)
    assert canceling["request_counts"]["processing"] == 20
    assert canceling["cancel_initiated_at"] is not None
    assert ended["processing_status"] == "ended"
    counts = ended["request_counts"]
    assert counts["succeeded"] >= 5
    assert counts["canceled"] >= 1
    assert counts["succeeded"] + counts["canceled"] == 20
    order = [results[custom_id] for custom_id in sorted(results)]
    assert order == ["succeeded"] * counts["succeeded"] + ["canceled"] * counts["canceled"]
    assert again.status_code == 400


def test_canceling_can_take_its_time() -> None:
    with (
        MessagesServer(batch_seconds=None, cancel_seconds=60) as server,
        Caller(server) as caller,
    ):
        path = f"/{caller.json('POST', body=batch_of(2))['id']}"
        first = caller.json("POST", f"{path}/cancel")
        assert caller.json("POST", f"{path}/cancel") == first
        assert caller.json("GET", path) == first
        server.end_batches()
        assert caller.json("GET", path)["request_counts"]["canceled"] == 2


def test_a_batch_is_deleted_after_its_end_only(server: MessagesServer, caller: Caller) -> None:
    path = f"/{caller.json('POST', body=batch_of(1))['id']}"
    assert caller.send("DELETE", path).status_code == 400
    server.end_batches()
    deleted = {"id": path[1:], "type": "message_batch_deleted"}
    assert caller.json("DELETE", path) == deleted
    for method, place in (("GET", path), ("GET", f"{path}/results"), ("DELETE", path)):
        gone = caller.send(method, place)
        assert (gone.status_code, gone.json()["error"]["type"]) == (404, "not_found_error")
    assert caller.json("GET")["data"] == []


def test_batches_are_listed_in_pages_newest_first(server: MessagesServer, caller: Caller) -> None:
    ids = [caller.json("POST", body=batch_of(1))["id"] for _ in range(5)]
    newest = ids[::-1]
    everything = caller.json("GET")
    assert [batch["id"] for batch in everything["data"]] == newest
    assert (everything["first_id"], everything["last_id"]) == (newest[0], newest[-1])
    assert not everything["has_more"]
    first = caller.json("GET", "?limit=2")
    assert [batch["id"] for batch in first["data"]] == newest[:2]
    assert first["has_more"]
    last = caller.json("GET", f"?limit=3&after_id={first['last_id']}")
    assert [batch["id"] for batch in last["data"]] == newest[2:]
    assert not last["has_more"]
    before = caller.json("GET", f"?limit=1&before_id={newest[3]}")
    assert [batch["id"] for batch in before["data"]] == [newest[2]]
    assert before["has_more"]
    for query in ("?limit=0", "?limit=1001", "?after_id=msgbatch_0"):
        assert caller.send("GET", query).status_code == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/msgbatch_0"), ("POST", "/msgbatch_0/cancel"), ("PUT", ""), ("GET", "/a/b/c")],
)
def test_an_unknown_batch_is_not_found(caller: Caller, method: str, path: str) -> None:
    assert caller.send(method, path).status_code == 404


# Results


def test_results_come_shuffled_and_always_in_the_same_order() -> None:
    def order(seed: int, count: int) -> list[str]:
        with MessagesServer(batch_seed=seed) as server:
            return list(results_of(server, batch_of(count)))

    sent = [f"q-{number:02}" for number in range(30)]
    assert order(1, 30) != sent
    assert sorted(order(1, 30)) == sent
    assert order(1, 30) == order(1, 30) != order(2, 30)
    for seed in range(5):
        assert order(seed, 2) == ["q-01", "q-00"]


def test_a_request_succeeds_with_the_message_it_would_have_got_alone(
    server: MessagesServer, caller: Caller
) -> None:
    alone = caller.json("POST", f"{server.base_url}/v1/messages", ASKED)
    (result,) = results_of(server, batch_of(1)).values()
    message = result["message"]
    assert result["type"] == "succeeded"
    assert message["content"] == [{"type": "text", "text": "C"}]
    assert message["usage"] == alone["usage"] | {"service_tier": "batch"}
    assert message["id"] != alone["id"]
    assert {**message, "id": 0, "usage": 0} == {**alone, "id": 0, "usage": 0}


@pytest.mark.parametrize(
    ("fields", "error_type", "text"),
    [
        ({"model": "claude-opus-4-6"}, "invalid_request_error", NO_PREFILL),
        ({"max_tokens": -1}, "invalid_request_error", "greater than or equal to 0"),
        ({"messages": []}, "invalid_request_error", "at least one message is required"),
        ({"unknown": 1}, "invalid_request_error", "unknown: Extra inputs are not permitted"),
        ({"temperature": 0}, "invalid_request_error", "temperature: Extra inputs"),
        ({"model": "claude-nope"}, "not_found_error", "model: claude-nope"),
    ],
)
def test_a_bad_request_is_an_errored_result_of_a_good_batch(
    server: MessagesServer, fields: Json, error_type: str, text: str
) -> None:
    bad = {"custom_id": "bad", "params": params(**fields)}
    good = {"custom_id": "good", "params": ASKED}
    results = results_of(server, {"requests": [bad, good]})
    assert results["good"]["type"] == "succeeded"
    assert results["bad"]["type"] == "errored"
    outer = results["bad"]["error"]
    assert (outer["type"], outer["request_id"]) == ("error", None)
    assert outer["error"]["type"] == error_type
    assert text in outer["error"]["message"]


def test_requests_keep_the_rules_of_the_version_of_their_batch(server: MessagesServer) -> None:
    body = {"requests": [{"custom_id": "q", "params": params(temperature=0)}]}
    assert results_of(server, body, OLD_VERSION)["q"]["type"] == "succeeded"
    assert results_of(server, body, NEW_VERSION)["q"]["type"] == "errored"


def test_requests_fail_as_the_plan_says() -> None:
    plan: dict[str, BatchFault] = {
        "q-00": "expired",
        "q-01": "canceled",
        "q-02": "overloaded",
        "q-03": "server_error",
    }

    def first_batch(custom_id: str, batch_number: int) -> BatchFault | None:
        return plan.get(custom_id) if batch_number == 1 else None

    with MessagesServer(batch_fault=first_batch) as server:
        first, second = results_of(server, batch_of(5)), results_of(server, batch_of(5))
        with Caller(server) as caller:
            counts = caller.json("GET")["data"][1]["request_counts"]
    assert first["q-00"] == {"type": "expired"}
    assert first["q-01"] == {"type": "canceled"}
    assert first["q-02"] == {
        "type": "errored",
        "error": {
            "type": "error",
            "error": {"type": "overloaded_error", "message": "Overloaded"},
            "request_id": None,
        },
    }
    assert first["q-03"]["error"]["error"]["type"] == "api_error"
    assert first["q-04"]["type"] == "succeeded"
    assert counts == {"processing": 0, "succeeded": 1, "errored": 2, "canceled": 1, "expired": 1}
    assert {result["type"] for result in second.values()} == {"succeeded"}


def test_an_answer_that_raises_in_a_batch_fails_the_test() -> None:
    with (
        pytest.raises(RuntimeError) as caught,
        MessagesServer(answer=by_model({})) as server,
        Caller(server) as caller,
    ):
        path = f"/{caller.json('POST', body=batch_of(1))['id']}"
        assert caller.send("GET", path).status_code == 500
    assert isinstance(caught.value.__cause__, KeyError)


# Creation


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "requests: Field required"),
        ({"requests": []}, "at least 1 item"),
        (batch_of(6), "requests: List should have at most 5 items after validation, not 6"),
        (batch_of(1) | {"model": "x"}, "model: Extra inputs are not permitted"),
        ({"requests": ["x"]}, "requests.0: Input should be a valid dictionary"),
        ({"requests": [{"params": ASKED}]}, "requests.0.custom_id: Field required"),
        ({"requests": [{"custom_id": "x"}]}, "requests.0.params: Field required"),
        ({"requests": [{"custom_id": "x", "params": 1}]}, "requests.0.params: Input should be"),
        (
            {"requests": [{"custom_id": "x", "params": ASKED, "n": 1}]},
            "requests.0.n: Extra inputs are not permitted",
        ),
        *(
            (
                {"requests": [{"custom_id": custom_id, "params": ASKED}]},
                "requests.0.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'",
            )
            for custom_id in ("", "a b", "a.b", "ä", "x" * 65, "x\n", 7)
        ),
        (
            {"requests": batch_of(2)["requests"] + batch_of(1)["requests"]},
            "requests.2.custom_id: `q-00` is not unique",
        ),
        *(
            (
                {"requests": [{"custom_id": "x", "params": params(**{name: value})}]},
                f"requests.0.params.{name}: not supported in a batch",
            )
            for name, value in (
                ("stream", True),
                ("speed", "fast"),
                ("speed", "standard"),
                ("max_tokens", 0),
                ("fallbacks", []),
            )
        ),
    ],
)
def test_a_batch_that_is_none_is_refused_at_once(body: Json, text: str) -> None:
    with MessagesServer(max_batch_requests=5) as server, Caller(server) as caller:
        response = caller.send("POST", body=body)
    assert response.status_code == 400
    assert text in response.json()["error"]["message"]
    assert server.batches == []


def test_a_batch_may_be_larger_than_a_message_but_not_too_large() -> None:
    with (
        MessagesServer(max_batch_bytes=20_000, max_body_bytes=1_000) as server,
        Caller(server) as caller,
    ):
        assert caller.send("POST", body=batch_of(20)).status_code == 200
        refused = caller.send("POST", body=batch_of(200))
        message = caller.send("POST", f"{server.base_url}/v1/messages", params(system="x" * 1_000))
    for response in (refused, message):
        assert response.status_code == 413
        assert response.json()["error"]["type"] == "request_too_large"


def test_custom_ids_may_use_all_that_the_pattern_allows(server: MessagesServer) -> None:
    ids = ["a" * 64, "A-Z_09", "-", "_"]
    body = {"requests": [{"custom_id": custom_id, "params": ASKED} for custom_id in ids]}
    assert set(results_of(server, body)) == set(ids)


def test_it_remembers_its_batches(server: MessagesServer, caller: Caller) -> None:
    created = caller.json("POST", body=batch_of(2))
    caller.json("POST", body=batch_of(1))
    first, second = server.batches
    assert (first.id, first.custom_ids, first.number) == (created["id"], ("q-00", "q-01"), 1)
    assert first.created == datetime.fromisoformat(created["created_at"])
    assert first.requests["q-00"] == ASKED
    assert (first.status, second.status) == ("in_progress", "in_progress")


def test_a_bare_server_has_no_batches() -> None:
    with MessagesServer(bare=True) as server, Caller(server) as caller:
        assert caller.send("POST", body=batch_of(1)).status_code == 404


def test_without_retention_there_are_no_batches() -> None:
    with MessagesServer(zero_retention=True) as server, Caller(server) as caller:
        refused = caller.send("POST", body=batch_of(1))
    assert refused.status_code == 400
    assert "zero data retention" in refused.json()["error"]["message"]
