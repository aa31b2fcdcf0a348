"""Tallies: what happened minute by minute, counted in the calls that happen anyway."""

from service.model import Event, Misfit, Plan, PlanFailure, Run
from service.store import Store, accept, journal, keys, lanes, overview
from service.store.levels import levels


def _plan(fact: str, *, shadowed: tuple[str, ...] = (), failing: bool = False) -> Plan:
    event = Event(
        source="hubspot", account="1", type="contact.updated", object_id=fact, occurred_at=1, fact_key=fact,
        delivery_key=f"d-{fact}", values={},
    )  # fmt: skip
    run = Run(
        key=f"{fact}/greet", rule="greet", ruleset="v", lane=event.lane, occurred_at=1, planned_at=1, expires_at=2,
        values={},
    )  # fmt: skip
    failures = (PlanFailure("broken", "missing_value", "no phone"),) if failing else ()
    return Plan(event=event, ruleset="v", runs=(run,), shadowed=shadowed, failures=failures)


async def _now(store: Store) -> int:
    seconds, micros = await store.redis.time()
    return int(seconds) * 1000 + int(micros) // 1000


async def _counts(store: Store) -> dict[str, int]:
    counts: dict[str, int] = {}
    for minute in await overview.minutes(store, now=await _now(store)):
        for what, number in minute.counts.items():
            counts[what] = counts.get(what, 0) + number
    return counts


async def test_what_came_in_is_counted_by_source_and_by_rule(store: Store) -> None:
    plans = [_plan("a", shadowed=("quiet",)), _plan("b", failing=True)]
    receipt = await accept(store, "hubspot", plans, [Misfit("no list", b"{}")], now=1)
    await accept(store, "hubspot", [_plan("a")], [], now=1)
    assert await _counts(store) == {
        "accepted hubspot": 2,
        "redelivered hubspot": 1,
        "misfit hubspot": 1,
        "live greet": 2,
        "shadow quiet": 1,
        "failed broken": 1,
    }
    firings = await overview.last_firings(store)
    assert firings == {
        "live greet": receipt.events[1],
        "shadow quiet": receipt.events[0],
        "failed broken": receipt.events[1],
    }
    (tally,) = [key async for key in store.redis.scan_iter(keys.TALLY + "*")]
    assert await store.redis.pttl(tally) > 0


async def test_what_runs_came_to_is_counted_with_how_long_it_took(store: Store) -> None:
    await accept(store, "hubspot", [_plan("a"), _plan("b")], [], now=1)
    before = await levels(store)
    assert (before.due, before.later, before.leased, before.events) == (2, 0, 0, 2)
    one, other = await lanes.claim(store, 2)
    await lanes.save(store, one, lanes.Notes({"tries": 1}))
    await lanes.end_run(store, one, lanes.Notes({"state": "done"}))
    await lanes.let_go(store, other, lanes.Notes({"state": "retrying", "tries": 1}), due=2**50)
    counts = await _counts(store)
    assert (counts["run done"], counts["run retrying"]) == (1, 1)
    assert sum(number for what, number in counts.items() if what.startswith("took ")) == 1
    after = await levels(store)
    assert (after.due, after.later, after.oldest_due_s) == (0, 1, 0)


def test_a_share_of_the_runs_ended_within_a_time() -> None:
    minutes = [overview.Minute(0, {"took 2": 8, "took 20": 1}), overview.Minute(1, {"took 10": 1, "run done": 10})]
    assert overview.took_ms(minutes, 0.5) == 2
    assert overview.took_ms(minutes, 0.9) == 32
    assert overview.took_ms(minutes, 0.99) == 1024
    assert overview.took_ms([], 0.5) is None


async def test_stories_read_together_are_the_stories_read_one_by_one(store: Store) -> None:
    await accept(store, "hubspot", [_plan("a"), _plan("b", failing=True), _plan("c")], [], now=1)
    (lane,) = await lanes.claim(store, 1)
    await lanes.end_run(store, lane, lanes.Notes({"state": "done", "ended_at": 5}))
    events = await journal.newest(store, 10)
    assert await journal.stories(store, events) == [await journal.story(store, event) for event in events]
    assert await journal.stories(store, []) == []
    older = await journal.back(store, before=events[0].id, most=1)
    assert older == events[1:2]
