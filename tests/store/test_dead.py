"""Dead letters are found by what a person knows of them, and settled in bulk."""

from collections import Counter

import pytest
from msgspec.structs import replace

from service.store import Store, accept, dead, journal, keys, lanes, overview
from service.store.dead import Which
from service.store.lanes import Notes
from service.store.records import DeadLetter
from tests.store.conftest import NOW, MakePlan


async def _bury(store: Store, make_plan: MakePlan, object_id: str, reason: str, rule: str = "r1") -> str:
    """Let one run of an object die; the id of its letter."""
    await accept(store, "hubspot", [make_plan(f"f-{object_id}", object_id=object_id, rules=(rule,))], [], now=NOW)
    (lane,) = await lanes.claim(store, 1)
    letter = DeadLetter(
        id=f"letter-{object_id}",
        kind="run",
        reason=reason,
        message="",
        source="hubspot",
        at=NOW,
        rule=rule,
        lane=lane.name,
        occurred_at=lane.head.run.occurred_at,
        run_key=lane.head.run.key,
        member=lane.head.member,
    )
    await lanes.end_run(store, lane, Notes({"state": "dead", "reason": reason}), letter)
    return letter.id


@pytest.mark.parametrize(
    ("which", "found"),
    [
        (Which(), {"letter-1", "letter-21", "letter-3"}),
        (Which(reason="http_400"), {"letter-1", "letter-3"}),
        (Which(rule="r2"), {"letter-3"}),
        (Which(kind="delivery"), set()),
        (Which(object="1"), {"letter-1"}),
        (Which(object="contact/21"), {"letter-21"}),
        (Which(reason="http_400", rule="r2"), {"letter-3"}),
        (Which(since=9_000_000_000_000), set()),
        (Which(until=1), set()),
    ],
)
async def test_letters_are_found_by_reason_rule_object_and_time(
    store: Store, make_plan: MakePlan, which: Which, found: set[str]
) -> None:
    await _bury(store, make_plan, "1", "http_400")
    await _bury(store, make_plan, "21", "expired")
    await _bury(store, make_plan, "3", "http_400", rule="r2")
    assert {letter.id for letter in await dead.newest(store, 10, which)} == found
    assert set(await dead.ids(store, which)) == found


async def test_many_letters_are_all_found(store: Store, make_plan: MakePlan) -> None:
    quick = replace(store, options=replace(store.options, fsync=False))
    for number in range(210):
        await _bury(quick, make_plan, str(number), "x")
    assert len(await dead.ids(store, Which())) == 210
    assert len(await dead.newest(store, 7)) == 7


async def test_settling_counts_what_was_done_gone_and_refused(store: Store, make_plan: MakePlan) -> None:
    one, two = await _bury(store, make_plan, "1", "x"), await _bury(store, make_plan, "2", "x")
    settled = await dead.settle(store, "retry", [one, "never-was"], now=NOW, by="console")
    assert (settled.done, settled.gone, settled.refused, settled.ids) == (1, 1, 0, (one,))
    settled = await dead.settle(store, "drop", [one, two], now=NOW, by="console")
    assert (settled.done, settled.gone) == (1, 1)
    assert await dead.ids(store, Which()) == []
    assert [lane.name for lane in await lanes.claim(store, 5)] == ["hubspot/1/contact/1"]


async def test_letters_that_nobody_looks_after_are_dropped_in_the_end(store: Store, make_plan: MakePlan) -> None:
    await _bury(store, make_plan, "1", "x")
    (score,) = await store.redis.zmscore(keys.DEAD, ["letter-1"])
    died = int(score or 0)
    assert await dead.drop_old(store, now=died + store.options.dead_ms - 1) == 0
    assert await dead.drop_old(store, now=died + store.options.dead_ms) == 1
    assert await dead.ids(store, Which()) == []
    assert (await journal.ledger(store, "f-1/r1")).state == "dropped"


async def test_a_letter_that_was_retried_a_moment_ago_is_not_dropped(store: Store, make_plan: MakePlan) -> None:
    letter = await dead.read(store, await _bury(store, make_plan, "1", "x"))
    assert letter is not None
    assert await dead.retry(store, letter, expires_at=NOW * 2)
    assert not await dead.drop(store, letter)
    assert (await journal.ledger(store, "f-1/r1")).state == "retrying"


async def test_a_retried_run_keeps_why_it_died_and_who_had_it_retried(store: Store, make_plan: MakePlan) -> None:
    one = await _bury(store, make_plan, "1", "http_400")
    await dead.settle(store, "retry", [one], now=NOW, by="console")
    run = await journal.ledger(store, "f-1/r1")
    assert (run.retries, run.died_of, run.retried_by, run.reason) == (1, "http_400", "console", "")
    assert run.retried_at > 0
    (lane,) = await lanes.claim(store, 1)
    await lanes.end_run(store, lane, Notes({"state": "done"}))
    assert (await journal.ledger(store, "f-1/r1")).died_of == "http_400"


async def test_a_retried_run_counts_by_its_last_end_and_takes_as_long_as_to_its_first(
    store: Store, make_plan: MakePlan
) -> None:
    one = await _bury(store, make_plan, "1", "http_400")
    died = await _tallied(store)
    assert died["run dead"] == 1
    await dead.settle(store, "retry", [one], now=NOW, by="console")
    assert await _tallied(store) == died | {"run dead": 0}
    assert await dead.settle(store, "retry", [one], now=NOW, by="console") == dead.Settled(done=0, gone=1, refused=0)
    (lane,) = await lanes.claim(store, 1)
    await lanes.end_run(store, lane, Notes({"state": "done"}))
    assert await _tallied(store) == died | {"run dead": 0, "run done": 1}


async def test_a_death_of_long_ago_leaves_no_tally_behind(store: Store, make_plan: MakePlan) -> None:
    one = await _bury(store, make_plan, "1", "http_400")
    (tally,) = [key async for key in store.redis.scan_iter(keys.TALLY + "*")]
    await store.redis.delete(tally)  # as its expiry does after two hours
    await dead.settle(store, "retry", [one], now=NOW, by="console")
    assert await _tallied(store) == {}


async def _tallied(store: Store) -> dict[str, int]:
    seconds, _ = await store.redis.time()
    tally: Counter[str] = Counter()
    for minute in await overview.minutes(store, now=int(seconds) * 1000):
        tally.update(minute.counts)
    return dict(tally)
