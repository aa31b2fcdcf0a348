"""A sender that costs little: requests that were made beforehand, over a few keep-alive connections."""

import asyncio
import time
from collections.abc import Sequence

from msgspec import Struct


class Sent(Struct, frozen=True):
    """What came of a load. `waits`: seconds from each request to its answer; `seconds`: all of it."""

    waits: tuple[float, ...]
    statuses: frozenset[int]
    seconds: float


def request(method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
    """Lay a request out as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def send(port: int, requests: Sequence[bytes], *, at_once: int, every_s: float = 0.0) -> Sent:
    """Send all of them over `at_once` connections: as fast as they are answered, or one each `every_s` seconds (open loop).

    In an open loop a wait counts from the moment at which the request was due.
    """
    waits: list[float] = []
    statuses: set[int] = set()
    todo = iter(enumerate(requests))
    started = time.perf_counter()

    async def lane() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number, raw in todo:
            due = started + number * every_s
            if every_s and (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            asked = due if every_s else time.perf_counter()
            writer.write(raw)
            statuses.add(await _answer(reader))
            waits.append(time.perf_counter() - asked)
        writer.close()

    await asyncio.gather(*(lane() for _ in range(at_once)))
    return Sent(tuple(waits), frozenset(statuses), time.perf_counter() - started)


async def _answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    at = head.find(b"content-length:")
    if at >= 0:
        await reader.readexactly(int(head[at + 15 :].partition(b"\r\n")[0]))
    return int(head[9:12])
