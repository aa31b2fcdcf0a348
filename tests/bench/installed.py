"""What is measured end to end: a Redis, an ingress, a worker, and an instant Sakari, as real processes."""

import asyncio
import contextlib
import os
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from service.dev.processes import NotStarted, embedded_redis, free_port, running, sluice
from service.dev.samples import configured_routes
from service.sources.delivery import Route
from tests.bench.deliveries import PATH, RULE, deliveries
from tests.bench.load import connected, request, send

_WITHIN_S = 60.0
WARM_UP = 100
"""Events that go through before anything is measured."""


class Installed(Struct, frozen=True, kw_only=True):
    """Where everything listens. `processes`: name -> process id, of all that do the work (not the far side)."""

    port: int
    far: int
    redis_url: str
    route: Route
    processes: dict[str, int]

    async def taken(self) -> int:
        """How many writes the far side took."""
        return int(await get(self.far, "/taken"))

    async def arrivals(self) -> list[tuple[float, str]]:
        """When each write came (monotonic clock), and its body."""
        return msgspec.json.decode(await get(self.far, "/arrivals"), type=list[tuple[float, str]])

    async def reached(self, taken: int) -> None:
        """Return as soon as the far side took so many writes. Raises TimeoutError after a minute without a new one."""
        connection, last, since = await connected(self.far), -1, time.monotonic()
        while (found := int((await connection.ask(request("GET", "/taken", {}, b"")))[1])) < taken:
            if found > last:
                last, since = found, time.monotonic()
            elif time.monotonic() - since > _WITHIN_S:
                raise TimeoutError(f"{found} of {taken} writes reached the far side, and no more")
            await asyncio.sleep(0.005)
        connection.close()

    async def warm_up(self, events: int = WARM_UP) -> None:
        """Let some events through, so that everything is loaded, connected and compiled."""
        before = await self.taken()
        sent = await send(self.port, deliveries(self.route, events), at_once=10)
        assert sent.statuses == {200}, sent.statuses
        await self.reached(before + events)


Installation = Callable[[Path], AbstractAsyncContextManager[Installed]]
"""Starts everything, with its files in the folder, for as long as the block lasts."""


@contextlib.asynccontextmanager
async def sluice_installed(folder: Path, **settings: str) -> AsyncIterator[Installed]:
    """One ingress, one worker, with the settings that they have by themselves but for Sakari's pace."""
    async with AsyncExitStack() as stack:
        url, redis = await stack.enter_async_context(a_redis(folder))
        far = await stack.enter_async_context(a_far_side(folder))
        environ = environment(url, far, folder, **settings)
        ingress = await stack.enter_async_context(an_ingress(environ, folder))
        worker = await stack.enter_async_context(a_worker(environ, folder))
        yield Installed(
            port=int(environ["SLUICE_PORT"]),
            far=far,
            redis_url=url,
            route=hubspot_route(environ),
            processes={"redis": redis, "ingress": ingress.pid, "worker": worker.pid},
        )


def environment(redis_url: str, far: int, folder: Path, **settings: str) -> dict[str, str]:
    """What `sluice serve` and `sluice work` need, with the one rule of the bench unless there are others."""
    rules = folder / "rules"
    if not rules.is_dir():
        rules.mkdir()
        (rules / "bench.yaml").write_text(RULE)
    port = free_port()
    return {
        "SLUICE_REDIS_URL": redis_url,
        "SLUICE_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "SLUICE_PORT": str(port),
        "SLUICE_RULES": str(rules),
        "SLUICE_HUBSPOT_CLIENT_SECRET": "bench-secret",
        "SLUICE_SAKARI_URL": f"http://127.0.0.1:{far}",
        "SLUICE_SAKARI_ACCOUNT_ID": "bench",
        "SLUICE_SAKARI_CLIENT_ID": "bench",
        "SLUICE_SAKARI_CLIENT_SECRET": "bench-secret",
        "SLUICE_SAKARI_RATE": "100000",
        "SLUICE_SAKARI_BURST": "10000",
        **settings,
    }


def hubspot_route(environ: dict[str, str]) -> Route:
    """The route that signs as HubSpot does."""
    return next(route for route in configured_routes(environ) if route.path == PATH)


@contextlib.asynccontextmanager
async def a_redis(folder: Path, *extra: str) -> AsyncIterator[tuple[str, int]]:
    """A Redis that syncs its append-only file before it answers, unless `extra` says otherwise: URL and process id.

    What was written before goes to disk first, so that nobody's syncs wait for what another one has left behind.
    """
    await asyncio.to_thread(os.sync)
    data = folder / f"redis-{free_port()}"
    data.mkdir()
    async with embedded_redis(data, *extra) as url:
        client = Redis.from_url(url)
        number = int((await client.info("server"))["process_id"])
        await client.aclose()
        yield url, number


@contextlib.asynccontextmanager
async def a_far_side(folder: Path) -> AsyncIterator[int]:
    """An instant Sakari: its port."""
    port = free_port()
    async with listening(folder / "far.log", port, sys.executable, "-m", "tests.bench.instant", str(port)):
        yield port


@contextlib.asynccontextmanager
async def an_ingress(environ: dict[str, str], folder: Path) -> AsyncIterator[Process]:
    port = environ["SLUICE_PORT"]
    async with listening(folder / f"ingress-{port}.log", int(port), *sluice("serve"), environ=environ) as process:
        yield process


@contextlib.asynccontextmanager
async def a_worker(environ: dict[str, str], folder: Path, name: str = "worker") -> AsyncIterator[Process]:
    """A worker, which may not be ready yet: `warm_up` waits for it."""
    async with running(*sluice("work"), environ=environ, log=folder / f"{name}.log") as process:
        yield process


@contextlib.asynccontextmanager
async def listening(
    log: Path, port: int, *command: str, environ: dict[str, str] | None = None
) -> AsyncIterator[Process]:
    """Run a server until the block ends, which begins as soon as it listens. Raises NotStarted with what it said."""
    async with running(*command, environ=environ, log=log) as process:
        until = time.monotonic() + _WITHIN_S
        while True:
            with contextlib.suppress(OSError):
                (await connected(port)).close()
                break
            if process.returncode is not None or time.monotonic() > until:
                raise NotStarted(f"{' '.join(command)} did not come up:\n{log.read_text()[-2000:]}")
            await asyncio.sleep(0.005)
        yield process


async def get(port: int, path: str) -> bytes:
    """GET from a server of this machine."""
    connection = await connected(port)
    status, body = await connection.ask(request("GET", path, {}, b""))
    connection.close()
    assert status == 200, (path, status, body[:300])
    return body
