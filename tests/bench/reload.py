"""Reading 10,000 rules: the CPU of it beside a bare YAML parser, and what a running ingress feels of a changed file."""

import asyncio
import gc
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import yaml

from service.actions import ACTIONS
from service.engine import load
from tests.bench.deliveries import deliveries
from tests.bench.installed import a_redis, an_ingress, environment, get, hubspot_route
from tests.bench.load import Sent, send
from tests.bench.measure import Measure, Place, Row, Target, share
from tests.bench.rules import files

RULES = 10_000
_NOBODY = 9
_A_SECOND = 50


async def once(place: Place) -> dict[str, float]:
    """Parse, lint, and change one rule under a running ingress while deliveries go on."""
    texts = files(place.size(RULES, 100))
    figures = {"yaml": _cpu(lambda: _parse(texts)), "lint": _cpu(lambda: load(texts, ACTIONS))}
    async with AsyncExitStack() as stack:
        folder = place.folder / "rules"
        _write(folder, texts)
        url, _ = await stack.enter_async_context(a_redis(place.folder))
        environ = environment(url, _NOBODY, place.folder)
        await stack.enter_async_context(an_ingress(environ, place.folder))
        port, route = int(environ["SLUICE_PORT"]), hubspot_route(environ)

        async def deliver(seconds: float) -> Sent:
            requests = deliveries(route, int(_A_SECOND * seconds), match_every=10)
            sent = await send(port, requests, at_once=10, every_s=1 / _A_SECOND)
            assert sent.statuses == {200}, sent.statuses
            return sent

        await deliver(place.seconds(2))
        calm = await deliver(place.seconds(5))
        first = min(texts)
        changed = asyncio.create_task(_in_force(port))
        (folder / first).write_bytes(texts[first].replace(b"Rule number 1.", b"Rule number one."))
        meanwhile: tuple[float, ...] = ()
        while not changed.done():
            meanwhile += (await deliver(2)).waits
        figures["in_force"] = await changed
    return figures | {
        "calm_p99": share(calm.waits, 0.99) * 1000,
        "reload_p99": share(meanwhile, 0.99) * 1000,
        "reload_longest": max(meanwhile) * 1000,
    }


async def _in_force(port: int) -> float:
    """Seconds until the ingress says that its rule set is another one."""
    before, started = await _version(port), time.monotonic()
    while await _version(port) == before:  # noqa: ASYNC110 - it happens in another process
        await asyncio.sleep(0.05)
    return time.monotonic() - started


async def _version(port: int) -> str:
    version: str = msgspec.json.decode(await get(port, "/readyz"))["ruleset"]
    return version


def _write(folder: Path, texts: dict[str, bytes]) -> None:
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_bytes(text)


def _parse(texts: dict[str, bytes]) -> None:
    for text in texts.values():
        yaml.load(text, yaml.CSafeLoader)


def _cpu(work: Callable[[], object]) -> float:
    """CPU seconds, with the collector off as `sluice rules lint` has it."""
    gc.disable()
    try:
        started = time.process_time()
        work()
        return time.process_time() - started
    finally:
        gc.enable()


MEASURE = Measure(
    "reload",
    (
        Row(figure="yaml", title="bare PyYAML (C), 10,000 rules", unit="s CPU"),
        Row(figure="lint", title="lint 10,000 rules", unit="s CPU", beside="yaml", target=Target("≤", 10)),
        Row(figure="in_force", title="a changed file of 10,000 rules, until it is in force", unit="s"),
        Row(figure="calm_p99", title="acknowledge under 10,000 rules, p99", unit="ms"),
        Row(figure="reload_p99", title="while they are read again, p99", unit="ms", beside="calm_p99"),
        Row(figure="reload_longest", title="while they are read again, longest", unit="ms", beside="calm_p99"),
    ),
    once,
)
