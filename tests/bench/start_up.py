"""How long a process takes from its start: an ingress until it answers, a worker until it has done what waited."""

import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

from service.dev.processes import free_port
from tests.bench.deliveries import deliveries
from tests.bench.installed import (
    Installed,
    a_far_side,
    a_redis,
    a_worker,
    an_ingress,
    environment,
    get,
    hubspot_route,
    listening,
)
from tests.bench.load import send
from tests.bench.measure import Measure, Place, Row


async def once(place: Place) -> dict[str, float]:
    """Start one process after the other."""
    async with AsyncExitStack() as stack:
        url, redis = await stack.enter_async_context(a_redis(place.folder))
        far = await stack.enter_async_context(a_far_side(place.folder))
        echo = await _echo(place.folder)
        environ = environment(url, far, place.folder)
        installed = Installed(
            port=int(environ["SLUICE_PORT"]),
            far=far,
            redis_url=url,
            route=hubspot_route(environ),
            processes={"redis": redis},
        )
        started = time.monotonic()
        await stack.enter_async_context(an_ingress(environ, place.folder))
        await get(installed.port, "/readyz")
        ingress = time.monotonic() - started
        await send(installed.port, deliveries(installed.route, 1), at_once=1)
        started = time.monotonic()
        await stack.enter_async_context(a_worker(environ, place.folder))
        await installed.reached(1)
        return {"echo": echo, "ingress": ingress, "worker": time.monotonic() - started}


async def _echo(folder: Path) -> float:
    port, started = free_port(), time.monotonic()
    async with listening(folder / "echo.log", port, sys.executable, "-m", "tests.bench.echo", str(port)):
        await get(port, "/livez")
        return time.monotonic() - started


MEASURE = Measure(
    "start-up",
    (
        Row(figure="echo", title="bare Litestar echo, until it answers", unit="s"),
        Row(figure="ingress", title="ingress, until it is ready", unit="s", beside="echo"),
        Row(figure="worker", title="worker, until it has called Sakari", unit="s", beside="echo"),
    ),
    once,
)
