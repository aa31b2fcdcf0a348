"""The one place outside worker/ that knows arq: how a ticket looks on the wire, so that scripts can enqueue it.

arq 0.28 keeps a job as `arq:job:<id>` (the encoded job) and its id in the sorted set `arq:queue`, score = when it is due.
A job id that exists is refused, so fixed ids (`drain:0` …) keep a burst of lanes from becoming a burst of jobs.
"""

import time
from typing import Any

import msgspec

from service.store.connection import Store

QUEUE = "arq:queue"
FUNCTION = "drain"

serialize = msgspec.msgpack.encode
deserialize = msgspec.msgpack.decode


def bell(store: Store) -> list[Any]:
    """Make the four script arguments that ring for work: the job, its life, lanes per ticket, most tickets."""
    job: dict[str, Any] = {"t": None, "f": FUNCTION, "a": [], "k": {}, "et": int(time.time() * 1000)}
    options = store.options
    return [serialize(job), options.ticket_ms, options.lanes_per_ticket, options.most_tickets]
