"""The spill folder: where verified deliveries of a source that does not retry for long wait while Redis cannot store.

One file a delivery, for the owner's eyes only, written whole, synced and renamed before the sender gets its answer, named
so that sorting gives the order of arrival. Draining is harmless to repeat (claims), so processes may share a folder and
die at any moment.
"""

import asyncio
import contextlib
import itertools
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from service.errors import SluiceError, StoreUnavailable
from service.observe import traces
from service.sources.delivery import Delivery, Route

log = structlog.get_logger("sluice.ingress")


class Spilled(Struct, frozen=True, array_like=True):
    """A verified delivery. Its headers and query are left out: they may hold a secret, and have done their work."""

    path: str
    body: bytes
    received_at: int
    traceparent: str = ""


_decoder = msgspec.msgpack.Decoder(Spilled)


class Waiting(Struct, frozen=True):
    """What lies in the folder. `oldest_at`: ms, from the name of the file; 0 if there is none."""

    deliveries: int
    bytes: int
    oldest_at: int


class NoTaker(SluiceError):
    """No source takes a spilled delivery any more."""


class Spill:
    """A bounded folder of deliveries."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most = most_bytes
        # In a container every process has the number 1, so it would not tell those apart that share a folder.
        self._mark = secrets.token_hex(4)
        self._number = itertools.count()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def waiting(self) -> list[Path]:
        """The deliveries that wait, in order of arrival."""
        return sorted(self._folder.glob("*.delivery"))

    def state(self) -> Waiting:
        """Count what waits."""
        waiting = self.waiting
        oldest = waiting[0].name.partition("-")[0] if waiting else ""
        return Waiting(len(waiting), sum(map(_size, waiting)), int(oldest) if oldest.isdecimal() else 0)

    async def put(self, route: Route, delivery: Delivery) -> None:
        """Write a delivery to disk. Raises StoreUnavailable if the folder is full or cannot be written."""
        spilled = Spilled(route.path, delivery.body, delivery.received_at, traces.traceparent())
        name = f"{delivery.received_at:013d}-{self._mark}-{next(self._number):06d}"
        try:
            await asyncio.to_thread(self._write, name, msgspec.msgpack.encode(spilled))
        except OSError as error:
            raise StoreUnavailable(f"the spill folder cannot be written: {error.strerror}") from error

    def _write(self, name: str, blob: bytes) -> None:
        if sum(map(_size, self.waiting)) + len(blob) > self._most:
            raise StoreUnavailable("the spill folder is full")
        unfinished = self._folder / f"{name}.part"
        try:
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(blob)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        unfinished.rename(self._folder / f"{name}.delivery")
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    async def drain(self, store: Callable[[Spilled], Awaitable[None]]) -> int:
        """Give every waiting delivery to `store`, in order; how many it took.

        Stops at the first that raises StoreUnavailable. What cannot be read is set aside as `.unreadable`, or passed over
        if even that fails; what raises NoTaker stays where it is. Neither holds up the deliveries behind it.
        """
        drained = 0
        for path in self.waiting:
            try:
                spilled = _decoder.decode(await asyncio.to_thread(path.read_bytes))
            except FileNotFoundError:
                continue  # another process on this folder was quicker
            except (ValueError, OSError):  # msgspec's own errors are ValueErrors, but so is text that is not UTF-8
                with contextlib.suppress(OSError):
                    path.rename(path.with_suffix(".unreadable"))
                log.error("spilled delivery unreadable", file=path.name, hint="the file was damaged; it is set aside")
                continue
            try:
                await store(spilled)
            except StoreUnavailable:
                break
            except NoTaker:
                log.error(
                    "spilled delivery waits", path=spilled.path, hint="its source has no secret any more; set it again"
                )
                continue
            path.unlink(missing_ok=True)
            drained += 1
        return drained


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # it was brought in since the folder was listed
        return 0
