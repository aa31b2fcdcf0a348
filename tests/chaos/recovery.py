"""How long the lanes of a killed worker rest."""

import asyncio
import time

from redis.exceptions import RedisError

from service.store import Store, keys

_LOOK_S = 0.1
_LONGEST_S = 120.0

Orphans = dict[str, tuple[bytes, float]]
"""Lane -> lease number, and when the lease runs out (seconds since the epoch)."""


async def seconds_until_recovered(store: Store, killed_at: float) -> float | None:
    """Wait until every lane that a worker left behind is worked on again; None if it left none.

    Nobody knows which leases were the dead worker's. Those that are renewed, or end before they run out, are a living
    one's; what runs out was the dead one's, and has recovered when somebody claims it.
    """
    leased: Orphans | None = None
    orphaned = False
    while time.time() < killed_at + _LONGEST_S:
        try:
            if leased is None:
                leased = await _leased(store)
            elif not leased:
                return time.time() - killed_at if orphaned else None
            else:
                orphaned |= await _drop_those_that_go_on(leased, store)
        except (RedisError, OSError):
            pass  # Valkey is away, too
        await asyncio.sleep(_LOOK_S)
    return _LONGEST_S


async def _leased(store: Store) -> Orphans:
    owners: dict[bytes, bytes] = await store.redis.hgetall(keys.OWNERS)  # type: ignore[misc]  # stubs of redis-py
    until = dict(await store.redis.zrange(keys.LEASES, 0, -1, withscores=True))
    return {lane.decode(): (number, until[lane] / 1000) for lane, number in owners.items() if lane in until}


async def _drop_those_that_go_on(leased: Orphans, store: Store) -> bool:
    """Remove from `leased` what is held by the living; True if any of it had been orphaned."""
    now, held = time.time(), await _leased(store)
    ready = {lane.decode() for lane in await store.redis.zrangebyscore(keys.READY, "-inf", now * 1000)}
    orphaned = False
    for lane, (number, until) in list(leased.items()):
        if held.get(lane) == (number, until) or (now >= until and lane in ready):
            continue  # resting: under the dead worker's lease, or returned by a sweep and not yet claimed
        del leased[lane]
        orphaned |= now >= until
    return orphaned
