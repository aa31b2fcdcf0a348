"""Runs that a replay adds: atomic, once, on disk, and in their place in the lane."""

import msgspec
import pytest

from service.model import Run
from service.store import Store, accept, journal, keys, lanes, replay
from service.store.replay import Addition
from tests.store.conftest import NOW, MakePlan


async def accepted(
    store: Store, make_plan: MakePlan, fact: str = "a", *, at: int = NOW, rules: tuple[str, ...] = ()
) -> str:
    """An event that came in; its id."""
    return (await accept(store, "hubspot", [make_plan(fact, at=at, rules=rules)], [], now=NOW)).events[0]


def addition(make_plan: MakePlan, event_id: str, fact: str = "a", *, at: int = NOW, rule: str = "r1") -> Addition:
    (run,) = make_plan(fact, at=at, rules=(rule,)).runs
    return Addition(event_id=event_id, fact_key=fact, run=run)


async def waiting(store: Store) -> list[Run]:
    """The runs of the one lane, in the order in which they would be done."""
    (lane,) = await lanes.claim(store, 1)
    runs, more = [], True
    while more:
        runs.append(lane.head.run)
        assert not lane.head.unreadable
        more = await lanes.end_run(store, lane, lanes.Notes({"state": "done"}))
    return runs


async def test_an_added_run_waits_in_its_place_and_belongs_to_its_event(store: Store, make_plan: MakePlan) -> None:
    old = await accepted(store, make_plan, "old", at=NOW - 10)
    await accepted(store, make_plan, "new", rules=("r1",))
    added = [addition(make_plan, old, "old", at=NOW - 10, rule=rule) for rule in ("r1", "r2")]
    assert await replay.add(store, added) == [True, True]

    event = await journal.read(store, old)
    assert event is not None
    story = await journal.story(store, event)
    assert (set(story.runs), story.replayed, story.ended) == ({"r1", "r2"}, {"r1": "v1", "r2": "v1"}, False)
    assert [run.key for run in await waiting(store)] == ["old/r1", "old/r2", "new/r1"]
    assert (await journal.story(store, event)).states == {"r1": "done", "r2": "done"}
    assert 0 < await store.redis.pttl(keys.REPLAYED + old) <= store.options.ruleset_ms


async def test_a_key_that_waits_or_has_a_ledger_is_not_added_again(store: Store, make_plan: MakePlan) -> None:
    event = await accepted(store, make_plan, rules=("r1",))
    assert await replay.add(store, [addition(make_plan, event), addition(make_plan, event)]) == [False, False]
    assert len(await waiting(store)) == 1
    assert await replay.add(store, [addition(make_plan, event)]) == [False]
    assert await lanes.claim(store, 1) == []


async def test_a_replayed_run_counts_even_under_another_event_of_the_same_fact(
    store: Store, make_plan: MakePlan
) -> None:
    first = await accepted(store, make_plan)
    await store.redis.delete(keys.CLAIM + "a")
    second = await accepted(store, make_plan)
    assert first != second
    pair = [addition(make_plan, first), addition(make_plan, second)]
    assert await replay.add(store, pair) == [True, False]


async def test_the_workers_are_rung_for(store: Store, make_plan: MakePlan) -> None:
    event = await accepted(store, make_plan)
    assert await store.redis.zcard("arq:queue") == 0
    await replay.add(store, [addition(make_plan, event)])
    assert await store.redis.zcard("arq:queue") == 1
    assert await replay.add(store, []) == []


async def test_a_dead_run_is_replaced_only_as_long_as_its_letter_is_there(store: Store, make_plan: MakePlan) -> None:
    event = await accepted(store, make_plan)
    await store.redis.hset(keys.RUN + "a/r1", mapping={"state": "dead", "ended_at": 5})  # type: ignore[misc]
    seen = await journal.ledger(store, "a/r1")
    again = msgspec.structs.replace(addition(make_plan, event), instead_of=seen)
    assert await replay.add(store, [again]) == [False]

    await store.redis.set(f"{keys.DEAD_LETTER}{event}-r1", b"x")
    other = msgspec.structs.replace(again, instead_of=msgspec.structs.replace(seen, ended_at=4))
    assert await replay.add(store, [other]) == [False]
    assert await replay.add(store, [again, again]) == [True, False]
    assert await store.redis.exists(keys.RUN + "a/r1", f"{keys.DEAD_LETTER}{event}-r1") == 0


@pytest.mark.parametrize("span", [{}, {"since": 0}, {"until": 2**45}])
async def test_the_journal_is_paged_through_whole_and_in_order(
    store: Store, make_plan: MakePlan, span: dict[str, int]
) -> None:
    plans = [make_plan(f"f{n}", rules=()) for n in range(1203)]
    ids = (await accept(store, "hubspot", plans, [], now=NOW)).events
    seen = [event.id async for page in journal.pages(store, **span) for event in page]
    assert seen == list(ids)
    last = int(ids[-1].partition("-")[0])
    assert [page async for page in journal.pages(store, since=last + 1)] == []
    assert [page async for page in journal.pages(store, until=int(ids[0].partition("-")[0]) - 1)] == []
