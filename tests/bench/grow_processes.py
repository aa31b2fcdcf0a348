"""More workers and more ingresses, on the cores of one machine: what they get through together."""

import asyncio
import statistics
import time
from contextlib import AsyncExitStack
from pathlib import Path

from tests.bench.curve import Curve, Series
from tests.bench.deliveries import deliveries
from tests.bench.end_to_end import LARGE, throughput
from tests.bench.grow import points
from tests.bench.installed import (
    Installed,
    a_far_side,
    a_redis,
    a_worker,
    an_ingress,
    environment,
    hubspot_route,
)
from tests.bench.load import send

_TURNS = 3
_NOBODY = 9


async def processes(folder: Path, most: int) -> list[Curve]:
    """The throughput of 1 to `most` workers (events in batches of 100, one ingress), and of as many ingresses; in turns."""
    numbers = range(1, most + 1)
    rounds: dict[int, list[tuple[float, float]]] = {count: [] for count in numbers}
    turns, events = (_TURNS, 3_000) if most > 1 else (1, 300)
    for turn in range(turns):
        for count in numbers:
            place = folder / f"{count}-{turn}"
            place.mkdir()
            rounds[count].append((await _worked(place, count, events), await _acknowledged(place, count, events)))
    rates = {count: tuple(map(statistics.median, zip(*both, strict=True))) for count, both in rounds.items()}
    names = ("workers, end to end", "ingresses, 1 a delivery")
    return [
        Curve(
            name="processes",
            title="More processes, on the cores of one machine",
            x="processes of a kind",
            y="events/s",
            series=tuple(Series(name, points(rates, n)) for n, name in enumerate(names)),
            linear=True,
        )
    ]


async def _worked(folder: Path, workers: int, events: int) -> float:
    """Events a second from delivery to call, with so many workers."""
    async with AsyncExitStack() as stack:
        installed = await _installed(stack, folder, workers)
        await installed.warm_up(200)
        seconds, _ = await throughput(installed, events, LARGE)
        return events / seconds


async def _acknowledged(folder: Path, ingresses: int, events: int) -> float:
    """Deliveries of one event that so many ingresses answer in a second, over twelve connections in all."""
    async with AsyncExitStack() as stack:
        url, _ = await stack.enter_async_context(a_redis(folder))
        ports = []
        for _number in range(ingresses):
            environ = environment(url, _NOBODY, folder, SLUICE_PUBLIC_URL="http://127.0.0.1")
            await stack.enter_async_context(an_ingress(environ, folder))
            ports.append(int(environ["SLUICE_PORT"]))
        route, each = hubspot_route(environ), 12 // ingresses
        for port in ports:
            await send(port, deliveries(route, 200, match_every=10), at_once=each)
        loads = [deliveries(route, events // ingresses, match_every=10) for _ in ports]
        started = time.monotonic()
        await asyncio.gather(*(send(port, load, at_once=each) for port, load in zip(ports, loads, strict=True)))
        return sum(map(len, loads)) / (time.monotonic() - started)


async def _installed(stack: AsyncExitStack, folder: Path, workers: int) -> Installed:
    url, redis = await stack.enter_async_context(a_redis(folder))
    far = await stack.enter_async_context(a_far_side(folder))
    environ = environment(url, far, folder)
    await stack.enter_async_context(an_ingress(environ, folder))
    for number in range(workers):
        await stack.enter_async_context(a_worker(environ, folder, f"worker-{number}"))
    port = int(environ["SLUICE_PORT"])
    return Installed(port=port, far=far, redis_url=url, route=hubspot_route(environ), processes={"redis": redis})
