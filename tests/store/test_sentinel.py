"""With sentinels, a failover costs seconds and nothing that was accepted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from service.dev.processes import embedded_redis, free_port, redis_binary, running
from service.errors import StoreUnavailable
from service.store import Options, accept, journal, open_store
from service.store.connection import pool
from tests.store.conftest import NOW, MakePlan


@contextlib.asynccontextmanager
async def _sentinel(folder: Path, primary: int) -> AsyncIterator[int]:
    port = free_port()
    config = folder / f"sentinel-{port}.conf"
    config.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor main 127.0.0.1 {primary} 2\n"
        "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 2000\n"
    )
    async with running(redis_binary(), str(config), "--sentinel"):
        yield port


async def _ready(sentinel: int) -> None:
    """Wait until a sentinel knows the replica and the other sentinels; before that there is no failover."""
    client = Redis(port=sentinel)
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(RedisError, OSError):
                state = await client.execute_command("SENTINEL", "MASTER", "main")  # type: ignore[no-untyped-call]
                fields = dict(zip(state[::2], state[1::2], strict=True)) if isinstance(state, list) else state
                told = {str(k.decode() if isinstance(k, bytes) else k): v for k, v in fields.items()}
                if int(told["num-slaves"]) >= 1 and int(told["num-other-sentinels"]) >= 2:
                    break
            await asyncio.sleep(0.05)
    await client.aclose()


@pytest.mark.slow
async def test_a_failover_loses_nothing_that_was_accepted(tmp_path: Path, make_plan: MakePlan) -> None:
    primary, replica = free_port(), free_port()
    for name in ("primary", "replica"):
        (tmp_path / name).mkdir()
    async with contextlib.AsyncExitStack() as stack:
        doomed = await stack.enter_async_context(contextlib.AsyncExitStack())
        await doomed.enter_async_context(embedded_redis(tmp_path / "primary", port=primary))
        following = ("--replicaof", "127.0.0.1", str(primary))
        await stack.enter_async_context(embedded_redis(tmp_path / "replica", *following, port=replica))
        sentinels = [await stack.enter_async_context(_sentinel(tmp_path, primary)) for _ in range(3)]
        for sentinel in sentinels:
            await _ready(sentinel)

        hosts = ",".join(f"127.0.0.1:{port}" for port in sentinels)
        store = open_store(f"redis+sentinel://{hosts}/main/0", Options(replicas=1, accept_timeout_ms=20_000))
        before = await accept(store, "hubspot", [make_plan("before")], [], now=NOW)
        await doomed.aclose()  # the primary goes; its data never comes back

        await store.redis.connection_pool.disconnect()
        alone = open_store(f"redis+sentinel://{hosts}/main/0", Options(replicas=0))
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(StoreUnavailable):
                    after = await accept(alone, "hubspot", [make_plan("after"), make_plan("before")], [], now=NOW)
                    break
                await asyncio.sleep(0.1)
        assert after.events[1] == "redelivered"
        assert await journal.read(alone, before.events[0]) is not None
        await store.close()
        await alone.close()


async def test_too_few_replicas_is_no_promise(redis_url: str, make_plan: MakePlan) -> None:
    store = open_store(redis_url, Options(replicas=1, accept_timeout_ms=300))
    with pytest.raises(StoreUnavailable):
        await accept(store, "hubspot", [make_plan("lonely")], [], now=NOW)
    await store.close()


@pytest.mark.parametrize("url", ["redis+sentinel://host", "redis+sentinel:///name", "redis+sentinel://a@b/name/0"])
def test_a_malformed_sentinel_url_says_how_one_looks(url: str) -> None:
    with pytest.raises(ValueError, match="looks like"):
        pool(url, timeout_s=1, connections=1)
