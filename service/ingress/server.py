"""The HTTP server of the ingress: uvicorn, which ends open answers when told to stop, and writes each answer at once."""

import asyncio
from types import FrameType
from typing import Any

import uvicorn
from litestar.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.ingress.bodies import ARRIVED

ENDS_WITHIN_S = 10
"""For how long open answers are waited for at the end: a delivery takes 3 s at most, a stranger who reads nothing for ever."""
AHEAD = 32
"""Requests that a connection may send ahead, while the one before them is answered."""


def serve(app: ASGIApp, host: str, port: int, stopping: asyncio.Event) -> None:
    """Serve until a signal ends it. `stopping` is set then, before open answers are waited for."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=Protocol,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # addresses only slow down guessing at the sign-in, and anybody can write such a header
        ws="none",
        timeout_graceful_shutdown=ENDS_WITHIN_S,
    )
    _Server(config, stopping).run()


class _Server(uvicorn.Server):
    """uvicorn, which waits for every open answer when it is told to stop: those that would go on for ever are told too."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal."""
        self._stopping.set()
        super().handle_exit(sig, frame)


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which writes together, says when a body is here, and lets nobody ask for too much at once."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn types it
        """Begin a connection."""
        super().connection_made(transport)
        self.transport = Together(transport, self.loop)  # type: ignore[assignment]  # all that uvicorn asks of one

    def on_message_complete(self) -> None:
        """Note that a request is here whole, or give the connection up."""
        super().on_message_complete()
        self.scope[ARRIVED] = True  # type: ignore[literal-required]  # servers may add keys of their own
        if len(self.pipeline) > AHEAD:
            self.pipeline.clear()
            self.transport.abort()
            raise _TooFarAheadError  # so that the parser leaves the rest of a quarter of a megabyte alone


class _TooFarAheadError(Exception):
    """A connection sends requests and does not wait for answers: each takes memory, and time of all others."""


class Together:
    """A transport that keeps what is written in one turn of the event loop, and writes it at the end of the turn.

    uvicorn writes the head of an answer and its body each by itself: a call of the kernel and a packet too many, which cost a
    small answer 10 µs of 170, and wake its receiver twice.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._kept: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Keep these bytes until the end of the turn."""
        if not self._kept:
            self._loop.call_soon(self._flush)
        self._kept.append(data)

    def close(self) -> None:
        """Write what is kept, and close as soon as it is gone."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        kept, self._kept = self._kept, []
        if kept and not self._transport.is_closing():  # its receiver may have hung up
            self._transport.write(b"".join(kept))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
