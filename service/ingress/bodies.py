"""Reading bodies of strangers: how much memory and time they may take before anybody knows who is sending."""

import asyncio
import contextlib
from collections.abc import Iterator

from litestar.types import Receive

from service.errors import Overloaded, TooLarge, TooSlow, Truncated

SMALL = 16 * 1024
"""Bytes. What is announced to be no larger takes none of the room: it cannot take much."""
WITHIN_S = 10.0
"""For how long a body may take."""
AT_ONCE = 32 * 1024 * 1024
"""Bytes of larger bodies that may be on their way at a time; about as much again is taken while they are put together."""
ARRIVED = "sluice.arrived"
"""A key of the scope of a request: true as soon as the whole body has come."""


class Gone(Exception):
    """Whoever was sending has hung up."""


class Bodies:
    """The bodies that are being read by this process. `most`: bytes of one of them."""

    def __init__(self, most: int, *, at_once: int = AT_ONCE, within_s: float = WITHIN_S) -> None:
        self._most = most
        self._room = max(at_once, most)
        self._within_s = within_s

    async def read(self, headers: dict[str, str], incoming: Receive, *, arrived: bool = False) -> bytes:
        """Read a body whole, and no further than allowed.

        `arrived`: the whole body is here already. Then a small one needs no timer, which would cost five microseconds.

        Raises Gone, TooLarge, TooSlow, Overloaded (503: too many at once), or Truncated if it is not as long as announced.
        """
        length = int(headers["content-length"]) if "content-length" in headers else None
        if length is not None and length > self._most:
            raise TooLarge("body_too_large")
        if "upgrade" in headers and "upgrade" in headers.get("connection", "").lower():
            raise Truncated(
                "upgrade_offered"
            )  # the HTTP parser would take the body for another protocol's, and drop it
        small = length is not None and length <= SMALL
        if small and arrived:
            body = await self._whole(incoming)
        else:
            with self._taking(0 if small else length or self._most):
                try:
                    async with asyncio.timeout(self._within_s):
                        body = await self._whole(incoming)
                except TimeoutError:
                    raise TooSlow("body_too_slow") from None
        if length is not None and len(body) != length:
            raise Truncated("body_truncated")
        return body

    async def _whole(self, incoming: Receive) -> bytes:
        body, more = b"", True
        while more:
            message = await incoming()
            if message["type"] != "http.request":
                raise Gone
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._most:
                raise TooLarge("body_too_large")
        return body

    @contextlib.contextmanager
    def _taking(self, size: int) -> Iterator[None]:
        if size > self._room:
            raise Overloaded("too_many_bodies")
        self._room -= size
        try:
            yield
        finally:
            self._room += size
