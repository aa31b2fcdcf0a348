"""One access token for all workers: a shared value, and a lock so that only one of them fetches a new one."""

import contextlib
import time
from collections.abc import AsyncIterator

from redis.asyncio.lock import Lock
from redis.exceptions import LockError

from service.store import keys
from service.store.connection import Store

_HELD_S = 10
"""Longer than a fetch takes. A worker that is killed while it fetches holds everybody up for so long; and if a fetch takes
longer after all, a second one is harmless."""
_WAITED_S = 30
_FRESH_S = 1.0


class SharedToken:
    """A place in Redis for one secret value. `name` tells accounts and clients apart; it must not be a secret itself."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._key = keys.TOKEN + name
        self._lock_key = keys.TOKEN_LOCK + name
        self._seen: bytes | None = None
        self._seen_at = 0.0

    async def get(self) -> bytes | None:
        """Give the value as it was a moment ago, since every call to Sakari asks for it.

        One that another worker has dropped meanwhile is refused by Sakari, and dropped here too.
        """
        if self._seen is None or time.monotonic() - self._seen_at > _FRESH_S:
            self._seen_at = time.monotonic()
            self._seen = await self._store.redis.get(self._key)
        return self._seen

    async def put(self, value: bytes, lifetime_ms: int) -> None:
        """Keep a value for some time."""
        self._seen = None
        await self._store.redis.set(self._key, value, px=lifetime_ms)

    async def drop(self, value: bytes) -> None:
        """Forget the value if it is still exactly this one."""
        self._seen = None
        await self._store.run("forget", [self._key], [value])

    @contextlib.asynccontextmanager
    async def lock(self) -> AsyncIterator[bool]:
        """Give True to one holder at a time; whoever has to wait gets False once the holder is done."""
        lock = Lock(self._store.redis, self._lock_key, timeout=_HELD_S, sleep=0.02)
        first = await lock.acquire(blocking=False)
        if not first:
            waited = await lock.acquire(blocking_timeout=_WAITED_S)
            if waited:
                await self._release(lock)
        try:
            yield first
        finally:
            if first:
                await self._release(lock)

    @staticmethod
    async def _release(lock: Lock) -> None:
        with contextlib.suppress(LockError):  # it ran out: somebody else may hold it by now
            await lock.release()
