"""The runs of a command share connections, limits and locks by model and endpoint."""

from __future__ import annotations

import asyncio

import pytest

from evalkit.api.endpoint import Endpoint
from evalkit.session import Session
from evalkit.settings import RunSettings
from evalkit.targets import Target, remote_target

HERE, THERE = Endpoint(base_url="http://127.0.0.1:1"), Endpoint(base_url="http://127.0.0.1:2")
FIXED = RunSettings(concurrency=3)


@pytest.mark.parametrize(
    ("first", "second", "are_shared"),
    [
        (remote_target("m", HERE), remote_target("m", HERE), True),
        (remote_target("m", HERE), remote_target("other", HERE), False),
        (remote_target("m", HERE), remote_target("m", THERE), False),
    ],
)
def test_what_is_shared_goes_by_model_and_endpoint(
    first: Target, second: Target, are_shared: bool
) -> None:
    async def look() -> None:
        async with Session() as session:
            limiters = [session.limiter(target, FIXED) for target in (first, second)]
            clients = [await session.connect(target, FIXED) for target in (first, second)]
            assert (limiters[0] is limiters[1]) == are_shared
            assert (clients[0] is clients[1]) == are_shared

    asyncio.run(look())


def test_a_limit_holds_from_the_settings_of_whoever_comes_first() -> None:
    async def look() -> None:
        async with Session() as session:
            limiter = session.limiter(remote_target("m", HERE), FIXED)
            limiter.note_answer()
            assert limiter.concurrency.limit == 3

    asyncio.run(look())


def test_only_one_at_a_time_holds_a_lock() -> None:
    held: list[str] = []

    async def hold(session: Session, what: str, name: str) -> None:
        async with session.lock(what):
            held.append(f"{name} in")
            await asyncio.sleep(0)
            held.append(f"{name} out")

    async def look() -> None:
        async with Session() as session, asyncio.TaskGroup() as group:
            group.create_task(hold(session, "folder", "first"))
            group.create_task(hold(session, "folder", "second"))
            group.create_task(hold(session, "other", "third"))

    asyncio.run(look())
    assert held.index("first out") < held.index("second in")
    assert held.index("third in") < held.index("first out")
