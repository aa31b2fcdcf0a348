"""The way to one host: HTTP/1.1 with keep-alive, no redirects, no cookies, nothing taken from the environment.

httpx's requests and answers are used without its client, whose redirects, cookies and merging of defaults nobody needs here:
with them a call takes two and a half times the CPU. aiohttp carries the bytes: httpx's own transport costs several times that
again.
"""

import functools
import ssl
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Self

import aiohttp
import httpx
from aiohttp.connector import Connection
from aiohttp.payload import Payload
from aiohttp.tracing import Trace
from msgspec import Struct

_KEEP_IDLE_S = 4.0
"""Below the shortest idle limit of common servers (Node: 5 s), so that we rarely write to a socket just closed."""

_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "sluice"}


class Timeouts(Struct, frozen=True, kw_only=True):
    """Seconds. `pool` covers the wait for a free connection and its opening; aiohttp has no limit for writing alone."""

    connect: float = 5.0
    read: float = 20.0
    pool: float = 15.0


class Line(Struct, frozen=True):
    """Made by `connect`; `async with` closes its connections."""

    base: str
    """`https://host[:port][/path]`, without a slash at the end."""
    transport: httpx.AsyncBaseTransport

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        stream: httpx.AsyncByteStream | None = None,
        token: str = "",
    ) -> httpx.Request:
        """Make a request for `path` below the base. A body is `content` or `stream`, and JSON; `token` opens the door."""
        url = _url(f"{self.base}/{path}")
        return httpx.Request(
            method,
            url.copy_merge_params(params) if params else url,
            headers=_headers(token, has_body=content is not None or stream is not None),
            content=content,
            stream=stream,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        await self.transport.aclose()


def connect(base_url: str, *, timeouts: Timeouts = Timeouts(), connections: int = 50) -> Line:  # noqa: B008 - frozen
    """The way to one host. Connects when first used.

    Raises ValueError if `base_url` is not an http(s) URL of a host, or carries a user, a query or a fragment.
    """
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo or url.query or url.fragment:
        raise ValueError("the Sakari URL must be https://host[:port][/path], without user, query or fragment")
    return Line(str(url).rstrip("/"), Connections(timeouts, connections))


class Connections(httpx.AsyncBaseTransport):
    """Carries httpx's requests over aiohttp's connections. Errors are aiohttp's own, and bodies come as they are sent."""

    def __init__(self, timeouts: Timeouts, most: int) -> None:
        self.timeouts = aiohttp.ClientTimeout(
            sock_connect=timeouts.connect, sock_read=timeouts.read, connect=timeouts.pool
        )
        self._most = most
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the answer's body is still to be read. A stream that is aiohttp's payload too goes as it is."""
        if self._session is None:
            self._session = self._open()
        answer = await self._session.request(
            request.method,
            str(request.url),
            headers=[(name.decode(), value.decode()) for name, value in request.headers.raw],
            data=request.stream if isinstance(request.stream, Payload) else request.content or None,
            allow_redirects=False,
        )
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=_Body(answer))

    def _open(self) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            connector=_Silent(limit=self._most, keepalive_timeout=_KEEP_IDLE_S, ssl=_trusted()),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self.timeouts,
            auto_decompress=False,
        )
        # It would send each read a second time by itself, past pace and circuit. There is no public way to say so.
        session._retry_connection = False  # noqa: SLF001
        return session

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()


class _Silent(aiohttp.TCPConnector):
    """Gives out only connections on which nothing has come so far that nobody asked for.

    Such bytes (a server's 408 for having been idle too long, say) would be taken for the answer to the next call, which
    would be told done before a byte of it has left: aiohttp only looks whether the connection is still there. What comes
    while a call is on its way nobody can tell from its answer.
    """

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - its word
    ) -> Connection:
        """Take a kept connection, or open one. Gives up after as many as may be open, and one that is new."""
        for _ in range(self.limit + 1):
            connection = await super().connect(req, traces, timeout)
            if connection.protocol is not None and not connection.protocol.should_close:
                return connection
            connection.close()
        raise aiohttp.ClientConnectorError(req.connection_key, OSError("the server speaks before it is asked"))


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._answer.content.iter_any().__aiter__()

    async def aclose(self) -> None:
        if not self._answer.closed:  # as it is once it was read to its end
            self._answer.release()
            await self._answer.wait_for_close()


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Whom to believe who they are: certifi's list, which takes 25 ms to read, so that every line shares it."""
    return httpx.create_ssl_context(trust_env=False)


@functools.lru_cache(64)
def _headers(token: str, *, has_body: bool) -> httpx.Headers:
    """The same for every call of an account, until it has a new token. Making them takes a tenth of a call."""
    headers = _HEADERS | ({"Content-Type": "application/json"} if has_body else {})
    return httpx.Headers(headers | ({"Authorization": f"Bearer {token}"} if token else {}))


@functools.lru_cache(256)
def _url(text: str) -> httpx.URL:
    return httpx.URL(text)
