"""Kept connections to one host, which carry httpx's requests.

Nothing is sent twice, no redirect followed, no cookie kept, nothing unpacked, and nothing taken from the environment.
"""

import asyncio
import functools
import ssl
from collections.abc import AsyncIterator, Callable
from typing import TypedDict, cast

import httpx
from aiohappyeyeballs import start_connection
from msgspec import Struct

from service.sakari.addresses import Addresses
from service.sakari.connection import Connection

_KEEP_FREE_S = 4.0
"""Below the shortest idle limit of common servers (Node: 5 s), so that we rarely write to a socket just closed."""

_NEXT_ADDRESS_S = 0.25
"""How long one address of a host is tried alone (RFC 8305)."""


class Timeouts(Struct, frozen=True, kw_only=True):
    """Seconds: for opening a connection, for a server that says nothing, and for the wait until a connection is free."""

    connect: float = 5.0
    read: float = 20.0
    pool: float = 15.0


class Terms(TypedDict):
    """What a request says beside what it asks: its `extensions`."""

    within_s: float
    """Seconds from its first byte to the last one of its answer."""
    last_look: Callable[[], None]
    """Called when the connection is there and the bytes are next; may raise.

    Opening a connection takes its time, and a process may be paused meanwhile for longer than its lease. What is left
    unguarded is the moment between this look and the kernel's taking the bytes.
    """


class Connections(httpx.AsyncBaseTransport):
    """At most `most` connections to the host of `url`, whatever host a request names.

    Requests have an httpx.ByteStream, `Terms`, and no Host and Content-Length, which are added here. Whoever takes an answer
    closes its stream.
    """

    def __init__(self, url: httpx.URL, timeouts: Timeouts, most: int) -> None:
        self._host = url.raw_host.decode()
        self._tls = _trusted() if url.scheme == "https" else None
        self._addresses = Addresses(self._host, url.port or (443 if self._tls else 80))
        self._timeouts = timeouts
        self._slots = asyncio.Semaphore(most)
        self._free: list[Connection] = []
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, once; the answer's body is still to be read.

        Raises httpx.PoolTimeout, ConnectTimeout, ConnectError, ValueError (a line break in a header) or what the last look
        raises if nothing was sent; otherwise what `Connection` raises.
        """
        terms = cast("Terms", request.extensions)
        laid_out = _laid_out(request)
        await self._slot()
        connection = None
        try:
            connection = self._kept() or await self._opened()
            terms["last_look"]()
            connection.ask(laid_out, terms["within_s"])
            await connection.head()
        except BaseException:
            self._release(connection)
            raise
        return httpx.Response(connection.status, headers=connection.headers, stream=_Body(connection, self._release))

    async def aclose(self) -> None:
        """Close every connection that is free, and those in use when they are."""
        self._closed = True
        self._addresses.close()
        if self._sweep:
            self._sweep.cancel()
        for connection in self._free:
            connection.abort()
        await asyncio.gather(*(connection.lost for connection in self._free))

    async def _slot(self) -> None:
        if not self._slots.locked():  # without a timer, since there is nothing to wait for
            await self._slots.acquire()
            return
        try:
            async with asyncio.timeout(self._timeouts.pool):
                await self._slots.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("no connection became free") from None

    def _kept(self) -> Connection | None:
        """The one that was used last of those that nobody has closed, and on which nobody has said anything."""
        oldest = asyncio.get_running_loop().time() - _KEEP_FREE_S
        while self._free:
            connection = self._free.pop()
            if connection.free_since > oldest and connection.free() and connection.silent():
                return connection
            connection.abort()
        return None

    async def _opened(self) -> Connection:
        try:
            async with asyncio.timeout(self._timeouts.connect):
                connection = await self._open()
        except TimeoutError:
            self._addresses.forget()
            raise httpx.ConnectTimeout("no connection within the limit") from None
        except (OSError, UnicodeError, RuntimeError) as error:  # RuntimeError: uvloop, of one that was lost meanwhile
            self._addresses.forget()
            raise httpx.ConnectError("no connection") from error
        # Over TLS, what lies there unread may be tickets for the next handshake.
        if not connection.free() or (self._tls is None and not connection.silent()):
            connection.abort()
            raise httpx.ConnectError("the server spoke before it was asked, or hung up at once")
        return connection

    async def _open(self) -> Connection:
        opened = await start_connection(await self._addresses.find(), happy_eyeballs_delay=_NEXT_ADDRESS_S)
        connection = Connection(self._timeouts.read)
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: connection,
                sock=opened,
                ssl=self._tls,
                server_hostname=self._host.rstrip(".") if self._tls else None,  # no certificate has the dot
            )
        except BaseException:
            if connection.made:
                connection.abort()  # the loop would take up to 30 s for a goodbye, with a socket that is closed beneath it
            else:
                opened.close()  # the loop may not have taken it
            raise
        return connection

    def _release(self, connection: Connection | None) -> None:
        self._slots.release()
        if connection is None:
            return
        if self._closed or not connection.free():
            connection.abort()
            return
        loop = asyncio.get_running_loop()
        connection.free_since = loop.time()
        self._free.append(connection)
        if self._sweep is None:
            self._sweep = loop.call_later(_KEEP_FREE_S, self._close_old)

    def _close_old(self) -> None:
        loop = asyncio.get_running_loop()
        old = [each for each in self._free if each.free_since + _KEEP_FREE_S <= loop.time()]
        self._free = self._free[len(old) :]  # the oldest are first, as they are put and taken at the end
        for connection in old:
            connection.abort()
        self._sweep = None
        if self._free:
            self._sweep = loop.call_at(self._free[0].free_since + _KEEP_FREE_S, self._close_old)


class _Body(httpx.AsyncByteStream):
    """What is left to read of an answer. Its connection is another call's as soon as it is closed."""

    def __init__(self, connection: Connection, release: Callable[[Connection], None]) -> None:
        self._connection: Connection | None = connection
        self._release = release

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._connection and (chunk := await self._connection.read()):
            yield chunk

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            self._release(connection)


def _laid_out(request: httpx.Request) -> bytes:
    """A request as it goes over the wire. Raises ValueError if a header would end before its line does."""
    body = b"".join(cast("httpx.ByteStream", request.stream))
    lines = [b"%b %b HTTP/1.1" % (request.method.encode(), request.url.raw_path), b"Host: %b" % request.url.netloc]
    lines += [b"%b: %b" % header for header in request.headers.raw]
    if body or request.method != "GET":
        lines.append(b"Content-Length: %d" % len(body))
    head = b"\r\n".join([*lines, b"", b""])
    if head.count(b"\n") != len(lines) + 1 or head.count(b"\r") != len(lines) + 1 or b"\0" in head:
        raise ValueError("a header of the request holds a line break")
    return head + body


@functools.cache
def _trusted() -> ssl.SSLContext:
    """The authorities to trust: certifi's list, which takes 25 ms to read, so that all hosts share it."""
    return httpx.create_ssl_context(trust_env=False)
