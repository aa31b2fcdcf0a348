"""`/metrics` and `/livez` of a worker, which otherwise listens to nobody."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus

import structlog
from redis.exceptions import RedisError

from service.errors import SettingsError
from service.observe.metrics import SAKARI_CIRCUIT, SAKARI_QUEUE, SAKARI_RATE, exposition
from service.store import Store, pace

log = structlog.get_logger("sluice.worker")

_PATIENCE_S = 5.0
_REDIS_S = 2.0
_STUCK_S = 60.0
"""A worker looks for work many times a second, and every second while Redis is away; each wait in between ends by itself."""
_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_STATES = ("closed", "open", "paused")


@contextlib.asynccontextmanager
async def exposing(store: Store, host: str, port: int, idle_s: Callable[[], float]) -> AsyncIterator[int]:
    """Serve within the `with`; gives the port. Raises SettingsError if the port cannot be had.

    `idle_s`: for how long (seconds) this worker has not looked for work.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_PATIENCE_S):
                head = await reader.readuntil(b"\r\n\r\n")
                status, body = await _answer(head.split(b" ", 2)[:2], store, idle_s())
                line = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {_TYPE}\r\n"
                writer.write(f"{line}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
                await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(serve, host, port)
    except OSError as error:
        raise SettingsError([f"SLUICE_METRICS_PORT: cannot listen at {host}:{port}: {error.strerror}"]) from None
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _answer(asked: list[bytes], store: Store, idle_s: float) -> tuple[HTTPStatus, bytes]:
    if asked == [b"GET", b"/livez"]:
        if idle_s < _STUCK_S:
            return HTTPStatus.OK, b"ok"
        return HTTPStatus.SERVICE_UNAVAILABLE, f"this worker has not looked for work for {idle_s:.0f} s".encode()
    if asked != [b"GET", b"/metrics"]:
        return HTTPStatus.NOT_FOUND, b"/metrics and /livez are here"
    try:
        async with asyncio.timeout(_REDIS_S):  # our own counts must get through while Redis is silent
            await tell_accounts(store)
    except (RedisError, OSError, TimeoutError) as error:
        log.warning("accounts not told", error=type(error).__name__)
    return HTTPStatus.OK, exposition()


async def tell_accounts(store: Store) -> None:
    """Set the gauges of all accounts to what Redis says now."""
    for account in await pace.states(store):
        SAKARI_RATE.labels(account.name).set(account.rate_now)
        SAKARI_QUEUE.labels(account.name).set(account.queue_ms / 1000)
        for state in _STATES:
            SAKARI_CIRCUIT.labels(account.name, state).set(state == account.circuit)
