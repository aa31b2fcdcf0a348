"""Recorded deliveries: a folder with `request.http`, the exact bytes of one request."""

from pathlib import Path

from msgspec import Struct

from service import sources
from service.errors import Malformed


class Fixture(Struct, frozen=True, kw_only=True):
    """One recorded request. Its signature headers are examples: `Route.sign` makes those that count."""

    method: str
    target: str
    headers: dict[str, str]
    """Names in lower case, values latin-1 decoded."""
    body: bytes


def read_fixture(folder: Path) -> Fixture:
    """Read `folder/request.http`: request line and headers end with CRLF, then an empty line, then the body.

    Raises OSError if there is no such file, Malformed if it is not a request.
    """
    head, gap, body = (folder / "request.http").read_bytes().partition(b"\r\n\r\n")
    request_line, *lines = head.decode("latin-1").split("\r\n")
    words = request_line.split(" ")
    pairs = [line.partition(":") for line in lines]
    if not gap or len(words) != 3 or not all(colon for _, colon, _ in pairs):
        raise Malformed(f"{folder.name}/request.http: expected request line, headers, empty line (with CRLF), body")
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    return Fixture(method=words[0], target=words[1], headers=headers, body=body)


def refresh(source: str, body: bytes, now_ms: int) -> bytes:
    """The same body as a new fact that occurs at `now_ms`, so that no dedupe claim holds it back.

    Raises Malformed if it is not JSON, KeyError for a source that does not exist.
    """
    return sources.SOURCES[source].refresh(body, now_ms)
