"""Reading a campaign once for many events.

Sakari cannot be asked for one contact's executions, so each event would page through the whole campaign. Instead, one
reader at a time, over all workers, reads it and puts it on a shelf with an index; every event looks there.

The reading goes on beside the lanes, in a task of its worker: a campaign of 100,000 executions takes longer than any lane
should be held, and a page that fails is asked for again without losing the pages before it. Whoever waits looks a few
times and then gives its lane up for a moment. Nothing is said about the order of executions, so no reading goes
on from an older one: each begins at the first page. See docs/sakari.md.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Literal, Protocol

import msgspec
import structlog
from msgspec import Struct

from service.errors import Permanent, Retryable, StepError
from service.sakari.blocks import blocks, packed, unpacked
from service.sakari.identity import Identity, concerns, key
from service.sakari.models import Execution

log = structlog.get_logger("sluice.sakari")

Pages = AsyncIterator[list[Execution]]

MOST_EXECUTIONS = 200_000

_LOOKS_S = (0.02, 0.05, 0.1, 0.15, 0.2)
"""How long to wait between looks before the lane is given up; a campaign of a few pages is read meanwhile."""
_LANE_WAITS_S = 2.0
_BLOCKS_AT_ONCE = 50
_TOLD_S = 5.0
"""For how long a failure is told to those who wait, unless Sakari asked for longer."""
_LONGEST_TOLD_S = 60.0


class Look(Protocol):
    """What a look at the shelf gives; see `service/store/snapshots.py`."""

    @property
    def state(self) -> Literal["found", "failed", "busy", "ours"]: ...
    @property
    def reading(self) -> str: ...
    @property
    def blocks(self) -> tuple[bytes, ...]: ...
    @property
    def total(self) -> int: ...
    @property
    def failure(self) -> bytes: ...


class Shelf(Protocol):
    """Where all workers share what was read: blocks of bytes, found by keys of 8 bytes."""

    lock_ms: int

    async def look(self, campaign: str, wanted: list[bytes], fresh_ms: int) -> Look: ...
    async def blocks(self, campaign: str, reading: str, first: int, most: int) -> Sequence[bytes | None]: ...
    async def put(self, campaign: str, reading: str, place: int, block: bytes, found_by: bytes) -> bool: ...
    async def renew(self, campaign: str, reading: str) -> bool: ...
    async def publish(self, campaign: str, reading: str, total: int, fresh_ms: int) -> bool: ...
    async def give_up(self, campaign: str, reading: str, failure: bytes = b"", for_ms: int = 0) -> None: ...


class _Failure(Struct, frozen=True, array_like=True):
    reason: str
    message: str
    permanent: bool = False
    after_s: float | None = None
    due: int | None = None

    def error(self) -> StepError:
        if self.permanent:
            return Permanent(self.reason, self.message)
        return Retryable(self.reason, self.message, after_s=self.after_s, due=self.due)


class Snapshots:
    """The snapshots of one account, and the readings that this worker has under way. `now`: seconds since the epoch."""

    def __init__(self, shelf: Shelf, *, now: Callable[[], float], most: int = MOST_EXECUTIONS) -> None:
        self._shelf = shelf
        self._now = now
        self._most = most
        self._under_way: set[asyncio.Task[None]] = set()

    async def find(
        self, campaign: str, wanted: frozenset[Identity] | None, fresh_ms: int, read: Callable[[], Pages]
    ) -> list[Execution]:
        """The executions that concern `wanted` (None: all), in Sakari's order, no older than `fresh_ms`.

        `campaign` names what `read` reads. Raises Retryable, with `due`, while it is being read; and what the last
        reading failed with.
        """
        asked_for = [key(each) for each in wanted or ()]
        for pause in _LOOKS_S:
            look = await self._shelf.look(campaign, asked_for, fresh_ms)
            if look.state == "found":
                found = look.blocks if wanted is not None else await self._all(campaign, look)
                if found is not None:
                    return [each for block in found for each in unpacked(block) if concerns(each, wanted)]
            elif look.state == "failed":
                raise msgspec.msgpack.decode(look.failure, type=_Failure).error()
            elif look.state == "ours":
                self._begin(campaign, look.reading, fresh_ms, read)
            await asyncio.sleep(pause)
        due = round(1000 * (self._now() + _LANE_WAITS_S))
        raise Retryable("campaign_being_read", "the campaign's executions are being read", due=due)

    async def close(self) -> None:
        """Give up what this worker reads, so that another one can begin at once."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _all(self, campaign: str, look: Look) -> list[bytes] | None:
        """Every block of a reading; None if it went away meanwhile."""
        found: list[bytes] = []
        for first in range(0, look.total, _BLOCKS_AT_ONCE):
            most = min(_BLOCKS_AT_ONCE, look.total - first)
            for block in await self._shelf.blocks(campaign, look.reading, first, most):
                if block is None:
                    return None
                found.append(block)
        return found

    def _begin(self, campaign: str, reading: str, fresh_ms: int, read: Callable[[], Pages]) -> None:
        task = asyncio.create_task(self._read(campaign, reading, fresh_ms, read))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _read(self, campaign: str, reading: str, fresh_ms: int, read: Callable[[], Pages]) -> None:
        """Do one reading, and see that those who wait learn how it went."""
        keeper = asyncio.create_task(self._renew(campaign, reading))
        failure = None
        try:
            await self._shelve(campaign, reading, fresh_ms, read)
        except (Retryable, Permanent) as error:
            failure = _failure(error)
        except asyncio.CancelledError:
            await self._tell(campaign, reading, None)
            raise
        except Exception as error:  # a shelf that cannot be reached, or a fault of Sluice itself
            log.exception("a campaign could not be read", error=type(error).__name__)
            failure = _Failure("reading_broke", "a campaign could not be read; see the worker's log")
        finally:
            keeper.cancel()
        if failure:
            await self._tell(campaign, reading, failure)

    async def _shelve(self, campaign: str, reading: str, fresh_ms: int, read: Callable[[], Pages]) -> None:
        total, read_so_far = 0, 0
        async for block in blocks(read()):
            read_so_far += len(block)
            if read_so_far > self._most:
                message = f"the campaign has more than {self._most} executions, which is more than Sluice looks through"
                raise Permanent("campaign_too_large", message)
            if not await self._shelf.put(campaign, reading, total, *packed(block)):
                log.warning("another worker reads the campaign", hint="this one was paused or cut off for too long")
                return
            total += 1
        await self._shelf.publish(campaign, reading, total, fresh_ms)

    async def _renew(self, campaign: str, reading: str) -> None:
        while True:
            await asyncio.sleep(self._shelf.lock_ms / 3000)
            with contextlib.suppress(Exception):  # it is tried again, and if it runs out another worker reads
                await self._shelf.renew(campaign, reading)

    async def _tell(self, campaign: str, reading: str, failure: _Failure | None) -> None:
        asked_s = _TOLD_S
        if failure and failure.due is not None:
            asked_s = failure.due / 1000 - self._now()
        elif failure and failure.after_s is not None:
            asked_s = failure.after_s
        told_s = min(max(asked_s, _TOLD_S), _LONGEST_TOLD_S)
        with contextlib.suppress(Exception):  # the hold runs out by itself
            await self._shelf.give_up(
                campaign, reading, msgspec.msgpack.encode(failure) if failure else b"", round(told_s * 1000)
            )


def _failure(error: Retryable | Permanent) -> _Failure:
    if isinstance(error, Permanent):
        return _Failure(error.reason, str(error), permanent=True)
    return _Failure(error.reason, str(error), after_s=error.after_s, due=error.due)
