"""The runner asks many at a time, overcomes what passes, and stops when there is no point."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from evalkit.api.breaker import Breaker
from evalkit.api.client import MessagesClient
from evalkit.api.retries import RetryPolicy
from evalkit.errors import (
    ApiError,
    AuthenticationError,
    BillingError,
    ConnectionFailedError,
    ImageError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    PromptError,
    RateLimitError,
    RunError,
    ServerError,
)
from evalkit.requests import Request, build_request
from evalkit.responses import RequestFailure, Response, Usage
from evalkit.runs.concurrency import ConcurrencyLimit
from evalkit.runs.journal import JournalRow
from evalkit.runs.limiter import Limiter, Ticket
from evalkit.runs.runner import (
    BAD_LUCK,
    HOPELESS_AT_START,
    HOPELESS_IN_A_ROW,
    MOST_WAITING,
    STARTED_TOGETHER,
    Leave,
    OpenDoor,
    Result,
    RunnerSettings,
    run_requests,
)
from evalkit.testing.messages_faults import (
    FaultPlan,
    connection_reset,
    either,
    first_attempts,
    from_message_on,
    no_faults,
    overloaded,
    rate_limited,
    server_error,
    slow,
    spend_limit_reached,
    unauthorized,
)
from evalkit.testing.messages_record import RequestRecord
from evalkit.testing.messages_server import Fault, MessagesServer
from tests.conftest import QUICK, endpoint_of
from tests.simulated_endpoint import run_at
from tests.simulated_time import now, run_simulated

ONCE = replace(QUICK, attempts=1)


def requests_for(count: int) -> list[Request]:
    """Different questions."""
    return [
        build_request(
            f"q{number}",
            "instructed",
            {
                "model": "claude-haiku-4-5",
                "max_tokens": 16,
                "messages": [{"role": "user", "content": f"{number}? (A) odd (B) even"}],
            },
        )
        for number in range(count)
    ]


@dataclass
class Ran:
    """What came of asking."""

    rows: list[JournalRow] = field(default_factory=list)
    error: BaseException | None = None

    @property
    def answered(self) -> set[str]:
        return {row.question_id for row in self.rows if row.is_response}

    @property
    def failed(self) -> set[str]:
        return {row.question_id for row in self.rows if not row.is_response}


def ask(
    server: MessagesServer,
    requests: Iterable[Request],
    *,
    concurrency: int = 4,
    policy: RetryPolicy = QUICK,
    ends_run: Callable[[ApiError], bool] = lambda error: False,
    answered_before: bool = False,
    put: Callable[[JournalRow], None] | None = None,
    deadline_seconds: float | None = None,
) -> Ran:
    """Run requests against a server."""
    ran = Ran()
    endpoint = endpoint_of(server)

    async def run() -> None:
        settings = RunnerSettings(
            limiter=limiter_of(concurrency, policy),
            policy=policy,
            ends_run=ends_run,
            answered_before=answered_before,
            deadline_seconds=deadline_seconds,
        )
        async with MessagesClient(endpoint, concurrency) as client:
            await run_requests(
                requests,
                lambda request, ticket: client.send(request.body, fresh=ticket.is_fresh),
                put or ran.rows.append,
                settings,
            )

    try:
        asyncio.run(run())
    except Exception as error:
        ran.error = error
    return ran


def limiter_of(concurrency: int, policy: RetryPolicy = QUICK) -> Limiter:
    """A limiter that lets so many at once, however it goes."""
    limit = ConcurrencyLimit(concurrency, is_fixed=True)
    return Limiter(limit, breaker=Breaker(policy.outage))


def failing(fault: Fault, *numbers: int) -> FaultPlan:
    """Fail the bodies of these numbers for ever, counted from 1 in the order of arrival."""
    return lambda record: fault if record.body_number in numbers else None


def bad_request() -> Fault:
    """A 400 that is the question's own, as for a prompt that is too long."""
    content = b'{"error": {"message": "prompt is too long: 9 tokens > 8 maximum"}}'
    return Fault(manner="page", status=400, content=content, content_type="application/json")


# Asking


@pytest.mark.parametrize("concurrency", [1, 4, 16])
@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_every_request_gets_one_row(count: int, concurrency: int) -> None:
    requests = requests_for(count)
    with MessagesServer() as server:
        ran = ask(server, requests, concurrency=concurrency)
        assert ran.error is None
        assert sorted(row.request_id for row in ran.rows) == sorted(r.id for r in requests)
        assert ran.answered == {request.question_id for request in requests}
        assert len(server.requests) == count
        assert server.peak_concurrency <= concurrency


def test_as_many_are_in_flight_as_may_be() -> None:
    with MessagesServer(latency_seconds=0.3) as server:
        assert ask(server, requests_for(40), concurrency=16).error is None
        assert server.peak_concurrency == 16


def test_answers_are_heard_before_all_that_may_go_have_started() -> None:
    """Else the answers to all of them come at once, and the last is heard after all the others."""
    order: list[str] = []

    async def send(request: Request, ticket: Ticket) -> Response:
        order.append("sent")
        await asyncio.sleep(0)
        return Response(text="A", stop_reason=None, model=None, usage=Usage())

    settings = RunnerSettings(limiter=limiter_of(64), policy=QUICK, ends_run=lambda error: False)
    asyncio.run(run_requests(requests_for(64), send, lambda row: order.append("heard"), settings))
    assert order[:2] == ["sent", "heard"], "one goes ahead"
    assert 0 < order.index("heard", 2) - 2 <= 4 * STARTED_TOGETHER


def test_a_row_says_what_was_asked_and_how_it_went() -> None:
    plan = first_attempts(overloaded(), attempts=2)
    with MessagesServer(faults=plan, latency_seconds=0.02) as server:
        [row] = ask(server, requests_for(1)).rows
    [request] = requests_for(1)
    assert (row.request_id, row.question_id) == (request.id, "q0")
    assert (row.way, row.sample_index, row.attempts) == ("instructed", 0, 3)
    assert 0.06 < row.seconds < 5
    assert isinstance(row.result, Response)
    assert row.result.request_id == "req_011000000000000000000003"
    assert row.finished_at > 1_700_000_000


def test_requests_are_built_when_there_is_room() -> None:
    built, done = 0, 0

    def build() -> Iterator[Request]:
        nonlocal built
        for request in requests_for(20):
            built += 1
            assert built - done <= 3, "more than may be in flight, and one that waits for room"
            yield request

    def put(row: JournalRow) -> None:
        nonlocal done
        done += 1

    with MessagesServer() as server:
        assert ask(server, build(), concurrency=2, put=put).error is None
    assert (built, done) == (20, 20)


def test_one_request_goes_ahead_of_the_rest() -> None:
    with MessagesServer(latency_seconds=0.05) as server:
        ask(server, requests_for(9), concurrency=8)
        assert [record.in_flight for record in server.requests[:2]] == [1, 1]
        assert server.requests[1].arrived - server.requests[0].arrived > 0.05


# Faults


@pytest.mark.parametrize("fault", [overloaded(), rate_limited(0.001), connection_reset()])
def test_what_passes_is_overcome(fault: Fault) -> None:
    with MessagesServer(faults=first_attempts(fault, every=3)) as server:
        ran = ask(server, requests_for(30))
        assert (ran.error, len(ran.answered), ran.failed) == (None, 30, set())
        assert server.answered_again == 0


def test_what_does_not_pass_is_a_failure_and_the_rest_is_asked() -> None:
    with MessagesServer(faults=failing(server_error(), 3, 7, 8)) as server:
        ran = ask(server, requests_for(20))
        assert ran.error is None
        assert len(ran.answered) == 17
        assert len(server.requests) == 17 + 3 * QUICK.attempts
    results = {row.result for row in ran.rows if not row.is_response}
    assert len(ran.failed) == 3
    assert {(r.kind, r.status, r.message) for r in results if isinstance(r, RequestFailure)} == {
        ("server", 500, "Internal server error (status 500)")
    }


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(unauthorized(), AuthenticationError), (spend_limit_reached(), BillingError)],
)
def test_what_no_question_would_escape_ends_the_run_at_the_first(
    fault: Fault, kind: type[ApiError]
) -> None:
    with MessagesServer(faults=from_message_on(1, fault)) as server:
        ran = ask(server, requests_for(500), concurrency=16)
        assert isinstance(ran.error, kind)
        assert (ran.rows, len(server.requests)) == ([], 1)


def test_an_unknown_model_ends_the_run_at_the_first() -> None:
    requests = [
        build_request(r.question_id, r.way, {**r.body, "model": "claude-nope"})
        for r in requests_for(500)
    ]
    with MessagesServer() as server:
        ran = ask(server, requests)
        assert isinstance(ran.error, NotFoundError)
        assert (ran.rows, len(server.requests)) == ([], 1)


def test_a_key_that_is_revoked_ends_the_run_and_keeps_the_rows() -> None:
    with MessagesServer(faults=from_message_on(21, unauthorized())) as server:
        ran = ask(server, requests_for(500), concurrency=8)
        assert isinstance(ran.error, AuthenticationError)
        assert 13 <= len(ran.answered) <= 20
        assert ran.failed == set()
        assert len(server.requests) <= 20 + 8


def test_what_is_under_way_when_a_run_ends_is_not_broken_off() -> None:
    def plan(record: RequestRecord) -> Fault | None:
        late = {number: slow(0.4) for number in range(2, 9)}
        return late.get(record.body_number, unauthorized() if record.body_number > 8 else None)

    with MessagesServer(faults=plan) as server:
        ran = ask(server, requests_for(500), concurrency=8)
        assert isinstance(ran.error, AuthenticationError)
        assert (len(ran.answered), ran.failed) == (8, set())
        assert len(server.requests) == 9


def test_what_waits_for_another_try_when_a_run_ends_waits_no_more() -> None:
    def plan(record: RequestRecord) -> Fault | None:
        if record.body_number == 1:
            return None
        if record.body_number == 5:
            return replace(unauthorized(), delay_seconds=0.2)
        return (
            rate_limited(60) if record.body_number % 2 else replace(overloaded(), delay_seconds=1)
        )

    with MessagesServer(faults=plan) as server:
        started = time.monotonic()
        ran = ask(server, requests_for(500), concurrency=8)
        assert isinstance(ran.error, AuthenticationError)
        assert time.monotonic() - started < 10
        assert ran.answered == {"q0"}
        assert {record.attempt for record in server.requests} == {1}


def test_a_picture_that_is_not_there_is_a_failure_of_its_question() -> None:
    async def send(request: Request, ticket: Ticket) -> Response:
        if request.question_id in ("q0", "q1", "q2", "q3", "q9"):
            raise ImageError("no such file", path=Path("a.png"))
        return Response(text="A", stop_reason=None, model=None, usage=Usage())

    rows: list[JournalRow] = []

    async def run() -> None:
        settings = RunnerSettings(limiter=limiter_of(2), policy=QUICK, ends_run=lambda error: False)
        await run_requests(requests_for(12), send, rows.append, settings)

    asyncio.run(run())
    failures = [row for row in rows if not row.is_response]
    assert {row.question_id for row in failures} == {"q0", "q1", "q2", "q3", "q9"}
    assert {row.result for row in failures} == {
        RequestFailure(kind="image", message="a.png: no such file")
    }
    assert {row.attempts for row in failures} == {1}


def test_other_errors_can_end_a_run_too() -> None:
    with MessagesServer(faults=from_message_on(5, bad_request())) as server:
        ran = ask(
            server,
            requests_for(50),
            concurrency=1,
            ends_run=lambda error: "too long" in error.message,
        )
        assert isinstance(ran.error, InvalidRequestError)
        assert (len(ran.rows), len(server.requests)) == (4, 5)


def test_no_answer_at_all_ends_the_run_soon() -> None:
    with MessagesServer(faults=from_message_on(1, overloaded())) as server:
        ran = ask(server, requests_for(500), concurrency=16)
        assert isinstance(ran.error, OverloadedError)
        assert len(ran.failed) == HOPELESS_AT_START == 3
        assert len(server.requests) == 3 * QUICK.attempts


def test_no_server_ends_the_run_soon() -> None:
    with MessagesServer() as server:
        pass
    ran = ask(server, requests_for(500))
    assert isinstance(ran.error, ConnectionFailedError)
    assert len(ran.failed) == HOPELESS_AT_START


def test_an_endpoint_that_breaks_down_ends_the_run() -> None:
    with MessagesServer(faults=from_message_on(11, server_error())) as server:
        ran = ask(server, requests_for(500), policy=ONCE, concurrency=1)
        assert isinstance(ran.error, ServerError)
        assert len(ran.answered) == 10
        assert len(ran.failed) == HOPELESS_IN_A_ROW == 25


def test_failures_between_answers_do_not_end_a_run() -> None:
    def plan(record: RequestRecord) -> Fault | None:
        return None if record.body_number % 10 == 1 else server_error()

    with MessagesServer(faults=plan) as server:
        ran = ask(server, requests_for(200), policy=ONCE, concurrency=1)
        assert ran.error is None
        assert (len(ran.answered), len(ran.failed)) == (20, 180)


def test_questions_that_are_refused_do_not_end_a_run_that_gets_answers() -> None:
    # Forty passages that are too long for the model, one after the other.
    with MessagesServer(faults=failing(bad_request(), *range(5, 45))) as server:
        ran = ask(server, requests_for(60))
        assert ran.error is None
        assert (len(ran.answered), len(ran.failed)) == (20, 40)
        assert len(server.requests) == 60


@pytest.mark.parametrize(("answered_before", "failures"), [(False, HOPELESS_AT_START), (True, 60)])
def test_answers_of_an_earlier_run_count(answered_before: bool, failures: int) -> None:
    # What is left of a run may be nothing but questions that the endpoint refuses.
    with MessagesServer(faults=from_message_on(1, bad_request())) as server:
        ran = ask(server, requests_for(60), answered_before=answered_before)
        assert len(ran.failed) == failures
        assert isinstance(ran.error, InvalidRequestError) is not answered_before


def test_an_endpoint_that_answered_before_gets_more_patience() -> None:
    with MessagesServer(faults=from_message_on(1, server_error())) as server:
        ran = ask(server, requests_for(60), policy=ONCE, answered_before=True)
        assert isinstance(ran.error, ServerError)
        assert len(ran.failed) == HOPELESS_IN_A_ROW


# Errors of our own


def test_a_row_that_cannot_be_kept_ends_the_run() -> None:
    rows: list[JournalRow] = []

    def put(row: JournalRow) -> None:
        if len(rows) == 10:
            raise RunError("the disk is full")
        rows.append(row)

    with MessagesServer() as server:
        ran = ask(server, requests_for(200), put=put)
        assert isinstance(ran.error, RunError)
        assert len(server.requests) < 30


def test_a_prompt_that_cannot_be_built_ends_the_run() -> None:
    def build() -> Iterator[Request]:
        yield from requests_for(5)
        raise PromptError("12 choices: digits reach to 9")

    with MessagesServer() as server:
        ran = ask(server, build())
        assert isinstance(ran.error, PromptError)
        assert len(server.requests) <= 5


def test_a_mistake_of_ours_is_not_hidden_in_a_group() -> None:
    def put(row: JournalRow) -> None:
        if row.question_id == "q5":
            raise ZeroDivisionError

    with MessagesServer() as server:
        assert isinstance(ask(server, requests_for(9), put=put).error, ZeroDivisionError)


def test_of_several_errors_ours_is_the_one_to_see() -> None:
    barrier = asyncio.Barrier(2)

    async def send(request: Request, ticket: Ticket) -> Response:
        if request.question_id == "q0":
            return Response(text="A", stop_reason=None, model=None, usage=Usage())
        await barrier.wait()
        if request.question_id == "q1":
            raise ZeroDivisionError
        raise AuthenticationError("revoked", status=401)

    async def run() -> None:
        settings = RunnerSettings(limiter=limiter_of(2), policy=QUICK, ends_run=lambda error: False)
        await run_requests(requests_for(3), send, lambda row: None, settings)

    with pytest.raises(AuthenticationError, match="revoked"):
        asyncio.run(run())


def test_ctrl_c_is_passed_on() -> None:
    async def cancel_in_the_middle(server: MessagesServer) -> list[JournalRow]:
        rows: list[JournalRow] = []

        def put(row: JournalRow) -> None:
            rows.append(row)
            if len(rows) == 10:
                task.cancel()

        async with MessagesClient(endpoint_of(server), 4) as client:
            settings = RunnerSettings(
                limiter=limiter_of(4), policy=QUICK, ends_run=lambda error: False
            )
            task = asyncio.ensure_future(
                run_requests(
                    requests_for(200),
                    lambda request, ticket: client.send(request.body, fresh=ticket.is_fresh),
                    put,
                    settings,
                )
            )
            with pytest.raises(asyncio.CancelledError):
                await task
        return rows

    with MessagesServer() as server:
        assert 10 <= len(asyncio.run(cancel_in_the_middle(server))) <= 14


@pytest.mark.parametrize("replies", [1, 3])
def test_connections_that_close_in_silence_lose_no_answer(replies: int) -> None:
    with MessagesServer(close_silently_every=replies) as server:
        # After so many dead connections, a request goes over a new one.
        ran = ask(server, requests_for(60), policy=replace(QUICK, attempts=BAD_LUCK + 1))
        assert (ran.error, len(ran.answered)) == (None, 60)
        assert server.count(None) > 0
        assert server.answered_again == 0


def test_faults_of_several_kinds_at_once() -> None:
    plan = either(
        first_attempts(overloaded(), every=2),
        first_attempts(connection_reset(), every=3),
        no_faults,
    )
    with MessagesServer(faults=plan, close_silently_every=5) as server:
        # Each of the faults once, beside dead connections.
        ran = ask(server, requests_for(60), policy=replace(QUICK, attempts=BAD_LUCK + 3))
        assert (ran.error, len(ran.answered), ran.failed) == (None, 60, set())


# Time


def simulated_send(
    seconds: float, *, failing: dict[str, ApiError] | None = None
) -> tuple[SimulatedSend, list[tuple[float, str]]]:
    """Answers after so many simulated seconds, but for some questions that always fail."""
    sent: list[tuple[float, str]] = []

    async def send(limiter: Limiter, request: Request, ticket: Ticket) -> Response:
        sent.append((now(), request.question_id))
        await asyncio.sleep(seconds)
        if failing and request.question_id in failing:
            raise failing[request.question_id]
        return Response(text="A", stop_reason=None, model=None, usage=Usage())

    return send, sent


SimulatedSend = Callable[[Limiter, Request, Ticket], Awaitable[Response]]


def ask_simulated(
    send: SimulatedSend,
    count: int,
    *,
    most: int = 4,
    policy: RetryPolicy | None = None,
    deadline_seconds: float | None = None,
    requests: Iterable[Request] | None = None,
) -> tuple[Ran, float]:
    """Run requests in simulated time; how it went, and how long it took."""
    ran = Ran()

    async def run() -> float:
        clock = asyncio.get_running_loop().time
        limiter = Limiter(ConcurrencyLimit(most, is_fixed=True), clock=clock)
        try:
            await run_at(
                send,
                limiter,
                requests_for(count) if requests is None else requests,
                ran.rows,
                policy or RetryPolicy(),
                deadline_seconds,
            )
        except ApiError as error:
            ran.error = error
        return clock()

    return ran, run_simulated(run())


def test_after_its_deadline_a_run_starts_nothing_and_keeps_what_is_under_way() -> None:
    send, sent = simulated_send(2.0)
    ran, seconds = ask_simulated(send, 100, deadline_seconds=7.0)
    # One ahead, then four at a time: the last four start at six seconds.
    assert (ran.error, len(ran.rows)) == (None, 13)
    assert seconds == pytest.approx(8.0, abs=0.01)
    assert max(at for at, _ in sent) < 7


def test_a_deadline_does_not_wait_for_further_tries() -> None:
    send, _ = simulated_send(1.0, failing={"q3": ServerError("", status=500)})
    policy = RetryPolicy(first_seconds=60, longest_seconds=60)
    ran, seconds = ask_simulated(send, 5, policy=policy, deadline_seconds=10.0)
    assert (len(ran.answered), ran.failed) == (4, set())
    assert seconds == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize("deadline", range(35, 75, 5))
def test_a_request_is_not_tried_for_longer_than_its_deadline(deadline: int) -> None:
    """Some of these fall into a pause in which all are held back, and a try was due before it."""
    send, sent = simulated_send(0.1, failing={"q3": ServerError("", status=500)})
    policy = RetryPolicy(attempts=10**6, longest_seconds=2.0, deadline_seconds=deadline)
    ran, seconds = ask_simulated(send, 10, policy=policy)
    assert (len(ran.answered), ran.failed) == (9, {"q3"})
    assert max(at for at, _ in sent) <= deadline + 0.2
    assert seconds <= deadline + 30, "that is the longest pause"
    [row] = [row for row in ran.rows if not row.is_response]
    assert row.attempts == sum(question == "q3" for _, question in sent)
    assert row.seconds == pytest.approx(seconds - 0.1, abs=0.2)


def test_an_endpoint_that_asks_for_more_patience_than_there_is_ends_the_run_and_says_so() -> None:
    error = RateLimitError("daily quota", status=429, retry_after_seconds=7200)
    send, sent = simulated_send(0.1, failing={f"q{number}": error for number in range(20, 100)})
    ran, seconds = ask_simulated(send, 100)
    assert isinstance(ran.error, RateLimitError)
    assert str(ran.error) == "the endpoint asks to wait 2:00:00: daily quota"
    assert (len(ran.answered), ran.failed) == (20, set())
    assert len(sent) <= 24
    assert seconds < 2


def test_patience_that_is_asked_for_and_there_is_used() -> None:
    calls = 0

    async def send(limiter: Limiter, request: Request, ticket: Ticket) -> Response:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise RateLimitError("", status=429, retry_after_seconds=500)
        return Response(text="A", stop_reason=None, model=None, usage=Usage())

    ran, seconds = ask_simulated(send, 10)
    assert (ran.error, len(ran.answered)) == (None, 10)
    assert seconds == pytest.approx(500, abs=1)


def test_waits_that_the_endpoint_asked_for_make_our_own_no_longer() -> None:
    errors: list[ApiError] = [
        RateLimitError("", status=429, retry_after_seconds=1.0),
        RateLimitError("", status=429, retry_after_seconds=1.0),
        ServerError("", status=500),
        ServerError("", status=500),
    ]
    starts: list[float] = []

    async def send(limiter: Limiter, request: Request, ticket: Ticket) -> Response:
        if request.question_id == "q1":
            starts.append(now())
            if len(starts) <= len(errors):
                raise errors[len(starts) - 1]
        return Response(text="A", stop_reason=None, model=None, usage=Usage())

    ran, _ = ask_simulated(send, 3)
    waits = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert len(ran.answered) == 3
    assert waits[:2] == pytest.approx([1.0, 1.0], abs=0.01)
    assert 0.18 < waits[2] <= 0.26
    assert 0.37 < waits[3] <= 0.51


def test_those_that_wait_for_another_try_are_limited_in_number() -> None:
    built, failed = 0, set[str]()

    def build() -> Iterator[Request]:
        nonlocal built
        for request in requests_for(2 * MOST_WAITING):
            built += 1
            yield request

    async def send(limiter: Limiter, request: Request, ticket: Ticket) -> Response:
        # One in four is answered, so that nobody is held back; the others, the second time.
        if int(request.question_id[1:]) % 4 and request.id not in failed:
            failed.add(request.id)
            raise ServerError("", status=500)
        if now() < 100:
            assert len(failed) <= MOST_WAITING + 4
        return Response(text="A", stop_reason=None, model=None, usage=Usage())

    policy = RetryPolicy(first_seconds=200, longest_seconds=200)
    ran, _ = ask_simulated(send, 0, policy=policy, requests=build())
    assert (len(ran.answered), ran.failed) == (2 * MOST_WAITING, set())
    assert built == 2 * MOST_WAITING


def test_what_a_response_asks_for_goes_before_new_questions() -> None:
    order: list[tuple[str, bool]] = []

    async def send(request: Request, ticket: Ticket) -> Response:
        order.append((request.question_id, request.is_retake))
        return Response(text="A", stop_reason="max_tokens", model=None, usage=Usage())

    def follow_up(request: Request, response: Response) -> Request | None:
        is_last = request.is_retake or request.question_id != "q2"
        return None if is_last else request.with_room({**request.body, "max_tokens": 999})

    rows: list[JournalRow] = []
    settings = RunnerSettings(
        limiter=limiter_of(1), policy=QUICK, ends_run=lambda error: False, follow_up=follow_up
    )
    asyncio.run(run_requests(requests_for(6), send, rows.append, settings))
    # The next one was ready by then, and waited for its slot.
    assert order[2:5] == [("q2", False), ("q3", False), ("q2", True)]
    assert (len(rows), len({row.request_id for row in rows})) == (7, 7)
    assert [row.is_retake for row in rows].count(True) == 1


def test_one_line_is_said_when_an_endpoint_breaks_down_for_a_while() -> None:
    async def send(limiter: Limiter, request: Request, ticket: Ticket) -> Response:
        await asyncio.sleep(0.1)
        if 1 < now() < 3:
            raise ServerError("out of order", status=500)
        return Response(text="A", stop_reason=None, model=None, usage=Usage())

    lines: list[str] = []
    rows: list[JournalRow] = []

    async def run() -> None:
        clock = asyncio.get_running_loop().time
        limit = ConcurrencyLimit(8, is_fixed=True)
        limiter = Limiter(limit, clock=clock, say=lines.append)
        await run_at(send, limiter, requests_for(300), rows, RetryPolicy())

    run_simulated(run())
    assert all(row.is_response for row in rows)
    assert len(rows) == 300
    assert lines[0].endswith("attempts in a row failed (out of order); next in 1 s")
    assert len(lines) <= 2


# Breaking off


def break_off_after(
    server: MessagesServer, answers: int, *, arrived: int = 0, concurrency: int = 8
) -> tuple[Ran, Limiter, list[str]]:
    """Break off everything when so many answers have come, and so many requests have arrived.

    Returns:
        What came, the limiter, and the questions that were under way but never settled.
    """
    ran, limiter = Ran(), limiter_of(concurrency)
    open_ones: set[str] = set()

    class Door(OpenDoor):
        def ask(self, request: Request) -> Leave:
            open_ones.add(request.question_id)
            return "go"

        def settle(self, request: Request, result: Result | None) -> None:
            open_ones.discard(request.question_id)

    async def run() -> None:
        event = asyncio.Event()

        async def watch() -> None:
            # The server runs in another thread, and can set no event.
            while len(ran.rows) < answers or len(server.requests) < arrived:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            event.set()

        async with MessagesClient(endpoint_of(server), concurrency) as client:
            watching = asyncio.create_task(watch())
            await run_requests(
                requests_for(500),
                lambda request, ticket: client.send(request.body, fresh=ticket.is_fresh),
                ran.rows.append,
                RunnerSettings(
                    limiter=limiter,
                    policy=QUICK,
                    ends_run=lambda error: False,
                    admission=Door(),
                    break_off=event,
                ),
            )
            watching.cancel()

    asyncio.run(run())
    return ran, limiter, sorted(open_ones)


def test_what_is_under_way_is_broken_off_when_somebody_says_so() -> None:
    with MessagesServer(
        faults=lambda record: slow(30) if record.body_number > 10 else None
    ) as server:
        started = time.monotonic()
        ran, limiter, unsettled = break_off_after(server, 10, arrived=12)
        assert time.monotonic() - started < 5
        assert len(ran.answered) == len(ran.rows) == 10
        assert 12 <= len(server.requests) <= 18
    assert limiter.in_flight == 0, "all tickets are given back"
    assert unsettled == [], "and no request is waited for any more"


def test_what_waits_for_another_try_is_broken_off_as_well() -> None:
    def plan(record: RequestRecord) -> Fault | None:
        return rate_limited(30) if record.body_number % 3 == 0 else None

    with MessagesServer(faults=plan) as server:
        started = time.monotonic()
        ran, limiter, unsettled = break_off_after(server, 4, concurrency=2)
        assert time.monotonic() - started < 5
        assert ran.failed == set()
    assert (limiter.in_flight, unsettled) == (0, [])


def test_whoever_never_breaks_off_gets_all() -> None:
    with MessagesServer() as server:
        ran, limiter, unsettled = break_off_after(server, 10**6)
        assert len(ran.answered) == 500
    assert (limiter.in_flight, unsettled) == (0, [])


def test_ctrl_c_is_passed_on_where_one_may_break_off() -> None:
    """Only what the run itself breaks off is kept quiet."""

    async def run() -> None:
        with MessagesServer(latency_seconds=30) as server:
            async with MessagesClient(endpoint_of(server), 4) as client:
                job = asyncio.create_task(
                    run_requests(
                        requests_for(5),
                        lambda request, ticket: client.send(request.body, fresh=ticket.is_fresh),
                        lambda row: None,
                        RunnerSettings(
                            limiter=limiter_of(4),
                            policy=QUICK,
                            ends_run=lambda error: False,
                            answered_before=True,
                            break_off=asyncio.Event(),
                        ),
                    )
                )
                await asyncio.sleep(0.2)
                job.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await job

    asyncio.run(run())
