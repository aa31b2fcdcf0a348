"""Waiting for the disk: the server is kept awake for as long as anybody waits, and no longer."""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError

from service.store import Options, open_store
from service.store.disk import Knocks
from service.store.wire import Command, Wire


class _Failing(Wire):
    """A connection on which every other round fails."""

    def __init__(self) -> None:
        self.rounds = 0
        self.reached = asyncio.Event()

    async def round(self, commands: Sequence[Command], within_s: float) -> list[Any]:
        assert (list(commands), within_s < 5) == ([("PING",)], True)
        self.rounds += 1
        if self.rounds >= 10:
            self.reached.set()
        await asyncio.sleep(0)
        if self.rounds % 2:
            raise RedisConnectionError("cut")
        return [b"PONG"]


async def test_it_knocks_on_whatever_becomes_of_a_knock_until_nobody_waits() -> None:
    before, wire = asyncio.all_tasks(), _Failing()
    knocks = Knocks(wire)
    with knocks.knocking(), knocks.knocking():
        await wire.reached.wait()
    await knocks.settle()
    knocked = wire.rounds
    for _ in range(100):
        await asyncio.sleep(0)
    assert wire.rounds == knocked
    assert asyncio.all_tasks() == before


async def test_it_knocks_again_for_who_comes_later() -> None:
    wire = _Failing()
    knocks = Knocks(wire)
    with knocks.knocking():
        await asyncio.sleep(0)
    await knocks.settle()
    knocked = wire.rounds
    with knocks.knocking():
        await wire.reached.wait()
    await knocks.settle()
    assert wire.rounds > knocked


async def test_closing_a_store_leaves_no_task_behind(redis_url: str) -> None:
    before = asyncio.all_tasks()
    opened = open_store(redis_url, Options(fsync=True))
    assert await opened.durable.ask("SET", "sluice:test", "1") == b"OK"
    assert int((await opened.redis.info("commandstats"))["cmdstat_ping"]["calls"]) > 0
    await opened.close()
    assert asyncio.all_tasks() == before
