"""Throughput from the delivery to the call: one ingress, one worker, an instant Sakari; every event matches.

The same load goes through Sluice and through the two peers, one after the other, each with a Redis of its own. With that of
`durable` peers a 2xx means what it means with Sluice: it is on the disk.
"""

import time

from tests.bench.cpu import cpu_seconds
from tests.bench.deliveries import deliveries
from tests.bench.installed import Installation, Installed, sluice_installed
from tests.bench.load import send
from tests.bench.measure import Measure, Place, Row, Target
from tests.bench.peer_installed import peers

EVENTS = 2_000
_BATCHES = (1, 100)
"""Events a delivery: what HubSpot sends when little happens, and when much does."""


async def once(place: Place) -> dict[str, float]:
    """Send the same load through one after the other."""
    figures: dict[str, float] = {}
    candidates: dict[str, Installation] = {"sluice": sluice_installed, **peers()}
    for name, installation in candidates.items():
        folder = place.folder / name
        folder.mkdir()
        async with installation(folder) as installed:
            await installed.warm_up()
            durable = name.endswith("_durable")
            events = place.size(500 if durable else EVENTS, 100)
            for batch in (1,) if durable else _BATCHES:
                seconds, cpu = await throughput(installed, events, batch)
                figures |= _figures(f"{name}_{batch}", events, seconds, cpu)
    return figures


def _figures(name: str, count: int, seconds: float, cpu: dict[str, float]) -> dict[str, float]:
    each = {f"{name}_cpu_{process}": spent * 1000 / count for process, spent in cpu.items()}
    return {name: count / seconds, f"{name}_cpu": sum(each.values()), **each}


async def throughput(installed: Installed, events: int, batch: int = 1) -> tuple[float, dict[str, float]]:
    """Send events, `batch` a delivery, as fast as they are answered: seconds until the last call, CPU seconds by process."""
    requests, before = deliveries(installed.route, events // batch, events=batch), await installed.taken()
    spent = {name: cpu_seconds([pid]) for name, pid in installed.processes.items()}
    started = time.monotonic()
    sent = await send(installed.port, requests, at_once=10)
    await installed.reached(before + events)
    seconds = time.monotonic() - started
    assert sent.statuses == {200}, sent.statuses
    return seconds, {name: cpu_seconds([pid]) - spent[name] for name, pid in installed.processes.items()}


_PEERS = {"celery": ("FastAPI + Celery", 8), "arq": ("FastAPI + arq", 5)}
"""Their names, and how many times as fast Sluice is to be, for the same promise: a 2xx means stored."""
_CPU = "s/1,000 events"


def _rows(batch: int) -> list[Row]:
    told = f"{batch} a delivery"
    rows = [Row(figure=f"sluice_{batch}", title=f"Sluice, {told}", unit="events/s")]
    for peer, (name, times) in _PEERS.items():
        rows += _beside(peer, name, batch, told)
        if batch == 1:
            rows += _beside(f"{peer}_durable", f"{name}, durable", batch, told, Target("≥", times, "ratio"))
    return rows + _costs(batch, told)


def _beside(peer: str, name: str, batch: int, told: str, target: Target | None = None) -> list[Row]:
    ours, beside = f"sluice_{batch}", f"{peer}_{batch}"
    return [
        Row(figure=beside, title=f"{name}, {told}", unit="events/s"),
        Row(figure=ours, title=f"Sluice beside {name}, {told}", unit="events/s", beside=beside, target=target),
    ]


def _costs(batch: int, told: str) -> list[Row]:
    ours = f"sluice_{batch}_cpu"
    return [
        *(Row(figure=f"{peer}_{batch}_cpu", title=f"CPU: {_PEERS[peer][0]}, {told}", unit=_CPU) for peer in _PEERS),
        Row(figure=ours, title=f"CPU: Sluice, {told}", unit=_CPU, target=Target("≤", 1.2) if batch == 1 else None),
        Row(figure=ours, title=f"CPU: Sluice to FastAPI + arq, {told}", unit=_CPU, beside=f"arq_{batch}_cpu"),
        *(
            Row(figure=f"{ours}_{process}", title=f"CPU: {process} of Sluice, {told}", unit=_CPU)
            for process in ("ingress", "worker", "redis")
        ),
    ]


MEASURE = Measure("end-to-end", tuple(row for batch in _BATCHES for row in _rows(batch)), once)
