"""Runs: every one of them ends, as done or with a reason, whatever an action or Redis comes up with."""

import msgspec
import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from service.errors import Permanent, Retryable, Uncertain
from service.store import dead, journal, keys
from service.store.records import StepRecord, encode
from tests.worker.conftest import MINUTE_MS, Bench, FarSide, MakeBench, record_of

LOOK = '{ do: look, with: { who: "${contact.id}" } }'
WRITE = '{ do: write, with: { who: "${contact.id}", sets: { a: 1 } } }'
LANE = "hubspot/1/contact/7"


async def test_a_permanent_error_is_a_dead_letter_that_says_why_and_where(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK)
    far.answers.append(Permanent("http_400", "refused: no such campaign"))
    await bench.happen("a")
    await bench.drain()

    record = await bench.ledger("a")
    assert (record.state, record.reason, record.message) == ("dead", "http_400", "refused: no such campaign")
    (letter,) = await bench.letters()
    (event,) = await journal.newest(bench.store, 1)
    assert (letter.kind, letter.reason, letter.rule, letter.lane) == ("run", "http_400", "r", LANE)
    assert (letter.event_id, letter.run_key, letter.source) == (event.id, "a/r", "hubspot")
    assert await bench.store.redis.exists(keys.LANE + LANE) == 0


async def test_a_dead_letter_does_not_hold_up_its_lane(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK)
    far.answers.append(Permanent("http_400", "refused"))
    await bench.happen("a", at=bench.now() - 10)
    await bench.happen("b")
    await bench.drain()

    assert [(await bench.ledger(fact)).state for fact in "ab"] == ["dead", "done"]


async def test_a_retryable_error_is_due_later_and_counted(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK)
    far.answers.append(Retryable("http_429", "slow down", after_s=30))
    before = bench.now()
    await bench.happen("a")
    await bench.drain()

    record = await bench.ledger("a")
    assert (record.state, record.reason, record.message, record.tries) == ("retrying", "http_429", "slow down", 1)
    due = await bench.store.redis.zscore(keys.READY, LANE)
    assert due is not None
    assert before + 30_000 <= due <= bench.now() + 33_000
    await bench.drain()
    record = await bench.ledger("a")
    assert (record.state, record.reason, record.message, record.tries) == ("done", "", "", 1)


async def test_what_sakari_answered_stays_in_the_ledger_bounded(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK)
    for fact, answer in (("a", {"error": {"code": "CONT-001"}}), ("b", "<html>" * 2_000)):
        error = Permanent("http_400", "refused")
        error.answer = answer
        far.answers.append(error)
        await bench.happen(fact)
        await bench.drain()
    kept = [(await bench.ledger(fact)).steps[0].answer for fact in "ab"]
    assert kept[0] == {"error": {"code": "CONT-001"}}
    assert kept[1].startswith("<html><html>")
    assert len(kept[1]) == 4097


async def test_what_comes_after_a_run_that_waits_waits_too(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK)
    far.answers.append(Retryable("down", "later"))
    await bench.happen("a", at=bench.now() - 10)
    await bench.happen("b")
    await bench.drain()

    assert len(far.calls) == 1
    assert (await bench.ledger("b")).state == "waiting"


async def test_after_so_many_tries_it_gives_up(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK, tries=3)
    far.answers += [Retryable("down", "nobody is there")] * 3
    await bench.happen("a")
    for _ in range(5):
        await bench.drain()

    assert len(far.calls) == 3
    (letter,) = await bench.letters()
    assert letter.reason == "down"
    assert "3 tries" in letter.message


async def test_a_run_whose_time_is_over_is_not_begun(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK)
    await bench.happen("a")
    bench.ahead_ms = 365 * 24 * 60 * MINUTE_MS
    await bench.drain()

    assert far.calls == []
    assert [letter.reason for letter in await bench.letters()] == ["expired"]


async def test_a_retry_that_would_come_too_late_is_not_waited_for(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK)
    far.answers.append(Retryable("http_429", "slow down", after_s=600))
    plan = bench.plan("a")
    await bench.accept(replace(plan, runs=tuple(replace(r, expires_at=bench.now() + MINUTE_MS) for r in plan.runs)))
    await bench.drain()

    (letter,) = await bench.letters()
    assert (letter.reason, len(far.calls)) == ("expired", 1)
    assert "slow down" in letter.message


async def test_a_retried_dead_letter_gets_new_time_and_keeps_what_is_done(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK, WRITE)
    far.answers += [{}, Permanent("http_400", "refused")]
    await bench.happen("a")
    await bench.drain()
    bench.ahead_ms = 365 * 24 * 60 * MINUTE_MS
    (letter,) = await bench.letters()
    assert await dead.retry(bench.store, letter, expires_at=bench.now() + MINUTE_MS)
    await bench.drain()

    assert bench.did == ["look", "write", "write"]
    assert (await bench.ledger("a")).state == "done"
    assert await bench.letters() == []


async def test_an_uncertain_outcome_is_retried_if_repeating_is_harmless(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(WRITE)
    far.answers.append(Uncertain("timeout", "no answer came"))
    await bench.happen("a")
    await bench.drain()
    record = await bench.ledger("a")
    assert (record.state, record.reason, record.tries) == ("retrying", "timeout", 1)

    await bench.drain()
    assert (bench.did, (await bench.ledger("a")).state) == (["write", "write"], "done")


async def test_a_fault_of_ours_is_a_dead_letter_that_shows_no_value(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK)
    far.answers.append(ZeroDivisionError("while texting +15550109999"))
    await bench.happen("a", at=bench.now() - 10)
    await bench.happen("b")
    with capture_logs() as logs:
        await bench.drain()

    (letter,) = await bench.letters()
    assert letter.reason == "internal_error"
    assert [(line["event"], line["run"]) for line in logs if line["event"] != "run"] == [("a step broke", "a/r")]
    assert "ZeroDivisionError" in letter.message
    assert "555" not in letter.message
    assert (await bench.ledger("b")).state == "done"


async def test_a_rule_set_that_is_gone_is_a_dead_letter_and_is_found_after_it_is_kept_again(
    make_bench: MakeBench,
) -> None:
    bench = await make_bench(LOOK)
    kept = await bench.store.redis.get(keys.RULESET + bench.rule_set.version)
    await bench.store.redis.delete(keys.RULESET + bench.rule_set.version)
    await bench.happen("a")
    await bench.drain()
    (letter,) = await bench.letters()
    assert letter.reason == "ruleset_unknown"
    assert bench.rule_set.version in letter.message

    await bench.store.redis.set(keys.RULESET + bench.rule_set.version, kept)
    await dead.retry(bench.store, letter, expires_at=bench.now() + MINUTE_MS)
    await bench.drain()
    assert (await bench.ledger("a")).state == "done"


async def test_a_rule_that_its_rule_set_does_not_have_is_a_dead_letter(make_bench: MakeBench) -> None:
    bench = await make_bench(LOOK)
    plan = bench.plan("a")
    await bench.accept(replace(plan, runs=(replace(plan.runs[0], rule="other", key="a/other"),)))
    await bench.drain()

    assert [letter.reason for letter in await bench.letters()] == ["rule_unknown"]


@pytest.mark.parametrize(
    "blob",
    [b"", b"\xc1", b"\x93\x01", msgspec.msgpack.encode({"key": 1}), b"\x98\xa2\xff\xfe" + b"\xa1x" * 7],
    ids=["nothing", "no MessagePack", "cut", "another shape", "no UTF-8"],
)
async def test_a_run_that_cannot_be_read_is_a_dead_letter_and_stops_no_other_lane(
    make_bench: MakeBench, blob: bytes
) -> None:
    bench = await make_bench(LOOK)
    await bench.happen("a")
    await bench.happen("b", object_id="8")
    await _spoil(bench, blob)
    await bench.happen("c", at=bench.now() + 10)
    await bench.drain()

    (letter,) = await bench.letters()
    assert (letter.reason, letter.run_key, letter.lane) == ("unreadable_run", "a/r", LANE)
    assert [(await bench.ledger(fact)).state for fact in "abc"] == ["dead", "done", "done"]


async def _spoil(bench: Bench, blob: bytes) -> None:
    member = await record_of(bench.store, LANE)
    order, key, _ = member.split(b" ", 2)
    score = await bench.store.redis.zscore(keys.LANE + LANE, member)
    assert score is not None
    await bench.store.redis.zrem(keys.LANE + LANE, member)
    await bench.store.redis.zadd(keys.LANE + LANE, {order + b" " + key + b" " + blob: score})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("step:0", b"\xc1"),
        ("step:0", encode(StepRecord(state="done", at=1)).replace(b"done", b"\xff\xfe\xff\xfe")),
        ("step:0", encode(StepRecord(state="done", at=1)).replace(b"done", b"warp")),
        ("step:x", encode(StepRecord(state="done", at=1))),
        ("tries", b"many"),
    ],
)
async def test_a_ledger_that_cannot_be_read_is_a_dead_letter_and_stops_no_other_lane(
    make_bench: MakeBench, field: str, value: bytes
) -> None:
    bench = await make_bench(LOOK)
    await bench.happen("a")
    await bench.happen("b", object_id="8")
    await bench.store.redis.hset(keys.RUN + "a/r", field, value)  # type: ignore[misc, arg-type]
    await bench.drain()

    assert [(letter.reason, letter.run_key) for letter in await bench.letters()] == [("unreadable_run", "a/r")]
    assert (await bench.ledger("b")).state == "done"
    assert [call.args.who for call in bench.far.calls] == ["8"]
