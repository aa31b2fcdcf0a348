"""`python -m tests.bench.instant PORT`: a far side that takes every write at once, so that it is not what is measured.

It answers as Sakari does, and remembers each write: `GET /taken` says how many there were, `GET /arrivals` when each came.
The strict stand-in is service/sandbox.
"""

import asyncio
import sys
import time
from typing import cast

import msgspec
import uvloop

_TOKEN = msgspec.json.encode({"access_token": "instant", "expires_in": 3600, "token_type": "Bearer"})
_DONE = msgspec.json.encode({"success": True, "data": {"jobId": "instant"}})
_KIND = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "

_arrivals: list[tuple[float, bytes]] = []
"""When each write came, by the clock that all processes of a machine share, and its body."""


class Instant(asyncio.Protocol):
    """One connection, HTTP/1.1 with keep-alive, bodies with a content-length."""

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].partition(b"\r\n")[0]) if at >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            body, self._buffer = self._buffer[end + 4 : end + 4 + length], self._buffer[end + 4 + length :]
            answer = _answer(head, body)
            self._transport.write(_KIND + b"%d\r\n\r\n" % len(answer) + answer)


def _answer(head: bytes, body: bytes) -> bytes:
    if b"/oauth2/token" in head[:200]:
        return _TOKEN
    if head.startswith(b"get /taken"):
        return b"%d" % len(_arrivals)
    if head.startswith(b"get /arrivals"):
        return msgspec.json.encode([(at, body.decode()) for at, body in _arrivals])
    _arrivals.append((time.monotonic(), body))
    return _DONE


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Instant, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
