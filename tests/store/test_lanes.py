"""Promises 3 to 5 as the store keeps them: leases, order, fences, dead letters."""

import asyncio

import pytest
from redis.exceptions import ResponseError

from service.errors import LeaseLost
from service.store import Store, accept, dead, journal, keys, lanes
from service.store.lanes import Begun, Busy, Notes
from service.store.pace import SharedPace
from service.store.records import DeadLetter, Lane, StepRecord, encode
from tests.store.conftest import NOW, MakePlan

RECORD = "contacts/hubspot:7"


def _at(lane: Lane, *attributes: str) -> dict[str, int]:
    """Attributes, each with the time of the lane's first run."""
    return dict.fromkeys(attributes, lane.head.run.occurred_at)


async def _claimed(store: Store, make_plan: MakePlan, fact: str, object_id: str = "7", at: int = NOW) -> Lane:
    await accept(store, "hubspot", [make_plan(fact, object_id=object_id, at=at)], [], now=NOW)
    (lane,) = await lanes.claim(store, 1)
    return lane


async def _expire(store: Store, lane: Lane) -> None:
    """Let the lease run out, without waiting for it."""
    await store.redis.zadd(keys.LEASES, {lane.name: 1})


def _letter(lane: Lane) -> DeadLetter:
    return DeadLetter(
        id="x",
        kind="run",
        reason="bad",
        message="",
        source="hubspot",
        at=NOW,
        lane=lane.name,
        run_key=lane.head.run.key,
        member=lane.head.member,
    )


async def test_a_claimed_lane_is_nobody_elses_and_new_runs_wait_in_it(store: Store, make_plan: MakePlan) -> None:
    lane = await _claimed(store, make_plan, "a")
    await accept(store, "hubspot", [make_plan("b")], [], now=NOW)

    assert await lanes.claim(store, 10) == []
    assert await lanes.end_run(store, lane, Notes({"state": "done"}))
    assert lane.head.run.key == "b/r1"
    assert not await lanes.end_run(store, lane, Notes({"state": "done"}))
    assert await store.redis.exists(keys.READY, keys.LEASES, keys.OWNERS, keys.LANE + lane.name) == 0
    assert (await journal.ledger(store, "a/r1")).state == "done"


async def test_followers_come_after_the_run_at_hand_whatever_arrived_before_it(
    store: Store, make_plan: MakePlan
) -> None:
    lane = await _claimed(store, make_plan, "now")
    for fact, at in (("older", NOW - 1), ("newer", NOW + 1)):
        await accept(store, "hubspot", [make_plan(fact, at=at)], [], now=NOW)

    assert [waiting.run.key for waiting in await lanes.followers(store, lane, 10)] == ["newer/r1"]


async def test_an_expired_lease_may_write_nothing_and_its_lane_goes_on_elsewhere(
    store: Store, make_plan: MakePlan
) -> None:
    lane = await _claimed(store, make_plan, "a")
    await _expire(store, lane)

    for write in (
        lanes.save(store, lane, Notes({"state": "done"})),
        lanes.end_run(store, lane, Notes({"state": "done"})),
        lanes.let_go(store, lane, Notes({"state": "retrying"}), due=NOW),
        lanes.begin(store, lane, RECORD, _at(lane, "firstName"), None),
    ):
        with pytest.raises(LeaseLost):
            await write
    assert await lanes.renew(store, [lane]) == {lane.name}
    assert (await journal.ledger(store, "a/r1")).state == "waiting"

    assert (await lanes.sweep(store)).recovered == 1
    (again,) = await lanes.claim(store, 10)
    assert again.head.run.key == "a/r1"
    with pytest.raises(LeaseLost):
        await lanes.end_run(store, lane, Notes({"state": "done"}))


async def test_a_lease_that_redis_forgot_is_told_from_the_one_after_it(store: Store, make_plan: MakePlan) -> None:
    """Killed while an fsync was going on, Redis loses what it had acknowledged in the last second or two."""
    before = await _claimed(store, make_plan, "a")
    await store.redis.delete(keys.LEASE_NUMBER, keys.OWNERS, keys.LEASES)
    await store.redis.zadd(keys.READY, {before.name: 1})
    await asyncio.sleep(0.002)  # it takes longer than that to start again
    (after,) = await lanes.claim(store, 1)

    assert after.number != before.number
    with pytest.raises(LeaseLost):
        await lanes.end_run(store, before, Notes({"state": "done"}))


async def test_a_renewed_lease_outlives_its_first_term(store: Store, make_plan: MakePlan) -> None:
    lane = await _claimed(store, make_plan, "a")
    first = float(await store.redis.zscore(keys.LEASES, lane.name) or 0)
    await asyncio.sleep(0.01)

    assert await lanes.renew(store, [lane]) == set()
    assert float(await store.redis.zscore(keys.LEASES, lane.name) or 0) > first


async def _busy(store: Store) -> str:
    return (await store.redis.hget(keys.FENCE + RECORD, "@busy")).decode()  # type: ignore[no-any-return, misc]


async def test_a_hold_on_a_record_is_renewed_with_the_lease(store: Store, make_plan: MakePlan) -> None:
    lane = await _claimed(store, make_plan, "a")
    await lanes.begin(store, lane, RECORD, _at(lane, "stage"), None)
    number, until = (await _busy(store)).split()
    await asyncio.sleep(0.01)

    assert await lanes.renew(store, [lane]) == set()
    assert (await _busy(store)).split()[0] == number
    assert int((await _busy(store)).split()[1]) > int(until)

    await lanes.end_run(store, lane, Notes(held=RECORD))
    assert await store.redis.hget(keys.FENCE + RECORD, "@busy") is None  # type: ignore[misc]


async def test_a_hold_that_was_let_go_of_is_not_taken_again_by_a_late_renewal(
    store: Store, make_plan: MakePlan
) -> None:
    lane = await _claimed(store, make_plan, "a")
    await lanes.begin(store, lane, RECORD, _at(lane, "stage"), None)
    for held in (None, "another 9999999999999"):
        await store.redis.delete(keys.FENCE + RECORD)
        if held:
            await store.redis.hset(keys.FENCE + RECORD, "@busy", held)  # type: ignore[misc]
        assert await lanes.renew(store, [lane]) == set()
        assert await store.redis.hget(keys.FENCE + RECORD, "@busy") == (held and held.encode())  # type: ignore[misc]


async def test_a_lane_that_waits_is_due_later_and_keeps_its_ledger(store: Store, make_plan: MakePlan) -> None:
    lane = await _claimed(store, make_plan, "a")
    step = StepRecord(state="done", at=NOW, result={"drip.found": True})
    await lanes.save(store, lane, Notes({"step:0": encode(step)}))
    await lanes.let_go(store, lane, Notes({"state": "retrying", "tries": 3}), due=9_000_000_000_000)

    assert await lanes.claim(store, 10) == []
    await store.redis.zadd(keys.READY, {lane.name: 1})
    (again,) = await lanes.claim(store, 10)
    assert (again.head.record.state, again.head.record.tries) == ("retrying", 3)
    assert again.head.record.steps[0].result == {"drip.found": True}


async def test_new_work_does_not_bring_a_waiting_lane_forward(store: Store, make_plan: MakePlan) -> None:
    lane = await _claimed(store, make_plan, "a")
    await lanes.let_go(store, lane, Notes({"tries": 1}), due=9_000_000_000_000)
    await accept(store, "hubspot", [make_plan("b")], [], now=NOW)

    assert await lanes.claim(store, 10) == []


async def test_an_older_fact_does_not_overwrite_a_newer_one(store: Store, make_plan: MakePlan) -> None:
    newer = await _claimed(store, make_plan, "new", at=NOW + 10)
    assert await lanes.begin(store, newer, RECORD, _at(newer, "a", "b"), None) == Begun(frozenset({"a", "b"}))
    await lanes.end_run(store, newer, Notes({"state": "done"}, RECORD, _at(newer, "a", "b")))

    older = await _claimed(store, make_plan, "old", at=NOW)
    assert await lanes.begin(store, older, RECORD, _at(older, "a", "c"), None) == Begun(frozenset({"c"}))
    await lanes.end_run(store, older, Notes({"state": "done"}, RECORD, _at(older, "c")))
    fences = await store.redis.hgetall(keys.FENCE + RECORD)  # type: ignore[misc]
    assert fences == {
        b"a": str(NOW + 10).encode(),
        b"b": str(NOW + 10).encode(),
        b"c": str(NOW).encode(),
    }


async def test_two_rules_of_one_event_may_write_the_same_attribute(store: Store, make_plan: MakePlan) -> None:
    await accept(store, "hubspot", [make_plan("a", rules=("r1", "r2"))], [], now=NOW)
    (lane,) = await lanes.claim(store, 1)
    for _ in range(2):
        assert await lanes.begin(store, lane, RECORD, _at(lane, "a"), None) == Begun(frozenset({"a"}))
        await lanes.end_run(store, lane, Notes({"state": "done"}, RECORD, _at(lane, "a")))


async def test_two_lanes_do_not_write_to_one_record_at_once(store: Store, make_plan: MakePlan) -> None:
    one = await _claimed(store, make_plan, "a", object_id="1")
    two = await _claimed(store, make_plan, "b", object_id="2")
    assert await lanes.begin(store, one, RECORD, _at(one, "a"), None) == Begun(frozenset({"a"}))
    assert isinstance(await lanes.begin(store, two, RECORD, _at(two, "a"), None), Busy)

    await lanes.save(store, one, Notes({}, RECORD))  # a failed write lets go, and raises no fence
    assert await lanes.begin(store, two, RECORD, _at(two, "a"), None) == Begun(frozenset({"a"}))


async def test_a_caller_is_let_in_together_with_the_record(store: Store, make_plan: MakePlan) -> None:
    lane = await _claimed(store, make_plan, "a")
    pace = SharedPace(store, "default", rate=0.1, burst=1, credentials="c")
    begun = await lanes.begin(store, lane, RECORD, _at(lane, "a"), None, pace.asking("me", "0"))
    assert isinstance(begun, Begun)
    assert begun.admission is not None
    assert (begun.admission.verdict, begun.held, lane.holding) == ("go", True, RECORD)
    assert (await pace.admit("another", "0", 0)).verdict == "later", "its turn was not taken"


async def test_who_is_to_call_later_holds_and_marks_nothing(store: Store, make_plan: MakePlan) -> None:
    lane = await _claimed(store, make_plan, "a")
    pace = SharedPace(store, "default", rate=0.1, burst=1, credentials="c")
    await pace.admit("another", "0", 0)
    pending = (0, StepRecord(state="pending", at=NOW))
    begun = await lanes.begin(store, lane, RECORD, _at(lane, "a"), pending, pace.asking("me", "0"))
    assert isinstance(begun, Begun)
    assert begun.admission is not None
    assert (begun.admission.verdict, begun.held, lane.holding) == ("later", False, "")
    assert not await store.redis.exists(keys.FENCE + RECORD, keys.RUN + lane.head.run.key)


async def test_what_may_not_be_written_takes_no_turn(store: Store, make_plan: MakePlan) -> None:
    newer = await _claimed(store, make_plan, "new", at=NOW + 10)
    await lanes.begin(store, newer, RECORD, _at(newer, "a"), None)
    await lanes.end_run(store, newer, Notes({"state": "done"}, RECORD, _at(newer, "a")))
    older = await _claimed(store, make_plan, "old", at=NOW)
    pace = SharedPace(store, "default", rate=0.1, burst=1, credentials="c")
    assert await lanes.begin(store, older, RECORD, _at(older, "a"), None, pace.asking("me", "0")) == Begun(frozenset())
    assert (await pace.admit("another", "0", 0)).verdict == "go"


async def _scripts_run(store: Store) -> int:
    return int((await store.redis.info("commandstats"))["cmdstat_evalsha"]["calls"])


async def test_those_who_begin_together_each_get_their_own_answer(store: Store, make_plan: MakePlan) -> None:
    plans = [make_plan(fact, object_id=fact) for fact in "abcdef"]
    await accept(store, "hubspot", plans, [], now=NOW)
    claimed = await lanes.claim(store, 6)
    lost, older, first, second, unpaced, late = claimed
    await _expire(store, lost)
    await store.redis.hset(keys.FENCE + "older", "a", str(NOW + 1))  # type: ignore[misc]
    pace = SharedPace(store, "default", rate=0.1, burst=1, credentials="c")
    before = await _scripts_run(store)

    pending = (0, StepRecord(state="pending", at=NOW))
    answers = await asyncio.gather(
        *(
            lanes.begin(store, lane, record, _at(lane, "a", "b"), pending, pace.asking(lane.name, "0"))
            for lane, record in ((lost, "lost"), (older, "older"), (first, RECORD), (second, RECORD), (late, "late"))
        ),
        lanes.begin(store, unpaced, "unpaced", _at(unpaced, "a"), None),
        return_exceptions=True,
    )
    assert await _scripts_run(store) == before + 2, "one call for those who ask the account, and one for who does not"

    assert isinstance(answers[0], LeaseLost)
    verdicts = [
        (sorted(begun.allowed), begun.admission and begun.admission.verdict, begun.held)
        for begun in answers
        if isinstance(begun, Begun)
    ]
    assert verdicts == [
        (["b"], "go", True),  # the one call that there is room for just now
        (["a", "b"], "later", False),
        (["a", "b"], "later", False),  # the one before it holds nothing, so the record is free
        (["a", "b"], "later", False),
        (["a"], None, True),
    ]
    assert [lane.holding for lane in claimed] == ["", "older", "", "", "unpaced", ""]
    ledgers = [await journal.ledger(store, lane.head.run.key) for lane in claimed]
    assert [bool(ledger.steps) for ledger in ledgers] == [False, True, False, False, False, False]


async def test_two_who_begin_together_with_one_record_do_not_both_get_it(store: Store, make_plan: MakePlan) -> None:
    one = await _claimed(store, make_plan, "a", object_id="1")
    two = await _claimed(store, make_plan, "b", object_id="2")
    before = await _scripts_run(store)
    answers = await asyncio.gather(*(lanes.begin(store, lane, RECORD, _at(lane, "a"), None) for lane in (one, two)))
    assert await _scripts_run(store) == before + 1
    assert answers[0] == Begun(frozenset({"a"}))
    assert isinstance(answers[1], Busy)


async def test_what_is_recorded_together_is_each_lanes_own(store: Store, make_plan: MakePlan) -> None:
    await accept(store, "hubspot", [make_plan(fact, object_id=fact) for fact in "abcde"], [], now=NOW)
    await accept(store, "hubspot", [make_plan("b2", object_id="b")], [], now=NOW)
    claimed = await lanes.claim(store, 5)
    lost, more, buried, waits, goes_on = claimed
    await _expire(store, lost)
    for lane in claimed[1:]:
        await lanes.begin(store, lane, lane.name, _at(lane, "a"), None)
    before = await _scripts_run(store)

    step = encode(StepRecord(state="done", at=NOW))
    found = await asyncio.gather(
        lanes.end_run(store, lost, Notes({"state": "done"}, lost.name, _at(lost, "a"))),
        lanes.end_run(store, more, Notes({"state": "done"}, more.name, _at(more, "a"))),
        lanes.end_run(store, buried, Notes({"state": "dead"}, buried.name), _letter(buried)),
        lanes.let_go(store, waits, Notes({"state": "retrying", "tries": 1}, waits.name), due=2**50),
        lanes.save(store, goes_on, Notes({"step:0": step}, goes_on.name, _at(goes_on, "a"))),
        return_exceptions=True,
    )
    assert await _scripts_run(store) == before + 1
    assert isinstance(found[0], LeaseLost)
    assert tuple(found[1:]) == (True, False, None, None)
    assert more.head.run.key == "b2/r1"

    states = [(await journal.ledger(store, f"{fact}/r1")).state for fact in "abcde"]
    assert states == ["waiting", "done", "dead", "retrying", "waiting"]
    assert list((await journal.ledger(store, "e/r1")).steps) == [0]
    fences = [await store.redis.hgetall(keys.FENCE + lane.name) for lane in claimed]  # type: ignore[misc]
    at = str(NOW).encode()
    assert fences == [{}, {b"a": at}, {}, {}, {b"a": at}]
    assert [letter.run_key for letter in await dead.newest(store, 9)] == ["c/r1"]
    assert await store.redis.zrange(keys.READY, 0, -1) == [waits.name.encode()]
    assert set(await store.redis.hkeys(keys.OWNERS)) == {lane.name.encode() for lane in (lost, more, goes_on)}  # type: ignore[misc]
    tallied = [await store.redis.hgetall(key) for key in await store.redis.keys(keys.TALLY + "*")]  # type: ignore[misc]
    ends = sorted((name, number) for minute in tallied for name, number in minute.items() if name.startswith(b"run "))
    assert ends == [(b"run dead", b"1"), (b"run done", b"1"), (b"run retrying", b"1")]


async def test_what_is_wrong_with_one_lane_costs_those_nothing_that_go_with_it(
    store: Store, make_plan: MakePlan
) -> None:
    await accept(store, "hubspot", [make_plan(fact, object_id=fact) for fact in "abc"], [], now=NOW)
    claimed = await lanes.claim(store, 3)
    before, bad, after = claimed
    await store.redis.set(keys.FENCE + bad.name, "put there by hand")
    pace = SharedPace(store, "default", rate=100, burst=9, credentials="c")
    pending = (0, StepRecord(state="pending", at=NOW))
    begun = await asyncio.gather(
        *(
            lanes.begin(store, lane, lane.name, _at(lane, "a"), pending, pace.asking(lane.name, "0"))
            for lane in claimed
        ),
        return_exceptions=True,
    )
    assert [getattr(answer, "held", type(answer)) for answer in begun] == [True, ResponseError, True]
    assert [(await journal.ledger(store, lane.head.run.key)).steps != {} for lane in claimed] == [True, False, True]

    ends = [lanes.end_run(store, lane, Notes({"state": "done"}, lane.name, _at(lane, "a"))) for lane in claimed]
    ended = await asyncio.gather(*ends, return_exceptions=True)
    assert [ended[0], type(ended[1]), ended[2]] == [False, ResponseError, False]
    assert await store.redis.hkeys(keys.OWNERS) == [bad.name.encode()]  # type: ignore[misc]
    for lane in (before, after):
        assert await store.redis.hgetall(keys.FENCE + lane.name) == {b"a": str(NOW).encode()}  # type: ignore[misc]
    tallied = [await store.redis.hgetall(key) for key in await store.redis.keys(keys.TALLY + "*")]  # type: ignore[misc]
    assert sum(int(minute.get(b"run done", 0)) for minute in tallied) == 2


async def test_a_lane_that_was_let_go_of_is_lost_for_who_comes_after_it_in_the_same_call(
    store: Store, make_plan: MakePlan
) -> None:
    lane = await _claimed(store, make_plan, "a")
    ends = [lanes.let_go(store, lane, Notes({"tries": 1}), due=2**50) for _ in range(2)]
    first, second = await asyncio.gather(*ends, return_exceptions=True)
    assert first is None
    assert isinstance(second, LeaseLost)


async def test_a_dead_letter_goes_back_to_its_place_with_its_ledger(store: Store, make_plan: MakePlan) -> None:
    lane = await _claimed(store, make_plan, "a")
    await lanes.save(store, lane, Notes({"step:0": encode(StepRecord(state="done", at=NOW))}))
    await lanes.end_run(store, lane, Notes({"state": "dead", "reason": "bad"}), _letter(lane))
    assert await store.redis.ttl(keys.RUN + "a/r1") == -1  # its idempotency lasts as long as the letter

    (letter,) = await dead.newest(store, 10)
    assert await dead.retry(store, letter, expires_at=NOW)
    assert not await dead.retry(store, letter, expires_at=NOW)
    assert await dead.newest(store, 10) == []
    (again,) = await lanes.claim(store, 10)
    assert again.head.run.key == "a/r1"
    assert again.head.record.steps[0].state == "done"
    assert again.head.record.expires_at == NOW


async def test_a_dropped_dead_letter_is_gone_and_says_so(store: Store, make_plan: MakePlan) -> None:
    lane = await _claimed(store, make_plan, "a")
    await lanes.end_run(store, lane, Notes({"state": "dead"}), _letter(lane))

    letter = await dead.read(store, "x")
    assert letter is not None
    assert await dead.drop(store, letter)
    assert not await dead.drop(store, letter)
    assert await dead.read(store, "x") is None
    assert (await journal.ledger(store, "a/r1")).state == "dropped"


async def test_only_runs_can_be_retried(store: Store) -> None:
    letter = DeadLetter(id="y", kind="delivery", reason="malformed", message="", source="hubspot", at=NOW, body=b"?")
    with pytest.raises(ValueError, match="no run"):
        await dead.retry(store, letter, expires_at=NOW)


async def test_a_sweep_rings_for_lanes_whose_tickets_are_stuck(store: Store, make_plan: MakePlan) -> None:
    await accept(store, "hubspot", [make_plan("a")], [], now=NOW)
    for n in range(store.options.most_tickets):
        await store.redis.set(f"arq:job:drain:{n}", b"held by a worker that is dead")
    assert (await lanes.sweep(store)).rung == 0

    await store.redis.zadd(keys.READY, {make_plan("a").event.lane: 1})
    swept = await lanes.sweep(store)
    assert (swept.rung, swept.due) == (1, 1)
    assert any(b"drain:late:" in job for job in await store.redis.zrange("arq:queue", 0, -1))
