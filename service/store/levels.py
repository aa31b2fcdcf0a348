"""Levels: how much stands in the store just now, for metrics. A few counts, whatever the store holds."""

from msgspec import Struct

from service.store import keys, tickets
from service.store.connection import Store


class Levels(Struct, frozen=True, kw_only=True):
    """Counts of the whole installation, by the clock of Redis."""

    due: int
    """Lanes that could be worked on now, and are not."""
    later: int
    """Lanes whose next run waits for its time: a retry, a pause of the far side."""
    leased: int
    """Lanes that a worker holds."""
    oldest_due_s: float
    """For how long the oldest due lane has been waiting; 0 if none is due."""
    tickets: int
    """Tickets in arq's queue, those that are being worked off included."""
    dead: int
    events: int
    """Events in the journal."""
    keys: int
    """Keys of the whole database: a claim for each event of the last 72 h, a ledger for each run, and few others."""
    memory: int
    """Bytes that Redis uses."""
    memory_limit: int
    """Bytes that Redis may use; 0 if nobody set a limit."""


async def levels(store: Store) -> Levels:
    """Count. Raises redis.exceptions.RedisError, or OSError."""
    seconds, micros = await store.redis.time()
    now = seconds * 1000 + micros // 1000
    async with store.redis.pipeline(transaction=False) as pipe:
        pipe.zcount(keys.READY, "-inf", now)
        pipe.zcard(keys.READY)
        pipe.zrange(keys.READY, 0, 0, withscores=True)
        pipe.zcard(keys.LEASES)
        pipe.zcard(tickets.QUEUE)
        pipe.zcard(keys.DEAD)
        pipe.xlen(keys.JOURNAL)
        pipe.dbsize()
        pipe.info("memory")
        due, ready, oldest, leased, queued, dead, events, held, memory = await pipe.execute()
    return Levels(
        due=due,
        later=ready - due,
        leased=leased,
        oldest_due_s=max(0.0, now - oldest[0][1]) / 1000 if oldest else 0.0,
        tickets=queued,
        dead=dead,
        events=events,
        keys=held,
        memory=memory["used_memory"],
        memory_limit=memory.get("maxmemory", 0),
    )
