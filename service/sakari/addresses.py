"""Where a host can be reached, asked of the system once for all who want to know.

uvloop gives lookups two threads in all, and every opening of a connection needs one of them: fifty lookups of a slow resolver
would hold up everything for longer than anybody waits.
"""

import asyncio
import socket
from collections.abc import Sequence

from aiohappyeyeballs import AddrInfoType

_REMEMBERED_S = 10.0
"""So long after a change of its addresses a host may be looked for at the old ones, if those still answer."""


class Addresses:
    """The addresses of one host."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._found: Sequence[AddrInfoType] = ()
        self._until = 0.0
        self._asking: asyncio.Task[Sequence[AddrInfoType]] | None = None

    async def find(self) -> Sequence[AddrInfoType]:
        """Give them in the order of the system's preference. Raises OSError, UnicodeError."""
        loop = asyncio.get_running_loop()
        if self._found and loop.time() < self._until:
            return self._found
        if self._asking is None:
            self._asking = loop.create_task(self._ask())
            self._asking.add_done_callback(self._asked)
        return await asyncio.shield(self._asking)  # who gives up leaves the lookup to the others

    def forget(self) -> None:
        """Ask anew next time: nobody answers there."""
        self._found = ()

    def close(self) -> None:
        """Give up the lookup that is under way."""
        if self._asking:
            self._asking.cancel()

    async def _ask(self) -> Sequence[AddrInfoType]:
        return await look_up(self._host, self._port)

    def _asked(self, asking: asyncio.Task[Sequence[AddrInfoType]]) -> None:
        self._asking = None
        if not asking.cancelled() and not asking.exception():
            self._found, self._until = asking.result(), asking.get_loop().time() + _REMEMBERED_S


async def look_up(host: str, port: int) -> Sequence[AddrInfoType]:
    return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
