"""Throughput from the delivery to the call: one ingress, one worker, an instant Sakari; every event matches.

The same load goes through Sluice and through the peers, one after the other, each with a Redis of its own: the least that
a team could write, also with a Redis that is `durable`, so that a 2xx means stored; and the same job as Sluice's.
"""

import time

from msgspec import Struct

from tests.bench.cpu import cpu_seconds
from tests.bench.deliveries import deliveries
from tests.bench.installed import Installation, Installed, sluice_installed
from tests.bench.load import send
from tests.bench.measure import Measure, Place, Row, Target
from tests.bench.peer_installed import peers

EVENTS = 2_000
_FEWER = 500
"""What the slowest are sent instead, those whose Redis syncs before each answer."""
_MORE = 6_000
"""What Sluice is sent: with fewer it would be through in less than a second, and what else happens in it would be measured."""


class Load(Struct, frozen=True):
    """How the events come: so many a delivery, and so many deliveries under way at once."""

    batch: int = 1
    at_once: int = 10

    @property
    def name(self) -> str:
        return f"{self.batch}_{self.at_once}"

    @property
    def told(self) -> str:
        return f"{self.batch} a delivery, {self.at_once} at once"


CALM = Load()
"""As one account of HubSpot sends when little happens."""
FULL = Load(at_once=50)
"""So many at once that whoever is fast does not wait for the sender."""
LARGE = Load(batch=100)
"""As one account of HubSpot sends when much happens."""


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
            wanted = _MORE if name == "sluice" else _FEWER if name.endswith("_durable") else EVENTS
            events = place.size(wanted, 100) // LARGE.batch * LARGE.batch  # whole deliveries, however large
            for load in _loads(name):
                seconds, cpu = await throughput(installed, events, load)
                figures |= _figures(f"{name}_{load.name}", events, seconds, cpu)
    return figures


def _loads(name: str) -> tuple[Load, ...]:
    if name.endswith("_durable"):
        return (CALM,)
    return (CALM, FULL, LARGE) if name == "sluice" or name.endswith("_same") else (CALM, LARGE)


def _figures(name: str, count: int, seconds: float, cpu: dict[str, float]) -> dict[str, float]:
    each = {f"{name}_cpu_{process}": spent * 1000 / count for process, spent in cpu.items()}
    return {name: count / seconds, f"{name}_cpu": sum(each.values()), **each}


async def throughput(installed: Installed, events: int, load: Load) -> tuple[float, dict[str, float]]:
    """Send events as fast as they are answered: seconds until the last call, CPU seconds by process."""
    requests = deliveries(installed.route, events // load.batch, events=load.batch)
    before = await installed.taken()
    spent = {name: cpu_seconds([pid]) for name, pid in installed.processes.items()}
    started = time.monotonic()
    sent = await send(installed.port, requests, at_once=load.at_once)
    await installed.reached(before + events)
    seconds = time.monotonic() - started
    assert sent.statuses == {200}, sent.statuses
    return seconds, {name: cpu_seconds([pid]) - spent[name] for name, pid in installed.processes.items()}


_PEERS = {"celery": ("FastAPI + Celery", 8), "arq": ("FastAPI + arq", 5), "aiohttp": ("FastAPI + arq + aiohttp", 0)}
"""Their names, and how many times as fast Sluice is to be where they do the same job; 0 where nothing is demanded."""
_FORMS = {"": "the least", "_durable": "the least, durable", "_same": "same job"}
_CPU = "s/1,000 events"


def _rows(load: Load) -> list[Row]:
    rows = [Row(figure=f"sluice_{load.name}", title=f"Sluice, {load.told}", unit="events/s")]
    for peer, (name, times) in _PEERS.items():
        for form, done in _forms(peer, load):
            target = Target("≥", times, "ratio") if times and form == "_same" and load == FULL else None
            rows += _beside(f"{peer}{form}_{load.name}", f"{name}, {done}, {load.told}", load, target)
    return rows + _costs(load)


def _forms(peer: str, load: Load) -> list[tuple[str, str]]:
    """The forms of a peer that are sent this load."""
    known = ("_same",) if peer == "aiohttp" else tuple(_FORMS)
    return [(form, _FORMS[form]) for form in known if load in _loads(peer + form)]


def _beside(beside: str, name: str, load: Load, target: Target | None) -> list[Row]:
    return [
        Row(figure=beside, title=name, unit="events/s"),
        Row(figure=f"sluice_{load.name}", title=f"Sluice beside {name}", unit="events/s", beside=beside, target=target),
    ]


def _costs(load: Load) -> list[Row]:
    ours, rows = f"sluice_{load.name}_cpu", []
    for peer, (name, _) in _PEERS.items():
        for form, done in _forms(peer, load):
            rows.append(
                Row(figure=f"{peer}{form}_{load.name}_cpu", title=f"CPU: {name}, {done}, {load.told}", unit=_CPU)
            )
    target = Target("≤", 1.2) if load.batch == 1 else None
    return [
        *rows,
        Row(figure=ours, title=f"CPU: Sluice, {load.told}", unit=_CPU, target=target),
        *(
            Row(
                figure=ours,
                title=f"CPU: Sluice to {name}, same job, {load.told}",
                unit=_CPU,
                beside=f"{peer}_same_{load.name}_cpu",
            )
            for peer, (name, _) in _PEERS.items()
        ),
        *(
            Row(figure=f"{ours}_{process}", title=f"CPU: {process} of Sluice, {load.told}", unit=_CPU)
            for process in ("ingress", "worker", "redis")
        ),
    ]


MEASURE = Measure("end-to-end", tuple(row for load in (CALM, FULL, LARGE) for row in _rows(load)), once)
