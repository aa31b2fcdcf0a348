"""A worker hears of work at once, and goes on looking where nobody rings."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from service.store import Store, accept, tickets
from service.worker.bell import Bell
from tests.store.conftest import a_plan

NOW = 1_795_350_000_000


@contextlib.asynccontextmanager
async def listening(store: Store, longest_s: float = 30.0) -> AsyncIterator[Bell]:
    bell = Bell(store.redis, longest_s)
    task = asyncio.create_task(bell.listen())
    await bell.wait()  # it rings once as soon as it listens
    yield bell
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.1)


async def _waited_s(bell: Bell) -> float:
    began = time.monotonic()
    await bell.wait()
    return time.monotonic() - began


async def test_it_rings_for_a_ticket(store: Store) -> None:
    async with listening(store) as bell:
        waiting = asyncio.create_task(_waited_s(bell))
        await accept(store, "hubspot", [a_plan()], [], now=NOW)
        assert await waiting < 10


async def test_without_a_ticket_it_lets_go_after_a_while(store: Store) -> None:
    async with listening(store, longest_s=0.3) as bell:
        await accept(store, "hubspot", [a_plan(rules=())], [], now=NOW)  # nothing is to be done for it
        assert await _waited_s(bell) >= 0.25


async def test_what_rang_before_it_was_asked_is_not_forgotten(store: Store) -> None:
    async with listening(store) as bell:
        for _ in range(2):
            await store.redis.publish(tickets.QUEUE, "drain:0")
            assert await _waited_s(bell) < 10


async def test_it_hears_again_after_its_connection_was_cut(store: Store) -> None:
    async with listening(store) as bell:
        await store.redis.client_kill_filter(_type="pubsub")
        async with asyncio.timeout(20):
            while True:
                if await store.redis.publish(tickets.QUEUE, "drain:0"):
                    break
                await asyncio.sleep(0.01)
        assert await _waited_s(bell) < 10
