"""Deliveries that were turned away, told to Redis from time to time, so that the overview shows those of all processes.

Not with each request: whoever sends rubbish must not make work for Redis. What is told is what the metrics have counted since.
"""

from collections.abc import Mapping

from redis.exceptions import RedisError

from service.observe.metrics import DELIVERIES
from service.store import Store, overview

Counts = Mapping[str, int]


def counted() -> Counts:
    """How many deliveries this process has turned away: `refused <source> <reason>` -> number."""
    return {
        f"refused {sample.labels['source']} {sample.labels['verdict']}": int(sample.value)
        for family in DELIVERIES.collect()
        for sample in family.samples
        if sample.name.endswith("_total") and sample.labels["verdict"] != "accepted"
    }


async def tell(store: Store, told: Counts, *, now: int) -> Counts:
    """Tell what was counted and not told yet; gives what is told now. While Redis is away it waits for the next time."""
    counts = counted()
    new = {what: number - told.get(what, 0) for what, number in counts.items() if number > told.get(what, 0)}
    if not new:
        return told
    try:
        await overview.count(store, new, now=now)
    except (RedisError, OSError, TimeoutError):
        return told
    return counts
