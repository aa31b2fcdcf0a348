"""Measure how well the pace is kept, and what an outage costs: `python -m tests.bench.pace [steady|outage] [--short]`.

Real processes: a sandbox that answers 429 above its limit, an ingress, and several workers that share one pace.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from service.dev.processes import embedded_redis
from service.store import dead, journal, keys
from tests.system.conftest import Installation, environment, hubspot, ingress, opened, sandbox, worker

LIMIT = 20.0
WORKERS = 4
OUTAGE: list[dict[str, Any]] = [
    {"path": "/v1/", "status": 503, "probability": 0.7},
    {"path": "/v1/", "cut": "before"},
]
_SETTLED_S = 900.0


class Measured(Struct, kw_only=True):
    """What one run of the bench found."""

    seconds: float
    calls: dict[str, int]
    """HTTP status -> calls of the API."""
    writes: list[float]
    """When the sandbox took them, seconds since the epoch."""
    states: dict[str, int]
    tries: Counter[int]
    """Failed tries -> runs that have used up so many."""
    put_off: Counter[int]
    letters: int
    lines: list[dict[str, Any]]
    """What the workers logged."""

    def rate(self, since: float = 0, until: float = float("inf")) -> float:
        """Writes a second between the first and the last one in a span."""
        taken = sorted(at for at in self.writes if since <= at <= until)
        return (len(taken) - 1) / (taken[-1] - taken[0]) if len(taken) > 1 else 0.0

    def most_in_a_second(self) -> int:
        """The largest number of writes within any second."""
        taken, first, most = sorted(self.writes), 0, 0
        for last, at in enumerate(taken):
            while taken[first] < at - 1:
                first += 1
            most = max(most, last - first + 1)
        return most

    def told(self, event: str) -> list[dict[str, Any]]:
        """The log lines of one kind."""
        return [line for line in self.lines if line["event"] == event]


@contextlib.asynccontextmanager
async def stage(folder: Path, *, limit: float, rate: float, burst: int, workers: int) -> AsyncIterator[Installation]:
    """Start everything, with a limit in the sandbox and a pace in the workers."""
    (folder / "redis").mkdir()
    async with contextlib.AsyncExitStack() as stack:
        redis_url = await stack.enter_async_context(embedded_redis(folder / "redis"))
        environ = environment(redis_url, folder, SLUICE_SAKARI_RATE=f"{rate:g}", SLUICE_SAKARI_BURST=str(burst))
        await stack.enter_async_context(sandbox(environ, folder, "--limit", f"{limit:g}"))
        await stack.enter_async_context(ingress(environ, folder))
        for number in range(workers):
            await stack.enter_async_context(worker(environ, folder, f"worker-{number}"))
        yield await stack.enter_async_context(opened(environ))


async def send(installation: Installation, first: int, count: int) -> None:
    """Send events of as many contacts, a hundred a delivery."""
    for start in range(first, first + count, 100):
        batch = [hubspot(700_000_000 + n, "counter", str(n)) for n in range(start, min(start + 100, first + count))]
        assert (await installation.hubspot(*batch))["accepted"] == len(batch)


async def settle(installation: Installation) -> None:
    """Wait until no lane has work left."""
    end = time.monotonic() + _SETTLED_S
    while await installation.store.redis.exists(keys.READY, keys.LEASES, keys.OWNERS):
        assert time.monotonic() < end, f"not settled within {_SETTLED_S} s"
        await asyncio.sleep(0.1)


async def look(installation: Installation, folder: Path, runs: int, started: float) -> Measured:
    """Gather what everybody knows after it is over."""
    seconds = time.monotonic() - started
    state = await installation.sandbox()
    calls: Counter[str] = Counter()
    for endpoint, counted in state["calls"].items():
        calls.update(counted if "/v1/" in endpoint else {})
    states: Counter[str] = Counter()
    tries: Counter[int] = Counter()
    put_off: Counter[int] = Counter()
    for event in await journal.newest(installation.store, runs):
        run = await journal.ledger(installation.store, f"{event.entry.event.fact_key}/counter")
        states[run.state] += 1
        tries[run.tries] += 1
        put_off[run.put_off] += 1
    lines = [json.loads(line) for log in folder.glob("worker-*.log") for line in log.read_text().splitlines()]
    return Measured(
        seconds=seconds,
        calls=dict(calls),
        writes=[write["at"] for write in state["writes"]],
        states=dict(states),
        tries=tries,
        put_off=put_off,
        letters=await dead.count(installation.store),
        lines=lines,
    )


async def steady(*, runs: int, limit: float = LIMIT, rate: float | None = None, burst: int = 5) -> Measured:
    """All runs at once, at the pace that the sandbox allows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with stage(folder, limit=limit, rate=rate or limit, burst=burst, workers=WORKERS) as installation:
            started = time.monotonic()
            await send(installation, 0, runs)
            await settle(installation)
            return await look(installation, folder, runs, started)


class Outage(Struct, frozen=True):
    """An outage under load, and when it began and ended (seconds since the epoch)."""

    measured: Measured
    began: float
    ended: float
    longest_answer_s: float
    """Of the ingress, to events that came during the outage."""


async def outage(*, before: int, during: int, seconds: float, limit: float = LIMIT, burst: int = 5) -> Outage:
    """Let Sakari be down for a while: a backlog before, more events meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with stage(folder, limit=limit, rate=limit, burst=burst, workers=WORKERS) as installation:
            started = time.monotonic()
            await send(installation, 0, before)
            await asyncio.sleep(min(5.0, seconds))
            began, longest = time.time(), 0.0
            await installation.misbehave(*OUTAGE)
            for first in range(before, before + during, 10):
                asked = time.monotonic()
                await send(installation, first, min(10, before + during - first))
                longest = max(longest, time.monotonic() - asked)
                await asyncio.sleep(max(0.0, seconds * 10 / during - (time.monotonic() - asked)))
            await asyncio.sleep(max(0.0, began + seconds - time.time()))
            await installation.misbehave()
            ended = time.time()
            await settle(installation)
            measured = await look(installation, folder, before + during, started)
            return Outage(measured, began, ended, longest)


def tell_steady(found: Measured, limit: float, console: Console) -> None:
    """Print a table."""
    table = Table("steady state", "", title=f"limit {limit:g} calls/s, {WORKERS} workers")
    table.add_row("runs", ", ".join(f"{state} {count:,}" for state, count in found.states.items()))
    table.add_row("calls, by status", ", ".join(f"{status} {count:,}" for status, count in found.calls.items()))
    table.add_row("calls a second", f"{found.rate():.2f} = {found.rate() / limit:.1%} of the limit")
    table.add_row("most calls in any second", str(found.most_in_a_second()))
    table.add_row("dead letters", str(found.letters))
    table.add_row("put off, times", _spread(found.put_off))
    console.print(table)


def tell_outage(found: Outage, limit: float, console: Console) -> None:
    """Print a table."""
    measured = found.measured
    closed = [_at(line) for line in measured.told("circuit closed")]
    backlog = measured.rate(since=max(closed, default=found.ended))
    table = Table("outage", "", title=f"{found.ended - found.began:.0f} s down, limit {limit:g} calls/s")
    table.add_row("circuit opened, s after it began", _offsets(measured.told("circuit opened"), found.began))
    table.add_row("circuit closed, s after it ended", _offsets(measured.told("circuit closed"), found.ended))
    table.add_row("calls, by outcome", ", ".join(f"{what} {count:,}" for what, count in measured.calls.items()))
    table.add_row("runs", ", ".join(f"{state} {count:,}" for state, count in measured.states.items()))
    table.add_row("dead letters", str(measured.letters))
    table.add_row("failed tries -> runs", _spread(measured.tries))
    table.add_row("put off, times -> runs", _spread(measured.put_off))
    table.add_row("slowest answer of the ingress meanwhile", f"{found.longest_answer_s * 1000:.0f} ms for ten events")
    table.add_row("backlog drained at", f"{backlog:.2f} calls/s = {backlog / limit:.1%} of the pace")
    console.print(table)


def _spread(counted: Counter[int]) -> str:
    few = ", ".join(f"{number}: {counted[number]:,}" for number in sorted(counted)[:8])
    return f"{few}; median {statistics.median(counted.elements())}, most {max(counted)}"


def _at(line: dict[str, Any]) -> float:
    return datetime.fromisoformat(line["timestamp"]).timestamp()


def _offsets(lines: list[dict[str, Any]], origin: float) -> str:
    return ", ".join(f"{_at(line) - origin:.1f}" for line in lines) or "never"


async def main(argv: list[str] | None = None) -> None:
    """Run what was asked for, and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pace", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("steady", "outage"), help="by default both")
    parser.add_argument("--short", action="store_true", help="a tenth of it")
    asked = parser.parse_args(argv)
    console, share = Console(), 10 if asked.short else 1
    if asked.what in (None, "steady"):
        tell_steady(await steady(runs=5000 // share), LIMIT, console)
    if asked.what in (None, "outage"):
        tell_outage(await outage(before=1000 // share, during=600 // share, seconds=60 / share), LIMIT, console)


if __name__ == "__main__":
    asyncio.run(main())
