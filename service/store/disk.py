"""Rounds that are answered once they are on disk: a 2xx means stored."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from service.store.options import Options
from service.store.rounds import Rounds
from service.store.wire import Command, Wire

_FIRST_KNOCK_S = 0.001
_LAST_KNOCK_S = 0.02


class NotOnDisk(RedisError):
    """Written, but the disk, or as many replicas as wanted, did not confirm it in time."""


class Knocks:
    """Keeps the server's loop turning while anybody waits for its disk.

    An idle server looks `hz` times a second, by default ten times, whether its disk is done: WAITAOF would take 100 ms for a
    sync of one. Any command makes it look at once, so each round that is sent is a knock, too.
    """

    def __init__(self, others: Rounds) -> None:
        self._others = others
        self._waiting = 0
        self._next: asyncio.TimerHandle | None = None
        self._knocking: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def knocking(self) -> Iterator[None]:
        """Knock again and again, from shortly after the last round that was sent until nobody waits any more."""
        self._waiting += 1
        self._knock_later(_FIRST_KNOCK_S)
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting and self._next is not None:
                self._next.cancel()

    def _knock_later(self, pause_s: float) -> None:
        if self._next is not None:
            self._next.cancel()
        self._next = asyncio.get_running_loop().call_later(pause_s, self._knock, pause_s)

    def _knock(self, pause_s: float) -> None:
        if self._knocking is None or self._knocking.done():
            self._knocking = asyncio.create_task(self._ping())
        self._knock_later(min(pause_s * 1.5, _LAST_KNOCK_S))

    async def _ping(self) -> None:
        with contextlib.suppress(RedisError, OSError):
            await self._others.ask("PING")


class Disk:
    """Carries rounds over `wire`, and waits until what they wrote is in the append-only file."""

    def __init__(self, wire: Wire, knocks: Knocks, redis: Redis, options: Options) -> None:
        self._wire = wire
        self._knocks = knocks
        self._redis = redis
        self._options = options

    async def round(self, commands: list[Command], within_s: float) -> list[Any]:
        """Run the commands, and wait until what they wrote is on disk: here, and on as many replicas as wanted.

        Gives their answers, an error in place of each that was refused. Raises NotOnDisk, another RedisError, or
        OSError.
        """
        if not self._options.fsync:
            return await self._wire.round(commands, within_s)
        # WAITAOF speaks for the writes of its own connection only, so it has to be part of the round.
        wait: Command = ("WAITAOF", 1, self._options.replicas, self._options.accept_timeout_ms)
        with self._knocks.knocking():
            *answers, synced = await self._wire.round([*commands, wait], within_s)
        if not await self._confirmed(synced):
            raise NotOnDisk("Redis did not confirm that everything is on disk")
        return answers

    async def _confirmed(self, answer: Any) -> bool:
        """Tell from the answer to WAITAOF, or from the error that came instead, whether everything is on disk."""
        if isinstance(answer, ResponseError) and unknown(answer):
            return not self._options.replicas and await writes_always(self._redis)
        return not isinstance(answer, Exception) and answer[0] >= 1 and answer[1] >= self._options.replicas


def unknown(error: ResponseError) -> bool:
    """Tell whether the server does not know the command."""
    return "unknown command" in str(error)


async def writes_always(redis: Redis) -> bool:
    """Tell whether the server syncs before it answers, whatever it is asked: the way of servers before 7.2."""
    try:
        found = await redis.config_get("append*")
    except ResponseError:
        return False  # who forbids CONFIG cannot be believed blindly
    return bool(found.get("appendonly") == "yes" and found.get("appendfsync") == "always")
