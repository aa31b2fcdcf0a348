"""Settling dead letters for somebody who came over the network: done, and noted in the log."""

from collections.abc import Sequence
from typing import Literal

import structlog

from service.store import Store, dead
from service.store.dead import Settled

log = structlog.get_logger("sluice.dead")

_MOST = 20
"""Ids in a line of the log."""


async def settle(
    store: Store, what: Literal["retry", "drop"], ids: Sequence[str], *, now: int, by: Literal["console", "admin API"]
) -> Settled:
    """Retry or drop letters, and note which and by whom. Raises redis.exceptions.RedisError."""
    settled = await dead.settle(store, what, ids, now=now, by=by)
    counts = {"done": settled.done, "gone": settled.gone, "refused": settled.refused}
    log.info("dead letters settled", what=what, by=by, role="admin", **counts, ids=list(settled.ids[:_MOST]))
    return settled
