"""Throughput from the delivery to the call: one ingress, one worker, an instant Sakari; every event matches.

The same load goes through Sluice and through the peers, one after the other, each with a Redis of its own: the least that
a team could write, also with a Redis that is `durable`, so that a 2xx means stored; and the same job as Sluice's.
"""

import time

from tests.bench.cpu import cpu_seconds
from tests.bench.deliveries import deliveries
from tests.bench.installed import Installation, Installed, sluice_installed
from tests.bench.load import send
from tests.bench.measure import Measure, Place, Row, Target
from tests.bench.peer_installed import peers

EVENTS = 2_000
_FEWER = 500
"""What the slowest are sent instead, those whose Redis syncs before each answer."""
_BATCHES = (1, 100)
"""Events a delivery: what HubSpot sends when little happens, and when much does."""


async def once(place: Place) -> dict[str, float]:
    """Send the same load through one after the other."""
    figures: dict[str, float] = {}
    candidates: dict[str, Installation] = {"sluice": sluice_installed, **peers()}
    for name, installation in candidates.items():
        if place.quick and name.endswith("_durable"):
            continue  # the least once more
        folder = place.folder / name
        folder.mkdir()
        async with installation(folder) as installed:
            await installed.warm_up()
            durable = name.endswith("_durable")
            events = place.size(_FEWER if durable else EVENTS, 100)
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


_PEERS = {"celery": ("FastAPI + Celery", 8), "arq": ("FastAPI + arq", 5), "aiohttp": ("FastAPI + arq + aiohttp", 0)}
"""Their names, and how many times as fast Sluice is to be where they do the same job; 0 where nothing is demanded."""
_FORMS = {"": "the least", "_durable": "the least, durable", "_same": "same job"}
_CPU = "s/1,000 events"


def _rows(batch: int) -> list[Row]:
    told = f"{batch} a delivery"
    rows = [Row(figure=f"sluice_{batch}", title=f"Sluice, {told}", unit="events/s")]
    for peer, (name, times) in _PEERS.items():
        for form, done in _forms(peer, batch):
            target = Target("≥", times, "ratio") if times and (form, batch) == ("_same", 1) else None
            rows += _beside(f"{peer}{form}_{batch}", f"{name}, {done}, {told}", batch, target)
    return rows + _costs(batch, told)


def _forms(peer: str, batch: int) -> list[tuple[str, str]]:
    measured = {"_same"} if peer == "aiohttp" else {"", "_same"} | ({"_durable"} if batch == 1 else set())
    return [(form, done) for form, done in _FORMS.items() if form in measured]


def _beside(beside: str, name: str, batch: int, target: Target | None) -> list[Row]:
    return [
        Row(figure=beside, title=name, unit="events/s"),
        Row(figure=f"sluice_{batch}", title=f"Sluice beside {name}", unit="events/s", beside=beside, target=target),
    ]


def _costs(batch: int, told: str) -> list[Row]:
    ours, rows = f"sluice_{batch}_cpu", []
    for peer, (name, _) in _PEERS.items():
        for form, done in _forms(peer, batch):
            rows.append(Row(figure=f"{peer}{form}_{batch}_cpu", title=f"CPU: {name}, {done}, {told}", unit=_CPU))
    return [
        *rows,
        Row(figure=ours, title=f"CPU: Sluice, {told}", unit=_CPU, target=Target("≤", 1.2) if batch == 1 else None),
        *(
            Row(
                figure=ours,
                title=f"CPU: Sluice to {name}, same job, {told}",
                unit=_CPU,
                beside=f"{peer}_same_{batch}_cpu",
            )
            for peer, (name, _) in _PEERS.items()
        ),
        *(
            Row(figure=f"{ours}_{process}", title=f"CPU: {process} of Sluice, {told}", unit=_CPU)
            for process in ("ingress", "worker", "redis")
        ),
    ]


MEASURE = Measure("end-to-end", tuple(row for batch in _BATCHES for row in _rows(batch)), once)
