"""Measure a backtest: `python -m tests.bench.backtest [EVENTS]`. Half of the events match a rule."""

import asyncio
import resource
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from service.cli.rules_backtest import compare
from service.dev.processes import embedded_redis
from service.engine import RuleSet, plan
from service.model import Event
from service.store import Options, Store, accept, open_store, rulesets
from tests.bench.rules import rules

PAGE = 500


def event(number: int, now: int) -> Event:
    """A change of one of twenty properties; ten of them have a rule."""
    path = f"contact.property_{number % 20}"
    return Event(
        source="hubspot",
        account="1",
        type="contact.updated",
        object_id=str(number),
        occurred_at=now,
        fact_key=f"fact-{number:020}",
        delivery_key=f"delivery-{number:020}",
        values={path: "x", "contact.id": str(number)},
        changed=(path,),
        origin="user",
    )


async def fill(store: Store, rule_set: RuleSet, count: int) -> None:
    """Accept events under a rule set."""
    now = time.time_ns() // 1_000_000
    await rulesets.keep(store, rule_set.version, rule_set.files)
    for first in range(0, count, PAGE):
        events = [event(number, now) for number in range(first, min(count, first + PAGE))]
        await accept(store, "hubspot", [plan(rule_set, one, now) for one in events], [], now=now)


async def main(count: int) -> None:
    """Fill a journal, and decide about it again under its own rules and under ten thousand."""
    with tempfile.TemporaryDirectory() as folder:
        async with embedded_redis(Path(folder)) as url:
            store = open_store(url, Options(fsync=False))
            own = rules(10)
            await fill(store, own, count)
            for name, rule_set in (("its own 10 rules", own), ("10,000 rules", rules(10_000))):
                before, started = peak_mib(), time.perf_counter()
                compared = await compare(store, rule_set, 0, 2**45, 3)
                rate = compared.events / (time.perf_counter() - started)
                memory = f"memory {before} to {peak_mib()} MiB"
                Console().print(f"{compared.events:,} events, {name}: {rate:,.0f} events/s, {memory}", highlight=False)
            await store.close()


def peak_mib() -> int:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
