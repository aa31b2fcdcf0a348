"""One connection over HTTP/1.1: a request leaves in one write, and what comes back is read by llhttp, as strictly as it can.

Why it is ours: docs/decisions/009-a-client-of-our-own.md.
"""

import asyncio
import select
from typing import cast

import httpx
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

_OVERHEAD_LIMIT = 64 * 1024
"""Bytes besides the body: heads, interim answers, extensions of chunks, trailers. Who sends more means to fill the memory."""
_OVERHEAD_TIMES = 8
"""And so many more for each byte of the body: a chunk of a single byte has five."""

_UNREAD_LIMIT = 1024 * 1024
"""Bytes of a body that may wait to be read; then no more is taken from the socket."""

_CHUNK = 64
"""Bytes that a chunk takes besides its own, about."""

_LARGE = 64 * 1024
"""Bytes. Of a larger request some may still be to leave when its answer comes, and over TLS nobody can tell how much."""

_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class Connection(asyncio.Protocol):
    """One GET or POST at a time: `ask`, wait for the `head`, `read` until nothing is left, see whether it is `free`.

    `head` and `read` raise httpx.ReadTimeout after `quiet_s` seconds in which nothing came, or when the time for the whole
    answer is over; httpx.ReadError if the connection ended before; httpx.RemoteProtocolError if what came is no HTTP.
    """

    def __init__(self, quiet_s: float) -> None:
        self.made = False
        """Whether it was opened to the end, TLS included."""
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.free_since = 0.0
        """By the loop's clock; for whoever keeps it."""
        self._quiet_s = quiet_s
        self._loop = asyncio.get_running_loop()
        self._parser = HttpResponseParser(self)
        self.lost = self._loop.create_future()
        """Done when the socket is closed."""
        self._begin()
        self._whole = self._keeps = True  # as after an answer: nothing is under way

    def _begin(self) -> None:
        self.headers = []
        self._chunks: list[bytes] = []
        self._unread = self._overhead = 0
        self._headed = self._framed = self._whole = self._keeps = self._paused = False
        self._failure: httpx.TransportError | None = None
        self._waiter: asyncio.Future[None] | None = None

    def ask(self, request: bytes, within_s: float) -> None:
        """Send a whole request, and allow `within_s` seconds until the last byte of its answer. Only on a free connection."""
        self._begin()
        self._large = len(request) > _LARGE
        self._until = self._loop.time() + within_s
        self._transport.write(request)

    async def head(self) -> None:
        """Wait until `status` and `headers` are the answer's."""
        while not self._headed:
            await self._more()

    async def read(self) -> bytes:
        """The next bytes of the body; none at its end."""
        while not self._chunks:
            if self._whole:
                return b""
            await self._more()
        chunks, self._chunks, self._unread = self._chunks, [], 0
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def free(self) -> bool:
        """Whether another request may follow: the answer is whole, and nothing came after it."""
        return self._whole and self._keeps and not self._transport.is_closing()

    def silent(self) -> bool:
        """Whether nothing has come on a free connection that nobody has read yet: an end of the connection, above all.

        Without this look, a request might be written to a server that hung up while this process was busy: who knows then
        whether it arrived?
        """
        return not self._readable.poll(0)

    def abort(self) -> None:
        """Close it at once."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self.made = True
        self._readable = select.poll()
        self._readable.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Take what came. What nobody asked for would be taken for the answer to the next request: it ends the connection."""
        if self._whole or self._failure:
            self._keeps = False
            self._transport.abort()
            return
        self._overhead += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._keeps = False  # and if the answer is whole, it is only what follows that is wrong
            self._fail(httpx.RemoteProtocolError("the server's answer is no HTTP"))
        self._overhead = max(self._overhead, 0)
        if self._overhead > _OVERHEAD_LIMIT:
            self._fail(httpx.RemoteProtocolError("the server's answer has more around its body than any needs"))
        if self._unread > _UNREAD_LIMIT and not self._paused and not self._whole:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """Take the server's last word; asyncio closes the connection then."""
        self._end(None)

    def connection_lost(self, error: Exception | None) -> None:
        """Take the end."""
        self._end(error)
        if not self.lost.done():
            self.lost.set_result(None)

    def on_message_begin(self) -> None:
        """Raise what stops the parser, if an answer is here already."""
        if self._whole:
            raise HttpParserError("another answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those that follow a body say nothing that we want to know."""
        if not self._headed:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Take the end of a head. An interim answer (1xx) is none: another head follows."""
        self.status = self._parser.get_status_code()
        if self.status < httpx.codes.CONTINUE:
            raise HttpParserError("no status")
        if self.status < httpx.codes.OK:
            self.headers = []
            return
        self._headed = True
        self._framed = any(name.lower() in _FRAMING for name, _ in self.headers)

    def on_body(self, chunk: bytes) -> None:
        """Take a piece of the body."""
        self._chunks.append(chunk)
        self._unread += len(chunk) + _CHUNK
        self._overhead -= (1 + _OVERHEAD_TIMES) * len(chunk)

    def on_message_complete(self) -> None:
        """Take the end of the answer. If not all of the request has left by now, nobody knows what becomes of the rest."""
        if self._headed:
            self._whole = True
            # One that is paused would be deaf for the next answer, if nobody reads this one to its end.
            self._keeps = not self._large and not self._paused and self._parser.should_keep_alive()

    def _end(self, error: Exception | None) -> None:
        """The end of the connection. It is that of the body too, if nothing else says where that is."""
        if self._headed and not self._framed and not self._failure and error is None:
            self._whole = True
        self._keeps = False
        self._fail(httpx.ReadError("the connection ended before the answer did"))

    def _fail(self, failure: httpx.TransportError) -> None:
        """Tell whoever waits, unless the answer is whole."""
        if not self._whole and self._failure is None:
            self._failure = failure
        self._wake()

    async def _more(self) -> None:
        if self._failure:
            raise self._failure
        self._waiter = self._loop.create_future()
        until = min(self._until, self._loop.time() + self._quiet_s)
        late = self._loop.call_at(until, self._fail, httpx.ReadTimeout("the answer did not come in time"))
        try:
            await self._waiter
        finally:
            late.cancel()
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
