"""Work that grows, in one function each: lanes that wait, rules, executions of a campaign."""

import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from msgspec.structs import replace

from service.model import Event
from service.store import Options, Store, accept, lanes, open_store
from tests.bench import snapshots
from tests.bench.curve import Curve, Series
from tests.bench.installed import a_redis
from tests.bench.planning import an_event, cpu_us, planning
from tests.bench.plans import NOW, fill, plans
from tests.bench.rules import rules

_TIMES = 40
_CLAIMED = 16


async def waiting(folder: Path, most: int) -> list[Curve]:
    """Accept and claim while 1,000 to `most` lanes wait, in turns: there is a Redis for each number of lanes.

    They are filled by accepting, 100 events at a time.
    """
    async with AsyncExitStack() as stack:
        filled = {count: await _filled(stack, folder, count) for count in _sizes(1_000, most)}
        rounds: dict[int, list[tuple[float, float]]] = {count: [] for count in filled}
        for _ in range(_TIMES):
            for count, (store, _bytes) in filled.items():
                rounds[count].append((await _accept_ms(store), await _claim_ms(store)))
    costs = {count: tuple(map(statistics.median, zip(*both, strict=True))) for count, both in rounds.items()}
    sizes = [(count, size) for count, (_, size) in filled.items()]
    names = ("accept 100 events", f"claim {_CLAIMED} lanes")
    return [
        Curve(
            name="lanes",
            title="Accepting and claiming while lanes wait",
            x="lanes that wait",
            y="ms",
            series=tuple(Series(name, points(costs, n)) for n, name in enumerate(names)),
        ),
        single("memory", "Memory of Redis for an event and its run", "lanes that wait", "bytes", sizes),
    ]


async def _filled(stack: AsyncExitStack, folder: Path, count: int) -> tuple[Store, float]:
    """A Redis in which so many lanes wait, warm and quiet; and the bytes that each takes."""
    url, _ = await stack.enter_async_context(a_redis(folder))
    store = open_store(url, Options(fsync=False), timeout_s=60)
    stack.push_async_callback(store.close)
    empty = await _memory(store)
    await fill(store, count, matching=True)
    size = (await _memory(store) - empty) / count
    await _accept_ms(store)
    await _claim_ms(store)
    while (await store.redis.info("persistence"))["aof_rewrite_in_progress"]:  # noqa: ASYNC110 - Redis does not tell
        await asyncio.sleep(0.5)
    return store, size


async def _accept_ms(store: Store) -> float:
    planned, started = plans(100, matching=True), time.perf_counter()
    await accept(store, "hubspot", planned, [], now=NOW)
    return (time.perf_counter() - started) * 1000


async def _claim_ms(store: Store) -> float:
    started = time.perf_counter()
    assert len(await lanes.claim(store, _CLAIMED)) == _CLAIMED
    return (time.perf_counter() - started) * 1000


async def _memory(store: Store) -> int:
    return int((await store.redis.info("memory"))["used_memory"])


async def ruled(_: Path, most: int) -> list[Curve]:
    """Plan an event under 10 to `most` rules, in turns: one that matches none of them, and one that matches one."""
    nothing = an_event()
    events = {"matches nothing": nothing, "matches one rule": _matching(nothing)}
    sets = {count: rules(count) for count in _sizes(10, most)}
    work = {(name, n): planning(rule_set, event) for name, event in events.items() for n, rule_set in sets.items()}
    costs = cpu_us(work, 2_000)
    series = tuple(Series(name, tuple((count, costs[name, count]) for count in sets)) for name in events)
    return [Curve(name="rules", title="Planning an event, CPU", x="rules", y="µs", series=series)]


def _matching(event: Event) -> Event:
    path = "contact.property_1"
    return replace(event, values={**event.values, path: "x"}, changed=(path,))


async def campaigns(_: Path, most: int) -> list[Curve]:
    """Read a campaign of 100 to `most` executions into a snapshot, and look contacts up in it."""
    calls: list[tuple[float, float]] = []
    seconds: list[tuple[float, float]] = []
    lookups: list[tuple[float, float]] = []
    for count in _sizes(100, most):
        async with snapshots.benched(count) as bench:
            started = time.process_time()
            await snapshots.reading(bench)
            seconds.append((count, time.process_time() - started))
            calls.append((count, bench.calls()))
            lookups.append((count, await snapshots.look_up(bench, 200) * 1000))
    read, looked = "Reading a campaign once", "Looking one contact up in a campaign that was read"
    return [
        single("campaign", f"{read}: calls of Sakari", "executions", "calls", calls),
        single("reading", f"{read}: CPU, the sandbox's included", "executions", "s", seconds),
        single("lookup", looked, "executions", "ms", lookups),
    ]


def single(name: str, title: str, x: str, y: str, points: Sequence[tuple[float, float]]) -> Curve:
    """A curve of one line."""
    return Curve(name=name, title=title, x=x, y=y, series=(Series("", tuple(points)),))


def _sizes(least: int, most: int) -> list[int]:
    """From `least` to `most`, each ten times the one before."""
    sizes = [least]
    while sizes[-1] * 10 <= most:
        sizes.append(sizes[-1] * 10)
    return sizes


def points(costs: Mapping[int, tuple[float, ...]], column: int) -> tuple[tuple[float, float], ...]:
    return tuple((count, cost[column]) for count, cost in costs.items())
