"""How long the lanes of a killed worker rest."""

import asyncio
import time

from msgspec import Struct
from redis.exceptions import RedisError

from service.store import Store, keys

_LOOK_S = 0.1
_LONGEST_S = 120.0

Orphans = dict[str, tuple[bytes, float]]
"""Lane -> lease number, and when the lease runs out (seconds since the epoch)."""


class Recovery(Struct, frozen=True):
    """A worker was killed (seconds since the epoch) that held lanes; the last of them went on after `took_s`."""

    killed_at: float
    took_s: float
    last: str


async def recovery(store: Store, killed_at: float) -> Recovery | None:
    """Wait until every lane that a worker left behind is worked on again; None if it left none.

    Nobody knows which leases were the dead worker's. Those that are renewed, or end before they run out, are a living
    one's; what runs out was the dead one's, and has recovered when somebody claims it.
    """
    leased: Orphans | None = None
    last = ""
    await asyncio.sleep(_LOOK_S)
    while time.time() < killed_at + _LONGEST_S:
        try:
            if leased is None:
                leased = await _leased(store)
            elif not leased:
                return Recovery(killed_at, time.time() - killed_at, last) if last else None
            else:
                last = await _drop_those_that_go_on(leased, store) or last
        except (RedisError, OSError):
            pass  # Valkey is away, too
        await asyncio.sleep(_LOOK_S)
    return Recovery(killed_at, _LONGEST_S, next(iter(leased or ()), "unknown"))


async def _leased(store: Store) -> Orphans:
    owners: dict[bytes, bytes] = await store.redis.hgetall(keys.OWNERS)  # type: ignore[misc]  # stubs of redis-py
    until = dict(await store.redis.zrange(keys.LEASES, 0, -1, withscores=True))
    return {lane.decode(): (number, until[lane] / 1000) for lane, number in owners.items() if lane in until}


async def _drop_those_that_go_on(leased: Orphans, store: Store) -> str:
    """Remove from `leased` what is held by the living; gives one of those that had been orphaned, or nothing."""
    now, held = time.time(), await _leased(store)
    ready = {lane.decode() for lane in await store.redis.zrangebyscore(keys.READY, "-inf", now * 1000)}
    orphan = ""
    for lane, (number, until) in list(leased.items()):
        if held.get(lane) == (number, until) or (now >= until and lane in ready):
            continue  # resting: under the dead worker's lease, or returned by a sweep and not yet claimed
        del leased[lane]
        orphan = lane if now >= until else orphan
    return orphan
