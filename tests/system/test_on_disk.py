"""A 2xx means stored, on the disk itself: seen with a slow disk, since what a killed server has written survives it."""

import asyncio
import contextlib
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from service.dev.processes import embedded_redis
from service.dev.samples import configured_routes
from service.store import Options, accept, open_store
from tests.store.conftest import NOW, a_plan
from tests.system.conftest import environment, hubspot, ingress

SLOW_S = 0.4
TICK_S = 1.0
"""How often a replica tells unasked how far it is: nobody waits longer than this and the disk."""
STRACE = shutil.which("strace")


@contextlib.asynccontextmanager
async def slow_disk(pid: int, log: Path, slow_s: float = SLOW_S) -> AsyncIterator[None]:
    """Let each sync of a process take longer. Skips the test where nobody may look into processes."""
    slow = f"inject=fsync,fdatasync:delay_enter={int(slow_s * 1_000_000)}"
    command = (str(STRACE), "-f", "-e", "trace=fsync,fdatasync", "-e", slow, "-o", str(log), "-p", str(pid))
    process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = await process.stderr.readline()
    if b"attached" not in said:
        pytest.skip(f"strace may not look into processes here: {said.decode().strip()}")
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


without_strace = pytest.mark.skipif(STRACE is None, reason="there is no strace, which makes a disk slow")


@without_strace
async def test_no_delivery_is_answered_before_it_is_on_disk(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    async with embedded_redis(tmp_path / "redis") as url, Redis.from_url(url) as redis:
        environ = environment(url, tmp_path)
        (route,) = (route for route in configured_routes(environ) if route.path == "/webhooks/hubspot")
        pid = int((await redis.info("server"))["process_id"])
        async with ingress(environ, tmp_path), httpx.AsyncClient(trust_env=False) as client:

            async def deliver(number: int) -> float:
                body = httpx.Request("POST", "http://x", json=[hubspot(number, "counter", "1")]).content
                proof = route.sign("POST", route.path, body, time.time_ns() // 1_000_000)
                started = time.monotonic()
                answer = await client.post(environ["SLUICE_PUBLIC_URL"] + route.path, content=body, headers=proof)
                assert answer.status_code == 200
                return time.monotonic() - started

            await deliver(1)
            async with slow_disk(pid, tmp_path / "strace.log"):
                waits = [await deliver(number) for number in range(2, 5)]
                waits += await asyncio.gather(*map(deliver, range(5, 15)))
    assert min(waits) >= SLOW_S, waits


@without_strace
@pytest.mark.slow
async def test_nothing_is_accepted_before_a_replica_that_syncs_has_it_on_its_disk(tmp_path: Path) -> None:
    """With `appendfsync everysec` this fails: such a replica confirms what it has not synced."""
    for name in ("primary", "replica"):
        (tmp_path / name).mkdir()
    slow_s = TICK_S + 0.5
    async with embedded_redis(tmp_path / "primary") as url:
        port = url.removesuffix("/0").rpartition(":")[2]
        replica = embedded_redis(tmp_path / "replica", "--replicaof", "127.0.0.1", port)
        async with replica as other, Redis.from_url(other) as redis:
            store = open_store(url, Options(replicas=1, accept_timeout_ms=20_000), timeout_s=20)

            async def took(fact: str) -> float:
                started = time.monotonic()
                await accept(store, "hubspot", [a_plan(fact, object_id=fact)], [], now=NOW)
                return time.monotonic() - started

            await took("first")
            pid = int((await redis.info("server"))["process_id"])
            async with slow_disk(pid, tmp_path / "strace.log", slow_s):
                waits = [await took("second"), *await asyncio.gather(*map(took, ("third", "fourth")))]
            await store.close()
    assert min(waits) >= slow_s, waits
