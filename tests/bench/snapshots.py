"""Many events on one large campaign: how many calls of Sakari they cost, against reading the campaign for each.

`python -m tests.bench.snapshots [--events 10000] [--executions 5000] [--naive 20]`: real Redis, real
workers' code, the sandbox over HTTP. The naive way is really gone (`fresh: 0`) for a sample of the events, in the same run,
and multiplied openly.
"""

import argparse
import asyncio
import logging
import resource
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import structlog
from rich.console import Console
from rich.table import Table

from service.actions import ACTIONS
from service.dev.processes import embedded_redis
from service.engine import RuleSet, load, plan
from service.model import Event
from service.sakari.client import Sakari
from service.sakari.snapshots import Snapshots
from service.sandbox.sample import sample_execution
from service.sandbox.state import Campaign, Settings
from service.store import Options, Store, accept, dead, keys, lanes, open_store, rulesets
from service.store.snapshots import SnapshotShelf
from service.worker.backoff import Backoff
from service.worker.desk import Desk, Rules
from service.worker.drain import drain_lane
from tests.sakari.rig import Rig, rigged, served

WORKERS = 4
LANES_AT_ONCE = 64


def rule_set(fresh: str) -> RuleSet:
    text = (
        "version: 1\nrules:\n  - id: look\n    event: contact.updated\n    then:\n      - do: fetch_executions\n"
        f'        as: drip\n        with: {{ campaign: c1, contact: {{ hubspot: "${{contact.id}}" }}, fresh: {fresh} }}\n'
        "      - do: update_attributes\n        if: { drip.found: true }\n        with: { type: contacts,"
        ' contact: { hubspot: { id: "${contact.id}" }, attributes: { status: "${drip.latest.status}" } } }\n'
    )
    loaded = load({"bench.yaml": text.encode()}, ACTIONS)
    assert not loaded.broken, loaded.problems
    return loaded.rule_set


def event(number: int, contact: int) -> Event:
    return Event(
        source="hubspot",
        account="1",
        type="contact.updated",
        object_id=str(contact),
        occurred_at=1_795_350_000_000 + number,
        fact_key=f"f{number}",
        delivery_key=f"d{number}",
        values={"contact.id": str(contact)},
    )


class Bench:
    """A sandbox with one campaign, a Redis, and several workers' worth of desks."""

    def __init__(self, rig: Rig, store: Store, executions: int) -> None:
        self.rig, self.store, self.executions = rig, store, executions
        rig.campaign(
            Campaign([sample_execution(n, "active", hubspot={"id": n}) for n in range(executions)], page_size=25)
        )
        self.clients = [self._client() for _ in range(WORKERS)]

    def _client(self) -> Sakari:
        shelf = SnapshotShelf(self.store, "demo")
        return Sakari(self.rig.line, "demo", self.rig.tokens, snapshots=Snapshots(shelf, now=time.time))

    def calls(self) -> int:
        return sum(self.rig.calls("/executions").values())

    async def work(self, fresh: str, first: int, count: int) -> tuple[float, int]:
        """Accept `count` events, each of a contact in the campaign, and drain them all: seconds, calls of `executions`."""
        rules, before, started = rule_set(fresh), self.calls(), time.perf_counter()
        await rulesets.keep(self.store, rules.version, rules.files)
        for at in range(first, first + count, 500):
            events = [event(n, n % self.executions) for n in range(at, min(at + 500, first + count))]
            await accept(self.store, "hubspot", [plan(rules, each, each.occurred_at) for each in events], [], now=0)
        await asyncio.gather(*(self._drain(client) for client in self.clients))
        assert not await dead.newest(self.store, 1)
        return time.perf_counter() - started, self.calls() - before

    async def _drain(self, sakari: Sakari) -> None:
        """Claim and drain, as tickets do, until nothing is left."""
        desk = Desk(
            store=self.store,
            sakari=sakari,
            actions=ACTIONS,
            rules=Rules(self.store, ACTIONS),
            backoff=Backoff(random=Random(1)),
            now=lambda: time.time_ns() // 1_000_000,
            stopping=asyncio.Event(),
        )
        while await self.store.redis.exists(keys.READY, keys.LEASES):
            claimed = await lanes.claim(self.store, LANES_AT_ONCE // WORKERS)
            await asyncio.gather(*(drain_lane(lane, desk) for lane in claimed))
            if not claimed:
                await asyncio.sleep(0.05)


async def used_memory(store: Store) -> int:
    return int((await store.redis.info("memory"))["used_memory"])


@asynccontextmanager
async def benched(executions: int) -> AsyncIterator[Bench]:
    with tempfile.TemporaryDirectory() as folder:
        async with embedded_redis(Path(folder)) as url, served(Settings()) as server, rigged(*server) as rig:
            store = open_store(url, Options(fsync=False, lease_ms=60_000, hold_ms=60_000))
            bench = Bench(rig, store, executions)
            yield bench
            for client in bench.clients:
                await client.close()
            await store.close()


async def reading(bench: Bench) -> tuple[float, int]:
    """Read the campaign once through a snapshot: seconds, bytes in Redis."""
    before, started = await used_memory(bench.store), time.perf_counter()
    while True:
        try:
            found = await bench.clients[0].find_executions("c1", frozenset({("hubspot", "1")}), fresh_ms=3_600_000)
        except Exception as error:
            if getattr(error, "reason", "") != "campaign_being_read":
                raise
            await asyncio.sleep(0.1)
        else:
            assert len(found) == 1
            return time.perf_counter() - started, await used_memory(bench.store) - before


async def look_up(bench: Bench, count: int) -> float:
    """Seconds for one lookup, one after the other."""
    started = time.perf_counter()
    for n in range(count):
        wanted = frozenset({("hubspot", str(n * 7919 % bench.executions))})
        assert len(await bench.clients[0].find_executions("c1", wanted, fresh_ms=3_600_000)) == 1
    return (time.perf_counter() - started) / count


async def main(options: argparse.Namespace) -> None:
    table = Table(
        "measure", "result", title=f"{options.events:,} events, one campaign of {options.executions:,} executions"
    )
    rows: list[tuple[str, Any]] = []
    async with benched(options.executions) as bench:
        before = _most_memory_mb()
        seconds, size = await reading(bench)
        grown = _most_memory_mb() - before
        rows.append(("one reading", f"{seconds:,.1f} s, {bench.calls():,} calls of 25 executions"))
        each = size / options.executions
        rows.append(("its size in Redis", f"{size / 1e6:,.1f} MB, {each:,.0f} bytes an execution"))
        rows.append(("one lookup", f"{await look_up(bench, 500) * 1000:,.2f} ms"))
        rows.append(("what this process grew by while reading", f"{grown:,.0f} MB"))
        if options.events:
            await bench.store.redis.flushall()
            seconds, calls = await bench.work("30s", 0, options.events)
            rows.append(("events with `fresh: 30s`", f"{calls:,} calls of executions, {seconds:,.0f} s"))
            took, naive = await bench.work("0", options.events, options.naive)
            whole = naive * options.events // options.naive
            rows.append((f"{options.naive} events with `fresh: 0`, the naive way", f"{naive:,} calls, {took:,.0f} s"))
            rows.append((f"so the naive way for {options.events:,} events", f"{whole:,} calls"))
            rows.append(("share", f"1/{whole / calls:,.0f}"))
    for name, told in rows:
        table.add_row(name, told)
    Console(width=110).print(table)


def _most_memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    parser = argparse.ArgumentParser(prog="python -m tests.bench.snapshots")
    parser.add_argument("--events", type=int, default=10_000, help="0: only the reading and the lookups")
    parser.add_argument("--executions", type=int, default=5_000)
    parser.add_argument("--naive", type=int, default=20, help="events that go the naive way")
    asyncio.run(main(parser.parse_args()))
