"""The way to one host: what its requests look like, and the connections that carry them.

httpx's requests and answers are used without its client, whose redirects, cookies and merging of defaults nobody needs here:
with them a call takes two and a half times the CPU.
"""

import functools
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, cast

import httpx
from msgspec import Struct

from service.sakari.connections import Connections, Terms, Timeouts

_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "sluice"}


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
        token: str = "",
        within_s: float,
        last_look: Callable[[], None] = lambda: None,
    ) -> httpx.Request:
        """Make a request for `path` below the base. `content` is JSON, and `token` opens the door; see `Terms`."""
        terms = Terms(within_s=within_s, last_look=last_look)
        body = httpx.ByteStream(content or b"")  # given as `content`, httpx would take 12 µs over it and the headers
        return httpx.Request(
            method,
            _url(f"{self.base}/{path}", **(params or {})),
            headers=_headers(token, has_body=content is not None),
            stream=body,
            extensions=cast("dict[str, Any]", terms),
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
        host, port = url.host, 1 if url.port is None else url.port
    except (httpx.InvalidURL, UnicodeError):
        url, host, port = httpx.URL(), "", 0
    odd = url.scheme not in {"http", "https"} or not 0 < port < 2**16
    if odd or not host or url.userinfo or url.query or url.fragment:
        raise ValueError("the Sakari URL must be https://host[:port][/path], without user, query or fragment")
    return Line(str(url).rstrip("/"), Connections(url, timeouts, connections))


@functools.lru_cache(64)
def _headers(token: str, *, has_body: bool) -> httpx.Headers:
    """The same for every call of an account, until it has a new token. Making them takes 17 µs."""
    headers = _HEADERS | ({"Content-Type": "application/json"} if has_body else {})
    return httpx.Headers(headers | ({"Authorization": f"Bearer {token}"} if token else {}))


@functools.lru_cache(256)
def _url(text: str, **params: str) -> httpx.URL:
    url = httpx.URL(text)
    return url.copy_merge_params(params) if params else url
