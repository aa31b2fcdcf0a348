"""A sender that costs little: requests that were made beforehand, over a few keep-alive connections."""

import asyncio
import gc
import time
from collections.abc import Sequence
from random import Random
from typing import cast

from msgspec import Struct


class Sent(Struct, frozen=True):
    """What came of a load. `waits`: seconds from each request to its answer; `seconds`: all of it."""

    waits: tuple[float, ...]
    dues: tuple[float, ...]
    """When each wait began, by the monotonic clock; in the order of the requests."""
    statuses: frozenset[int]
    seconds: float
    busy: float
    """The share of a core that the sender itself took; near 1, it is the sender that was measured."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.waits) / self.seconds


class Connection(asyncio.Protocol):
    """One connection, one request at a time, answers with a content-length."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _: Exception | None) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionError("the server hung up"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].partition(b"\r\n")[0]) if at >= 0 else 0
        if self._answer and len(self._buffer) >= end + 4 + length:
            body, self._buffer = self._buffer[end + 4 :], b""
            self._answer.set_result((int(head[9:12]), body))

    def ask(self, raw: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """Send a request; gives status and body. Raises ConnectionError if the server hangs up."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(raw)
        return self._answer

    def close(self) -> None:
        self._transport.close()


async def connected(port: int) -> Connection:
    """Connect to a server of this machine. Raises OSError if nobody listens."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection


def request(method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
    """Lay a request out as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def send(port: int, requests: Sequence[bytes], *, at_once: int, every_s: float = 0.0) -> Sent:
    """Send all of them over `at_once` connections: as fast as they are answered, or one each `every_s` seconds (open loop).

    In an open loop each leaves at some moment of its slot, the same ones in every run: an even beat could fall in with one
    of the receiver's, and meet it always in time or always too late.
    In an open loop a wait counts from the moment at which the request was due, if an earlier answer held it up; a sender
    that wakes up late is nobody else's fault.
    """
    slots = Random(1)
    waits, dues = [0.0] * len(requests), [0.0] * len(requests)
    statuses: set[int] = set()
    todo = iter(enumerate(requests))
    connections = [await connected(port) for _ in range(at_once)]
    gc.collect()
    gc.disable()  # a pause of the sender would be in the waits of the server
    started, cpu = time.monotonic(), time.process_time()

    async def lane(connection: Connection) -> None:
        for number, raw in todo:
            due = started + (number + slots.random()) * every_s if every_s else time.monotonic()
            if (early := due - time.monotonic()) > 0:
                await asyncio.sleep(early)
                due = time.monotonic()
            status, _ = await connection.ask(raw)
            statuses.add(status)
            waits[number], dues[number] = time.monotonic() - due, due

    try:
        await asyncio.gather(*map(lane, connections))
    finally:
        gc.enable()
    seconds, busy = time.monotonic() - started, time.process_time() - cpu
    for connection in connections:
        connection.close()
    return Sent(tuple(waits), tuple(dues), frozenset(statuses), seconds, busy / seconds)
