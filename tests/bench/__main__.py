"""Measure the hot paths and print a table.

Figures are medians of interleaved rounds; machines are noisy, and ratios are less so.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from service.dev.processes import embedded_redis
from service.engine import plan
from service.model import Event
from service.sources import hubspot
from service.sources.delivery import Delivery, Verified
from service.store import Options, Store, accept, open_store
from tests.bench.rules import rules, rules_table

ROUNDS = 5
NOW = 1_795_350_000_000


class Measure(Struct):
    """One thing that is measured, again and again. `once` does `size` operations."""

    name: str
    unit: str
    size: int
    once: Callable[[], Awaitable[None]]
    seconds: list[float] = []

    async def run(self) -> None:
        started = time.perf_counter()
        await self.once()
        self.seconds.append(time.perf_counter() - started)

    @property
    def rate(self) -> float:
        """Operations a second, median."""
        return self.size / statistics.median(self.seconds)


def batch(first: int, size: int, prop: str = "nobody_asks") -> Verified:
    """Make one delivery of HubSpot with `size` property changes of as many contacts."""
    events = [
        {
            "eventId": first + n,
            "subscriptionId": 3100001,
            "portalId": 48150001,
            "appId": 9260001,
            "occurredAt": NOW + n,
            "subscriptionType": "contact.propertyChange",
            "attemptNumber": 0,
            "objectId": 310000000451 + first + n,
            "propertyName": prop,
            "propertyValue": "x",
            "changeSource": "CRM_UI",
            "sourceId": "userId:5550001",
        }
        for n in range(size)
    ]
    body = msgspec.json.encode(events)
    return Verified(Delivery(method="POST", target="/", headers={}, body=body, received_at=NOW), "v3")


class Bench:
    """The measures, over one Redis."""

    def __init__(self, store: Store, quick: Store) -> None:
        self.store, self.quick, self.next_id = store, quick, 0
        self.few = rules(10)
        self.event: Event = hubspot.normalise(batch(0, 1)).events[0]

    async def accept(self, store: Store, deliveries: int, size: int, prop: str = "nobody_asks") -> None:
        for _ in range(deliveries):
            found = hubspot.normalise(batch(self.next_id, size, prop))
            self.next_id += size
            await accept(store, "hubspot", [plan(self.few, e, NOW) for e in found.events], [], now=NOW)

    async def bare_redis(self, count: int) -> None:
        pipe = self.store.redis.pipeline(transaction=False)
        for n in range(count):
            pipe.xadd("bench", {"e": b"x" * 300 + str(n).encode()})
        await pipe.execute()

    async def lookups(self, count: int) -> None:
        index = {"contact.property": ()}
        for _ in range(count):
            index.get(self.event.type)

    async def normalising(self, count: int) -> None:
        delivery = batch(0, 100)
        for _ in range(count // 100):
            hubspot.normalise(delivery)

    def measures(self) -> list[Measure]:
        """Everything that is measured; yardsticks begin with a dash."""
        return [
            Measure("accept, 100 events a delivery, fsync", "events/s", 2000, lambda: self.accept(self.store, 20, 100)),
            Measure(
                "accept, 100 events a delivery, memory", "events/s", 2000, lambda: self.accept(self.quick, 20, 100)
            ),
            Measure("accept, 1 event a delivery, memory", "events/s", 300, lambda: self.accept(self.quick, 300, 1)),
            Measure("- bare Redis, pipelined XADD of 300 bytes", "calls/s", 2000, lambda: self.bare_redis(2000)),
            Measure("normalise a HubSpot event", "events/s", 5000, lambda: self.normalising(5000)),
            Measure("- a lookup in a dict", "lookups/s", 50_000, lambda: self.lookups(50_000)),
        ]

    async def bytes_an_event(self, prop: str) -> float:
        """Measure what an accepted event takes in Redis."""
        before = (await self.quick.redis.info("memory"))["used_memory"]
        await self.accept(self.quick, 200, 100, prop)
        after: int = (await self.quick.redis.info("memory"))["used_memory"]
        return float(after - before) / 20_000


async def main() -> None:
    """Run all measures in turn, `ROUNDS` times, and print them."""
    with tempfile.TemporaryDirectory() as folder:
        async with embedded_redis(Path(folder)) as url:
            store, quick = open_store(url, Options()), open_store(url, Options(fsync=False))
            bench = Bench(store, quick)
            measures = bench.measures()
            for _ in range(ROUNDS + 1):  # the first round warms up
                for measure in measures:
                    await measure.run()
            for measure in measures:
                measure.seconds = measure.seconds[1:]
            rest, waiting = await bench.bytes_an_event("nobody_asks"), await bench.bytes_an_event("property_3")
            await store.close()
            await quick.close()
    table = Table("measure", "median", "a piece", "spread", title=f"medians of {ROUNDS} interleaved rounds")
    for measure in measures:
        each = statistics.median(measure.seconds) / measure.size * 1e6
        spread = max(measure.seconds) / min(measure.seconds)
        table.add_row(measure.name, f"{measure.rate:,.0f} {measure.unit}", f"{each:,.2f} µs", f"x{spread:.1f}")
    table.add_row("Redis memory, an event at rest (claim and journal)", f"{rest:,.0f} bytes", "", "")
    table.add_row("Redis memory, an event with one waiting run", f"{waiting:,.0f} bytes", "", "")
    console = Console(width=120)
    console.print(table)
    console.print(rules_table(hubspot.normalise(batch(0, 1)).events[0], NOW))


if __name__ == "__main__":
    asyncio.run(main())
