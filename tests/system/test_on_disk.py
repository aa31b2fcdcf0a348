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
from tests.system.conftest import environment, hubspot, ingress

SLOW_S = 0.4
STRACE = shutil.which("strace")


@contextlib.asynccontextmanager
async def slow_disk(pid: int, log: Path) -> AsyncIterator[None]:
    """Let each sync of a process take longer. Skips the test where nobody may look into processes."""
    slow = f"inject=fsync,fdatasync:delay_enter={int(SLOW_S * 1_000_000)}"
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


@pytest.mark.skipif(STRACE is None, reason="there is no strace, which makes a disk slow")
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
