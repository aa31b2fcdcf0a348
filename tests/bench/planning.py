"""Planning: what it costs to decide that an event matches none of 10 to 10,000 rules; beside a lookup in a dict.

CPU time, since a busy machine stretches the clock on the wall.
"""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import TypeVar

import msgspec

from service.engine import RuleSet, plan
from service.model import Event
from service.sources import hubspot
from service.sources.delivery import Delivery, Verified
from tests.bench.deliveries import property_change
from tests.bench.measure import Measure, Place, Row, Target
from tests.bench.rules import rules

COUNTS = (10, 100, 1_000, 10_000)
NOW = 1_795_350_000_000
_TURNS = 9
Key = TypeVar("Key")


async def once(place: Place) -> dict[str, float]:
    """Plan one event again and again."""
    event, events = an_event(), place.size(2_000)
    index: dict[str, tuple[str, ...]] = {event.type: ()}
    batch = _verified(100)
    sets = {count: _rules(place.size(count, 10)) for count in COUNTS}
    work: dict[str, Callable[[], object]] = {
        "lookup": lambda: index.get(event.type),
        "normalise": lambda: hubspot.normalise(batch),
        **{f"rules_{count}": planning(rule_set, event) for count, rule_set in sets.items()},
    }
    figures = cpu_us(work, events)
    figures["normalise"] /= 100
    figures["growth"] = figures[f"rules_{COUNTS[-1]}"] / figures[f"rules_{COUNTS[0]}"]
    return figures


def planning(rule_set: RuleSet, event: Event) -> Callable[[], object]:
    """Plan this event under these rules."""
    return lambda: plan(rule_set, event, NOW)


def an_event() -> Event:
    """An event that matches none of the rules of `rules`."""
    return hubspot.normalise(_verified(1)).events[0]


def cpu_us(work: Mapping[Key, Callable[[], object]], times: int) -> dict[Key, float]:
    """CPU microseconds of a call of each, the median of turns, so that a processor that wakes up slows all of them alike.

    The collector is off, as it is during a delivery's few milliseconds.
    """
    found: dict[Key, list[float]] = {name: [] for name in work}
    gc.disable()
    try:
        for _ in range(_TURNS):
            for name, call in work.items():
                started = time.process_time()
                for _ in range(times):
                    call()
                found[name].append((time.process_time() - started) / times * 1e6)
    finally:
        gc.enable()
    return {name: statistics.median(turns) for name, turns in found.items()}


@cache
def _rules(count: int) -> RuleSet:
    return rules(count)


def _verified(size: int) -> Verified:
    body = msgspec.json.encode([property_change(n, NOW, matches=False) for n in range(size)])
    return Verified(Delivery(method="POST", target="/", headers={}, body=body, received_at=NOW), "v3")


def _row(count: int) -> Row:
    target = Target("≤", 15) if count == COUNTS[-1] else None
    title = f"plan an event that matches none of {count:,} rules"
    return Row(figure=f"rules_{count}", title=title, unit="µs", beside="lookup", target=target)


MEASURE = Measure(
    "planning",
    (
        Row(figure="lookup", title="a lookup in a dict", unit="µs"),
        *(_row(count) for count in COUNTS),
        Row(figure="growth", title="10,000 rules to 10 rules", unit="times", target=Target("≤", 3)),
        Row(figure="normalise", title="normalise an event of HubSpot", unit="µs", beside="lookup"),
    ),
    once,
)
