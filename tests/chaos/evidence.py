"""What is known when everything has settled: the journal, the ledgers, what Sakari was told, and what happened to whom."""

import asyncio
from pathlib import Path

from msgspec import Struct, convert

from service.sandbox.state import Fault
from service.store import Store, journal, keys
from service.store.journal import Journalled
from tests.chaos.crm import Answer, Crms
from tests.chaos.monkey import Disturbance
from tests.chaos.recovery import Recovery
from tests.chaos.stage import Stage
from tests.chaos.stream import FIRST_MS

_AT_ONCE = 200


class Entry(Struct, frozen=True):
    """An accepted fact, and how its only run ended (`unruled` if it has none)."""

    fact: int
    state: str
    reason: str = ""
    written: bool = False
    """Whether its last step, which is the one that writes, says that it was done."""


class Written(Struct, frozen=True):
    """One call that had its effect in Sakari. `at`: seconds since the epoch; `values`: attribute -> value."""

    at: float
    record: str
    values: dict[str, str]
    fault: Fault | None = None
    """What happened to its answer."""


class Evidence(Struct, frozen=True, kw_only=True):
    """All that the judge looks at."""

    answered: frozenset[int]
    """Facts for which a CRM got a 2xx."""
    entries: tuple[Entry, ...]
    writes: tuple[Written, ...]
    """In the order in which Sakari saw them."""
    final: dict[str, dict[str, str]]
    """Record -> attribute -> the value that stands in Sakari."""
    disturbances: tuple[Disturbance, ...]
    left: dict[str, int] = {}
    """Where something is left although everything should be over -> how much."""
    fallen: tuple[str, ...] = ()
    """Processes that ended without being told to."""
    stubborn: tuple[str, ...] = ()
    """Processes that did not end on SIGTERM."""
    recoveries: tuple[Recovery, ...] = ()
    answers: tuple[Answer, ...] = ()
    settled: float = 0.0
    """When nothing was left to do, in seconds since the epoch."""


async def collect(
    stage: Stage, crms: Crms, seen: list[Disturbance], recoveries: list[Recovery], settled: float
) -> Evidence:
    """Ask everybody."""
    state = await stage.sandbox()
    return Evidence(
        answered=frozenset(crms.answered),
        entries=await _entries(stage.store),
        writes=tuple(
            Written(w["at"], w["record"], w["body"].get("attributes", {}), convert(w["fault"], Fault | None))
            for w in state["writes"]
        ),
        final={record: body.get("attributes", {}) for record, body in state["contacts"].items()},
        disturbances=tuple(seen),
        left=await left_over(stage),
        fallen=tuple(stage.fallen),
        stubborn=tuple(stage.stubborn),
        recoveries=tuple(recoveries),
        answers=tuple(crms.answers),
        settled=settled,
    )


async def left_over(stage: Stage) -> dict[str, int]:
    """Count what is still to be done, by where it is; empty once all is over."""
    redis, spill = stage.store.redis, Path(stage.environ["SLUICE_SPILL_DIR"])
    found = {
        "ready": await redis.zcard(keys.READY),
        "leases": await redis.zcard(keys.LEASES),
        "owners": await redis.hlen(keys.OWNERS),  # type: ignore[misc]  # stubs of redis-py
        "lanes": sum([1 async for _ in redis.scan_iter(keys.LANE + "*", count=1000)]),
        "spilled": sum(1 for _ in spill.iterdir()) if spill.is_dir() else 0,
    }
    return {where: many for where, many in found.items() if many}


async def _entries(store: Store) -> tuple[Entry, ...]:
    found = await journal.newest(store, 1_000_000)
    entries: list[Entry] = []
    for start in range(0, len(found), _AT_ONCE):
        entries += await asyncio.gather(*(_entry(store, event) for event in found[start : start + _AT_ONCE]))
    return tuple(entries)


async def _entry(store: Store, event: Journalled) -> Entry:
    story = await journal.story(store, event)
    fact = event.entry.event.occurred_at - FIRST_MS
    if event.entry.failures:
        return Entry(fact, "failed", event.entry.failures[0].reason)
    if not story.runs:
        return Entry(fact, "unruled")
    (run,) = story.runs.values()
    last = run.steps[max(run.steps)].state if run.steps else ""
    return Entry(fact, run.state, run.reason, written=last == "done")
