"""GET /metrics: what this process counted, and how things stand in the spill folder and in Redis."""

import asyncio
import math
import time

from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler
from redis.exceptions import RedisError

from service.ingress.spill import Spill
from service.observe.metrics import (
    DEAD_LETTERS,
    JOURNAL_EVENTS,
    LANES,
    OLDEST_DUE,
    REDIS_KEYS,
    REDIS_MEMORY,
    REDIS_MEMORY_LIMIT,
    REDIS_UP,
    SPILLED,
    SPILLED_AGE,
    SPILLED_BYTES,
    TICKETS,
    exposition,
)
from service.store import Store
from service.store.levels import Levels, levels

_KEPT_S = 2.0
"""Whoever asks more often gets the levels of the last look: what is asked of Redis does not depend on who scrapes."""
_PATIENCE_S = 2.0
"""A scrape gives up after ten seconds; our own counts must get through while Redis is silent."""


def metrics(spill: Spill | None, store: Store) -> HTTPRouteHandler:
    """Make the handler."""
    looked_at = -math.inf
    one_at_a_time = asyncio.Lock()

    @get("/metrics", media_type=MediaType.TEXT)
    async def handle() -> Response[bytes]:
        """Give the metrics of this process, for Prometheus."""
        nonlocal looked_at
        async with one_at_a_time:
            if time.monotonic() - looked_at >= _KEPT_S:
                await _look_at_redis(store)
                looked_at = time.monotonic()
        if spill:
            _look_at_spill(spill)
        return Response(exposition(levels=True), media_type="text/plain; version=0.0.4; charset=utf-8")

    return handle


async def _look_at_redis(store: Store) -> None:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            _show(await levels(store))
    except (RedisError, OSError, TimeoutError):
        REDIS_UP.set(0)
        for gauge in (*map(LANES.labels, _STATES), *_COUNTS):
            gauge.set(math.nan)


_STATES = ("due", "later", "leased")
_COUNTS = (OLDEST_DUE, TICKETS, DEAD_LETTERS, JOURNAL_EVENTS, REDIS_KEYS, REDIS_MEMORY, REDIS_MEMORY_LIMIT)


def _show(found: Levels) -> None:
    REDIS_UP.set(1)
    for state, lanes in zip(_STATES, (found.due, found.later, found.leased), strict=True):
        LANES.labels(state).set(lanes)
    OLDEST_DUE.set(found.oldest_due_s)
    TICKETS.set(found.tickets)
    DEAD_LETTERS.set(found.dead)
    JOURNAL_EVENTS.set(found.events)
    REDIS_KEYS.set(found.keys)
    REDIS_MEMORY.set(found.memory)
    REDIS_MEMORY_LIMIT.set(found.memory_limit)


def _look_at_spill(spill: Spill) -> None:
    waiting = spill.state()
    SPILLED.set(waiting.deliveries)
    SPILLED_BYTES.set(waiting.bytes)
    SPILLED_AGE.set(max(0.0, time.time() - waiting.oldest_at / 1000) if waiting.oldest_at else 0)
