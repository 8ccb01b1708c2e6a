"""The least that asks all questions of a file: a loop around an HTTP client, and nothing else.

    python -m tests.bench_loops aiohttp FILE BASE_URL CONNECTIONS

It sends the requests that evalkit sends, to the byte but for spaces, compares letters, and prints
the number of right ones. It tries nothing again, keeps nothing, and ends at the first error.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

HEADERS = {"x-api-key": "bench-0123456789-0123456789", "anthropic-version": "2023-06-01"}

Json = dict[str, Any]


def build_body(row: Json) -> Json:
    """A question with evalkit's default prompt and prefill."""
    labelled = zip("ABCD", row["choices"], strict=True)
    choices = "\n".join(f"({label}) {choice}" for label, choice in labelled)
    return {
        "model": "m",
        "max_tokens": 1,
        "temperature": 0.0,
        "messages": [
            {"role": "user", "content": f"{row['question']}\n\n{choices}"},
            {"role": "assistant", "content": "The answer is ("},
        ],
    }


async def ask_all(
    rows: list[Json], connections: int, ask: Callable[[Json], Awaitable[Json]]
) -> int:
    """Ask every question, so many at once, and count the right answers."""
    right = 0
    left: Iterator[Json] = iter(rows)

    async def work() -> None:
        nonlocal right
        for row in left:
            reply = await ask(build_body(row))
            right += reply["content"][0]["text"] == row["answer"]

    await asyncio.gather(*(work() for _ in range(connections)))
    return right


async def run_aiohttp(rows: list[Json], base_url: str, connections: int) -> int:
    """Ask by aiohttp."""
    import aiohttp

    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as session:

        async def ask(body: Json) -> Json:
            async with session.post(f"{base_url}/v1/messages", json=body) as reply:
                reply.raise_for_status()
                found: Json = await reply.json()
                return found

        return await ask_all(rows, connections, ask)


async def run_httpx(rows: list[Json], base_url: str, connections: int) -> int:
    """Ask by httpx, without certificates, which plain HTTP needs not."""
    import httpx

    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    async with httpx.AsyncClient(
        limits=limits, headers=HEADERS, verify=False, trust_env=False, timeout=None
    ) as client:

        async def ask(body: Json) -> Json:
            reply = await client.post(f"{base_url}/v1/messages", json=body)
            reply.raise_for_status()
            found: Json = reply.json()
            return found

        return await ask_all(rows, connections, ask)


LOOPS = {"aiohttp": run_aiohttp, "httpx": run_httpx}


def main(client: str, file: str, base_url: str, connections: str) -> None:
    """Read the questions, ask them, print how many answers were right."""
    with Path(file).open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    print(asyncio.run(LOOPS[client](rows, base_url, int(connections))))


if __name__ == "__main__":
    main(*sys.argv[1:])
