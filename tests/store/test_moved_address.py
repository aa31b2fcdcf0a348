"""Redis behind a fixed address that moves: after a failover the old primary is a replica, and nobody may stay with it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from service.dev.processes import embedded_redis, free_port
from service.store import Options, accept, keys, open_store
from tests.store.conftest import NOW, a_plan


class Address:
    """A port that leads to another one; connections that are open stay where they are when it is moved."""

    def __init__(self, leads_to: int) -> None:
        self.leads_to = leads_to
        self._pumps: set[asyncio.Task[None]] = set()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.leads_to)
        for source, sink in ((reader, there_writer), (there_reader, writer)):
            pump = asyncio.create_task(self._pump(source, sink))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                sink.write(data)
        except OSError:
            pass
        finally:
            sink.close()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self.take, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]
        while self._pumps:
            for pump in self._pumps:
                pump.cancel()
            await asyncio.wait(self._pumps)


@pytest.mark.slow
async def test_what_was_the_primary_is_left_as_soon_as_it_is_none(tmp_path: Path) -> None:
    first, second = free_port(), free_port()
    for port in (first, second):
        (tmp_path / str(port)).mkdir()
    address = Address(first)
    async with (
        embedded_redis(tmp_path / str(first), port=first),
        embedded_redis(tmp_path / str(second), port=second),
        address.open() as port,
    ):
        store = open_store(f"redis://127.0.0.1:{port}/0", Options())
        await accept(store, "hubspot", [a_plan("before")], [], now=NOW)
        await store.redis.set("sluice:x", 1)

        old = Redis(port=first)
        await old.replicaof("127.0.0.1", second)
        await old.aclose()
        address.leads_to = second

        receipt = await accept(store, "hubspot", [a_plan("after")], [], now=NOW)
        assert receipt.accepted == 1
        await store.redis.set("sluice:x", 2)
        new = Redis(port=second)
        assert await new.exists(keys.CLAIM + "after") == 1
        await new.aclose()
        await store.close()
