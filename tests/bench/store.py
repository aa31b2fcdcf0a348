"""The store by itself: accepting plans that are ready, over one connection; beside bare calls of Redis."""

import time
from collections.abc import Sequence

from service.model import Plan
from service.store import Options, Store, accept, open_store
from tests.bench.installed import a_redis
from tests.bench.measure import Measure, Place, Row
from tests.bench.plans import NOW, plans

BATCHES = 50
SINGLES = 500


async def once(place: Place) -> dict[str, float]:
    """Write to Redis as the store does, and barely."""
    batches, singles = place.size(BATCHES, 5), place.size(SINGLES, 20)
    lazy = ("--appendfsync", "everysec")
    async with a_redis(place.folder) as (url, _), a_redis(place.folder, *lazy) as (other, _):
        synced, quick = open_store(url, Options()), open_store(other, Options(fsync=False))
        for store in (synced, quick):
            await _accept(store, [plans(1, matching=True)])
        figures = {
            "bare_100": await _bare(quick, batches, 100),
            "fsync_100": await _accept(synced, [plans(100, matching=False) for _ in range(batches)]),
            "memory_100": await _accept(quick, [plans(100, matching=False) for _ in range(batches)]),
            "runs_100": await _accept(quick, [plans(100, matching=True) for _ in range(batches)]),
            "bare_1": await _bare(quick, singles, 1),
            "memory_1": await _accept(quick, [plans(1, matching=False) for _ in range(singles)]),
        }
        for store in (synced, quick):
            await store.close()
    return figures


async def _accept(store: Store, deliveries: Sequence[list[Plan]]) -> float:
    """Events a second, one delivery after the other."""
    started = time.perf_counter()
    for delivery in deliveries:
        await accept(store, "hubspot", delivery, [], now=NOW)
    return sum(map(len, deliveries)) / (time.perf_counter() - started)


async def _bare(store: Store, times: int, size: int) -> float:
    """Entries a second: `times` pipelines of `size` times XADD with 300 bytes."""
    started = time.perf_counter()
    for _ in range(times):
        pipe = store.redis.pipeline(transaction=False)
        for _ in range(size):
            pipe.xadd("bare", {"e": b"x" * 300})
        await pipe.execute()
    return times * size / (time.perf_counter() - started)


MEASURE = Measure(
    "store",
    (
        Row(figure="bare_100", title="bare Redis, XADD of 300 bytes, 100 a pipeline", unit="calls/s"),
        Row(
            figure="fsync_100", title="accept 100 events that match nothing, fsync", unit="events/s", beside="bare_100"
        ),
        Row(
            figure="memory_100",
            title="accept 100 events that match nothing, memory",
            unit="events/s",
            beside="bare_100",
        ),
        Row(figure="runs_100", title="accept 100 events with a run each, memory", unit="events/s", beside="bare_100"),
        Row(figure="bare_1", title="bare Redis, XADD one at a time", unit="calls/s"),
        Row(figure="memory_1", title="accept 1 event, memory", unit="events/s", beside="bare_1"),
    ),
    once,
)
