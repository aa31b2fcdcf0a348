"""Throughput from the delivery to the call: one ingress, one worker, an instant Sakari; every event matches.

The same events go through Sluice and through the two peers, one after the other, each with a Redis of its own.
"""

import time
from pathlib import Path

from tests.bench.cpu import cpu_seconds
from tests.bench.deliveries import deliveries
from tests.bench.installed import Installation, Installed, sluice_installed
from tests.bench.load import send
from tests.bench.measure import Measure, Place, Row, Target

EVENTS = 2_000


async def once(place: Place) -> dict[str, float]:
    """Send the same load through one after the other."""
    figures: dict[str, float] = {}
    candidates: dict[str, Installation] = {"sluice": sluice_installed}
    for name, installation in candidates.items():
        folder = place.folder / name
        folder.mkdir()
        figures |= await _through(name, installation, folder, place.size(EVENTS, 50))
    return figures


async def _through(name: str, installation: Installation, folder: Path, count: int) -> dict[str, float]:
    async with installation(folder) as installed:
        await installed.warm_up()
        seconds, cpu = await throughput(installed, count)
    each = {f"{name}_cpu_{process}": spent * 1000 / count for process, spent in cpu.items()}
    return {name: count / seconds, f"{name}_cpu": sum(each.values()), **each}


async def throughput(installed: Installed, count: int) -> tuple[float, dict[str, float]]:
    """Send events one a delivery, as fast as they are answered: seconds until the last call, CPU seconds by process."""
    requests, before = deliveries(installed.route, count), await installed.taken()
    spent = {name: cpu_seconds([pid]) for name, pid in installed.processes.items()}
    started = time.monotonic()
    sent = await send(installed.port, requests, at_once=10)
    await installed.reached(before + count)
    seconds = time.monotonic() - started
    assert sent.statuses == {200}, sent.statuses
    return seconds, {name: cpu_seconds([pid]) - spent[name] for name, pid in installed.processes.items()}


MEASURE = Measure(
    "end-to-end",
    (
        Row(figure="sluice", title="end to end, one ingress, one worker", unit="events/s"),
        Row(figure="sluice_cpu", title="CPU of all processes", unit="s/1,000 events", target=Target("≤", 1.2)),
        Row(figure="sluice_cpu_ingress", title="CPU of the ingress", unit="s/1,000 events"),
        Row(figure="sluice_cpu_worker", title="CPU of the worker", unit="s/1,000 events"),
        Row(figure="sluice_cpu_redis", title="CPU of Redis", unit="s/1,000 events"),
    ),
    once,
)
