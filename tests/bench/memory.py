"""What an event costs in Redis: at rest (journal entry and claim), and with a run that waits; beside its bare JSON."""

import msgspec

from service.store import Options, Store, open_store
from tests.bench.deliveries import property_change
from tests.bench.installed import a_redis
from tests.bench.measure import Measure, Place, Row, Target
from tests.bench.plans import NOW, fill

EVENTS = 20_000


async def once(place: Place) -> dict[str, float]:
    """Accept many events, and see by how much Redis grows."""
    count = place.size(EVENTS, 1_000)
    async with a_redis(place.folder) as (url, _):
        store = open_store(url, Options(fsync=False))
        await fill(store, 1_000, matching=True)  # scripts, buffers, the first blocks of everything
        bare = await _grown(store)
        for first in range(0, count, 100):
            await _bare(store, first)
        bare = await _grown(store) - bare
        rest = await _grown(store)
        await fill(store, count, matching=False)
        rest = await _grown(store) - rest
        waits = await _grown(store)
        await fill(store, count, matching=True)
        waits = await _grown(store) - waits
        await store.close()
    return {"bare": bare / count, "rest": rest / count, "run": (waits - rest) / count, "waiting": waits / count}


async def _grown(store: Store) -> int:
    return int((await store.redis.info("memory"))["used_memory"])


async def _bare(store: Store, first: int) -> None:
    pipe = store.redis.pipeline(transaction=False)
    for n in range(first, first + 100):
        pipe.set(f"bare:{n}", msgspec.json.encode(property_change(n, NOW, matches=False)))
    await pipe.execute()


_BYTES = "bytes"

MEASURE = Measure(
    "memory",
    (
        Row(figure="bare", title="an event's JSON as a bare key", unit=_BYTES),
        Row(
            figure="rest",
            title="an event at rest: journal and claim",
            unit=_BYTES,
            beside="bare",
            target=Target("≤", 600),
        ),
        Row(
            figure="run",
            title="a run that waits, in a lane of its own",
            unit=_BYTES,
            beside="bare",
            target=Target("≤", 1_000),
        ),
        Row(figure="waiting", title="both together", unit=_BYTES, beside="bare"),
    ),
    once,
)
