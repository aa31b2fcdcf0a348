"""`python -m tests.bench.instant PORT`: a far side that takes every write at once, so that it is not what is measured.

It answers as Sakari does, and knows how many writes it took; `GET /taken` says so. The strict stand-in is service/sandbox.
"""

import asyncio
import sys
from typing import cast

import msgspec
import uvloop

_TOKEN = msgspec.json.encode({"access_token": "instant", "expires_in": 3600, "token_type": "Bearer"})
_DONE = msgspec.json.encode({"success": True, "data": {"jobId": "instant"}})


class Instant(asyncio.Protocol):
    """One connection, HTTP/1.1 with keep-alive, bodies with a content-length."""

    taken = 0

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
            self._buffer = self._buffer[end + 4 + length :]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        if b"/oauth2/token" in head[:200]:
            body = _TOKEN
        elif head.startswith(b"get /taken"):
            body = b"%d" % Instant.taken
        else:
            Instant.taken += 1
            body = _DONE
        kind = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
        self._transport.write(kind + b"%d\r\n\r\n" % len(body) + body)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Instant, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
