"""One connection that carries rounds, on the event loop that the processes use."""

import asyncio

import uvloop

from service.store import Options, open_store
from service.store.wire import Wire


def test_a_connection_that_has_just_been_closed_is_opened_anew(redis_url: str) -> None:
    async def ask_twice() -> tuple[list[bytes], int]:
        store = open_store(redis_url, Options())
        wire = Wire(store.redis.connection_pool)
        await wire.round([("PING",)], 5)
        assert wire._connection is not None
        assert wire._connection._writer is not None
        wire._connection._writer.transport.abort()
        await asyncio.sleep(0)  # from now on uvloop refuses to write
        answers = await wire.round([("PING",)], 5)
        await wire.close()
        await store.close()
        return answers, wire.opened

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(ask_twice()) == ([b"PONG"], 2)
