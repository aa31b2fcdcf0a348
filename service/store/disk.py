"""Rounds that are answered once they are on disk: a 2xx means stored."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from service.store.options import Options
from service.store.wire import Command, Wire

_QUICK_KNOCKS = 4
_FIRST_PAUSE_S = 0.001
_LAST_PAUSE_S = 0.02
_PATIENCE_S = 1.0


class NotOnDisk(RedisError):
    """Written, but the disk, or as many replicas as wanted, did not confirm it in time."""


class Knocks:
    """Keeps the server's loop turning, over `wire`, while anybody waits for its disk.

    An idle server looks `hz` times a second, by default ten times, whether its disk is done: WAITAOF would take 100 ms for a
    sync of one. Any command makes it look at once.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._waiting = 0
        self._quick = 0
        self._knocking: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def knocking(self) -> Iterator[None]:
        """Knock again and again: the first times one after the other, since a sync takes a fraction of a millisecond."""
        self._waiting += 1
        self._quick = _QUICK_KNOCKS
        if self._knocking is None or self._knocking.done():
            self._knocking = asyncio.create_task(self._knock())
        try:
            yield
        finally:
            self._waiting -= 1

    async def settle(self) -> None:
        """Wait for the last knock."""
        if self._knocking is not None:
            await asyncio.wait([self._knocking])

    async def _knock(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while self._waiting:
            if self._quick:
                self._quick, pause_s = self._quick - 1, _FIRST_PAUSE_S
            else:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 1.5, _LAST_PAUSE_S)
            with contextlib.suppress(RedisError, OSError):
                await self._wire.round([("PING",)], _PATIENCE_S)


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
