"""How much stands in the store: every state a lane can be in is counted once."""

import time

from service.store import Store, keys, lanes
from service.store.levels import levels


async def test_lanes_are_counted_by_what_they_wait_for(store: Store) -> None:
    now = time.time_ns() // 1_000_000  # whole milliseconds, as the store counts
    await store.redis.zadd(keys.READY, {"due/long": now - 90_000, "due": now - 1_000, "later": now + 60_000})
    await store.redis.zadd(keys.LEASES, {"leased/1": now + 1000, "leased/2": now + 1000})
    await store.redis.zadd(keys.DEAD, {"letter": now})
    await store.redis.xadd(keys.JOURNAL, {"e": b"x"})

    found = await levels(store)

    assert (found.due, found.later, found.leased, found.dead, found.events) == (2, 1, 2, 1, 1)
    assert 90 <= found.oldest_due_s < 120
    assert found.keys == 4
    assert found.memory > 0


async def test_a_lane_that_is_due_later_has_not_been_waiting(store: Store) -> None:
    await store.redis.zadd(keys.READY, {"later": time.time() * 1000 + 60_000})
    found = await levels(store)
    assert (found.due, found.later, found.oldest_due_s) == (0, 1, 0)


async def test_nothing_is_counted_as_nothing(store: Store) -> None:
    found = await levels(store)
    assert (found.due, found.later, found.leased, found.tickets, found.dead, found.events) == (0,) * 6


async def test_a_claimed_lane_moves_from_due_to_leased(store: Store) -> None:
    await store.redis.zadd(keys.LANE + "a", {"0000000000001-000000-001 k/r x": 1})
    await store.redis.zadd(keys.READY, {"a": 1})
    assert (await levels(store)).due == 1
    await lanes.claim(store, 1)
    found = await levels(store)
    assert (found.due, found.leased) == (0, 1)
