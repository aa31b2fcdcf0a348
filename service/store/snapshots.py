"""Where readings of campaigns are kept: written block by block by one reader, current all at once, looked up in one call.

A reading takes about 250 bytes an execution (measured: docs/sakari.md). What the blocks and keys hold is the business of
`service/sakari/snapshots.py`.
"""

import secrets
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from service.store import keys
from service.store.connection import Store

LOCK_MS = 15_000
"""A reader that dies holds everybody up for so long; one that lives renews it."""


class Look(Struct, frozen=True, kw_only=True):
    """What a look at a snapshot gave."""

    state: Literal["found", "failed", "busy", "ours"]
    """`busy`: another reader is at it. `ours`: whoever looked must read now, under the number `reading`."""
    reading: str = ""
    blocks: tuple[bytes, ...] = ()
    """The blocks in which something that was looked up stands, in order."""
    total: int = 0
    """How many blocks the reading has."""
    failure: bytes = b""


class SnapshotShelf:
    """The snapshots of one Sakari account. `lock_ms`: see LOCK_MS; `now`: milliseconds, or '' for the clock of Redis."""

    def __init__(
        self, store: Store, account: str, *, lock_ms: int = LOCK_MS, now: Callable[[], int | str] = lambda: ""
    ) -> None:
        self._store = store
        self._account = account
        self.lock_ms = lock_ms
        self._now = now

    async def look(self, campaign: str, wanted: list[bytes], fresh_ms: int) -> Look:
        """Look up keys of 8 bytes in a reading that is fresh enough; none of them: the whole of it, see `blocks`."""
        number = secrets.token_hex(8)
        args = [self._now(), fresh_ms, self._reading(campaign, ""), number, self.lock_ms, *wanted]
        state, *rest = await self._store.run("snapshot_look", [self._key(campaign)], args)
        if state == b"found":
            return Look(state="found", reading=rest[0].decode(), total=int(rest[1]), blocks=tuple(rest[2:]))
        if state == b"failed":
            return Look(state="failed", failure=rest[0])
        return Look(state="ours", reading=number) if state == b"ours" else Look(state="busy")

    async def blocks(self, campaign: str, reading: str, first: int, most: int) -> list[bytes | None]:
        """Some blocks of a reading, from the `first` on; None for what is there no more."""
        fields = [f"b{place}" for place in range(first, first + most)]
        key = self._reading(campaign, reading)
        found: list[bytes | None] = await self._store.redis.hmget(key, fields)  # type: ignore[misc]  # as in `Store.mapping`
        return found

    async def put(self, campaign: str, reading: str, place: int, block: bytes, found_by: bytes) -> bool:
        """Add a block, found by keys of 8 bytes each, one after the other. False if we are the reader no more."""
        return await self._run("snapshot_put", campaign, reading, [self.lock_ms, place, block, found_by])

    async def renew(self, campaign: str, reading: str) -> bool:
        """Go on being the reader. False if we are it no more."""
        return await self._run("snapshot_put", campaign, reading, [self.lock_ms, "", "", ""])

    async def publish(self, campaign: str, reading: str, total: int, fresh_ms: int) -> bool:
        """Make a finished reading of `total` blocks the current one. False if we are the reader no more."""
        args = [fresh_ms, total, self._reading(campaign, "")]
        return await self._run("snapshot_publish", campaign, reading, args)

    async def give_up(self, campaign: str, reading: str, failure: bytes = b"", for_ms: int = 0) -> None:
        """Stop reading, and tell those who wait why."""
        await self._run("snapshot_give_up", campaign, reading, [failure, for_ms])

    async def _run(self, script: str, campaign: str, reading: str, args: list[object]) -> bool:
        places = [self._key(campaign), self._reading(campaign, reading)]
        return bool(await self._store.run(script, places, [self._now(), reading, *args]))

    def _key(self, campaign: str) -> str:
        return f"{keys.SNAPSHOT}{self._account}:{campaign}"

    def _reading(self, campaign: str, reading: str) -> str:
        return f"{keys.READING}{self._account}:{campaign}:{reading}"
