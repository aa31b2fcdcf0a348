"""Waking a worker as soon as there is a ticket, so that it need not look fifty times a second.

The scripts that enqueue a ticket publish its id on a channel that is called like the queue. A message that is lost costs
nothing but the time until the next look.
"""

import asyncio
import contextlib
import time

from redis.asyncio import Redis
from redis.exceptions import RedisError

from service.store import tickets

_SHORTEST_S = 0.004
"""Between two looks, if it rings all the time."""


class Bell:
    """Heard by one worker. `listen` runs beside it. `longest_s`: between two looks, if nobody rings."""

    def __init__(self, redis: Redis, longest_s: float = 0.25) -> None:
        self._redis = redis
        self._longest_s = longest_s
        self._rung = asyncio.Event()
        self._waited_at = 0.0

    async def listen(self) -> None:
        """Listen for ever, over a connection of its own; a Redis that is away is tried every second."""
        while True:
            with contextlib.suppress(RedisError, OSError):
                async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(tickets.QUEUE)
                    self._rung.set()  # whatever was rung before this was not heard
                    while True:
                        if await channel.get_message(timeout=1):
                            self._rung.set()
            await asyncio.sleep(1)

    async def wait(self) -> None:
        """Return when it rings, or after a while."""
        pause_s = _SHORTEST_S - (time.monotonic() - self._waited_at)
        if pause_s > 0:
            await asyncio.sleep(pause_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._longest_s):
                await self._rung.wait()
        self._rung.clear()
        self._waited_at = time.monotonic()
