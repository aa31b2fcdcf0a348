"""The one place outside worker/ that knows arq: how a ticket looks on the wire, so that scripts can enqueue it.

arq 0.28 keeps a job as `arq:job:<id>` (the encoded job) and its id in the sorted set `arq:queue`, score = when it is due.
A job id that exists is refused, so fixed ids (`drain:0` …) keep a burst of lanes from becoming a burst of jobs. While
`arq:in-progress:<id>` exists no other worker takes the job.
"""

import functools
import time
from typing import Any

import msgspec

from service.store.connection import Store

QUEUE = "arq:queue"
_IN_PROGRESS = "arq:in-progress:"
FUNCTION = "drain"

serialize = msgspec.msgpack.encode
deserialize = msgspec.msgpack.decode


async def hold(store: Store, ticket: str) -> None:
    """Say that this ticket is still being worked off: another worker may take it once nobody has said so for a lease."""
    await store.redis.pexpire(_IN_PROGRESS + ticket, store.options.lease_ms)


def bell(store: Store) -> list[Any]:
    """Make the four script arguments that ring for work: the job, its life, lanes per ticket, most tickets.

    They are the same for a second, so that calls can be told to be alike.
    """
    options = store.options
    return [_job(int(time.time())), options.ticket_ms, options.lanes_per_ticket, options.most_tickets]


@functools.lru_cache(1)
def _job(enqueued_s: int) -> bytes:
    job: dict[str, Any] = {"t": None, "f": FUNCTION, "a": [], "k": {}, "et": enqueued_s * 1000}
    return serialize(job)
