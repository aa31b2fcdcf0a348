"""The way to one host: HTTP/1.1 with keep-alive, no redirects, no cookies, nothing taken from the environment.

httpx's transport is used without its client, whose redirects, cookies and merging of defaults nobody needs here: with them a
call takes two and a half times the CPU. aiohttp carries the bytes: httpx's own transport costs several times that again.
"""

import functools
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import httpx
from httpx_aiohttp import AiohttpTransport
from msgspec import Struct

_KEEP_IDLE_S = 4.0
"""Below the shortest idle limit of common servers (Node: 5 s), so that we rarely write to a socket just closed."""

_HEADERS = [("Accept", "application/json"), ("Accept-Encoding", "gzip, deflate"), ("User-Agent", "sluice")]


class Timeouts(Struct, frozen=True, kw_only=True):
    """Seconds. `pool` covers the wait for a free connection and its opening; aiohttp has no limit for `write` alone."""

    connect: float = 5.0
    read: float = 20.0
    write: float = 20.0
    pool: float = 15.0


class Line(Struct, frozen=True):
    """Made by `connect`; `async with` closes its connections."""

    base: str
    """`https://host[:port][/path]`, without a slash at the end."""
    transport: httpx.AsyncBaseTransport
    timeouts: Timeouts = Timeouts()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        stream: httpx.AsyncByteStream | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Request:
        """Make a request for `path` below the base.

        A body is `content` or `stream`; `headers` tell its type, and the length of a stream.
        """
        url = _url(f"{self.base}/{path}")
        return httpx.Request(
            method,
            url.copy_merge_params(params) if params else url,
            headers=[*_HEADERS, *(headers or {}).items()],
            content=content,
            stream=stream,
            extensions={"timeout": _extension(self.timeouts)},
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
    limits = httpx.Limits(
        max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_KEEP_IDLE_S
    )
    return Line(str(url).rstrip("/"), AiohttpTransport(verify=_trusted(), limits=limits, trust_env=False), timeouts)


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Whom to believe who they are: certifi's list, which takes 25 ms to read, so that every line shares it."""
    return httpx.create_ssl_context(trust_env=False)


@functools.lru_cache(256)
def _url(text: str) -> httpx.URL:
    return httpx.URL(text)


@functools.lru_cache(8)
def _extension(timeouts: Timeouts) -> dict[str, float]:
    return {name: getattr(timeouts, name) for name in timeouts.__struct_fields__}
