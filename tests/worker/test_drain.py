"""Draining: lanes by lease, side by side; what is lost goes on elsewhere, and what was not done is not counted."""

import asyncio

from msgspec.structs import astuple, replace
from structlog.testing import capture_logs

from service.errors import Permanent, Retryable
from service.store import keys, lanes
from service.store.records import StepRecord, encode
from service.worker.drain import drain, drain_lane, sweep, tidy
from tests.system.conftest import until
from tests.worker.conftest import Bench, FarSide, MakeBench

LOOK = '{ do: look, with: { who: "${contact.id}" } }'
LANE = "hubspot/1/contact/7"


async def _lease(bench: Bench) -> float:
    return float(await bench.store.redis.zscore(keys.LEASES, LANE) or 0)


async def test_a_ticket_drains_every_due_lane_side_by_side(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK)
    far.gate = asyncio.Event()
    for n in range(20):
        await bench.happen(f"f{n}", object_id=str(n))
        await bench.happen(f"g{n}", object_id=str(n))
    ticket = asyncio.create_task(drain(bench.desk, "ticket"))

    async def as_many_as_a_ticket_takes() -> bool:
        return len(far.calls) == bench.store.options.lanes_per_ticket

    await until(as_many_as_a_ticket_takes)
    far.gate.set()
    await ticket
    assert len(far.calls) == 40
    assert await bench.store.redis.exists(keys.READY, keys.LEASES, keys.OWNERS) == 0


async def test_runs_of_one_lane_are_never_done_at_once(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK)
    far.gate = asyncio.Event()
    for n in range(3):
        await bench.happen(f"f{n}")
    tickets = [asyncio.create_task(drain(bench.desk, "ticket")) for _ in range(3)]
    await far.entered.wait()
    await asyncio.wait(tickets, return_when=asyncio.FIRST_COMPLETED)
    assert len(far.calls) == 1

    far.gate.set()
    await asyncio.gather(*tickets)
    assert len(far.calls) == 3


async def test_a_ticket_whose_time_is_up_claims_nothing_more(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK)
    bench.desk = replace(bench.desk, ticket_s=0)
    await bench.happen("a")
    await drain(bench.desk, "ticket")

    assert far.calls == []
    assert await bench.store.redis.zcard(keys.READY) == 1


async def test_a_worker_that_stops_gives_the_lane_back_and_counts_nothing(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK)
    far.gate = asyncio.Event()
    await bench.happen("a", at=bench.now() - 10)
    await bench.happen("b")
    ticket = asyncio.create_task(drain(bench.desk, "ticket"))
    await far.entered.wait()
    bench.desk.stopping.set()
    far.gate.set()
    await ticket

    assert len(far.calls) == 1
    assert (await bench.ledger("a")).state == "done"
    rest = await bench.ledger("b")
    assert (rest.state, rest.tries) == ("waiting", 0)
    assert await bench.store.redis.zcard(keys.READY) == 1
    assert await bench.store.redis.exists(keys.LEASES, keys.OWNERS) == 0
    bench.desk.stopping.clear()
    await drain(bench.desk, "ticket")
    assert (await bench.ledger("b")).state == "done"


async def test_a_step_that_takes_longer_than_a_lease_keeps_its_lane(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK)
    far.gate = asyncio.Event()
    await bench.happen("a")
    ticket = asyncio.create_task(drain(bench.desk, "ticket"))
    await far.entered.wait()
    first = await _lease(bench)

    async def outlived() -> bool:
        seconds, micros = await bench.store.redis.time()
        return bool(seconds * 1000 + micros / 1000 > first)

    await until(outlived)
    assert (await lanes.sweep(bench.store)).recovered == 0
    far.gate.set()
    await ticket
    assert (len(far.calls), (await bench.ledger("a")).state) == (1, "done")


async def test_a_lane_that_was_lost_is_dropped_and_nothing_is_recorded(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench('{ do: look, as: x, with: { who: "1" } }', LOOK)
    far.gate = asyncio.Event()
    await bench.happen("a")
    ticket = asyncio.create_task(drain(bench.desk, "ticket"))
    await far.entered.wait()
    await bench.store.redis.zadd(keys.LEASES, {LANE: 1})
    bench.desk.stopping.set()
    await ticket  # which ends because its lane is gone: the gate is still closed

    assert len(far.calls) == 1
    record = await bench.ledger("a")
    assert (record.state, record.steps) == ("waiting", {})


async def test_a_lane_lost_during_the_last_call_leaves_the_verdict_to_its_new_holder(
    make_bench: MakeBench, far: FarSide
) -> None:
    bench = await make_bench(LOOK)
    far.gate = asyncio.Event()
    await bench.happen("a")
    (lane,) = await lanes.claim(bench.store, 1)
    draining = asyncio.create_task(drain_lane(lane, bench.desk))
    await far.entered.wait()
    await bench.store.redis.zadd(keys.LEASES, {LANE: 1})
    far.gate.set()
    with capture_logs() as logs:
        await draining

    assert [line["event"] for line in logs] == ["lease lost"]
    assert (await bench.ledger("a")).state == "waiting"


async def test_a_worker_that_was_paused_past_its_lease_calls_nobody(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK)
    await bench.happen("a")
    (lane,) = await lanes.claim(bench.store, 1)
    lane.until = 0
    await drain_lane(lane, bench.desk)

    assert far.calls == []
    assert (await bench.ledger("a")).state == "waiting"


async def test_when_redis_goes_away_the_lane_is_left_to_its_lease(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK, '{ do: look, with: { who: "2" } }')
    far.answers.append(ConnectionResetError())
    await bench.happen("a")
    (lane,) = await lanes.claim(bench.store, 1)
    with capture_logs() as logs:
        await drain_lane(lane, bench.desk)

    assert [(line["event"], line["error"]) for line in logs] == [("lane abandoned", "ConnectionResetError")]
    assert (await bench.ledger("a")).state == "waiting"
    assert await bench.store.redis.zcard(keys.LEASES) == 1


async def test_a_fault_of_ours_outside_a_step_stops_no_other_lane(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK)
    await bench.happen("a")
    await bench.happen("b", object_id="8")
    await bench.store.redis.set(keys.RULESET + "broken", b"\xc1")
    first, second = await lanes.claim(bench.store, 2)
    first.head = replace(first.head, run=replace(first.head.run, ruleset="broken"))
    with capture_logs() as logs:
        await asyncio.gather(drain_lane(first, bench.desk), drain_lane(second, bench.desk))

    assert [(line["event"], line["log_level"]) for line in logs if line["event"] != "run"] == [
        ("lane abandoned", "error")
    ]
    assert [call.args.who for call in far.calls] == [second.name.rpartition("/")[2]]


async def test_leases_that_cannot_be_renewed_are_tried_again(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK)
    far.gate = asyncio.Event()
    await bench.happen("a")
    with capture_logs() as logs:
        ticket = asyncio.create_task(drain(bench.desk, "ticket"))
        await far.entered.wait()
        await bench.store.redis.execute_command("ACL", "SETUSER", "default", "-zadd")  # type: ignore[no-untyped-call]
        try:

            async def complained() -> bool:
                return any(line["event"] == "leases not renewed" for line in logs)

            await until(complained)
        finally:
            await bench.store.redis.execute_command("ACL", "SETUSER", "default", "+zadd")  # type: ignore[no-untyped-call]
        before = await _lease(bench)

        async def renewed() -> bool:
            return await _lease(bench) > before

        await until(renewed)
        far.gate.set()
        await ticket
    assert (await bench.ledger("a")).state == "done"


async def test_a_sweep_brings_back_what_a_dead_worker_held_and_says_so(make_bench: MakeBench) -> None:
    bench = await make_bench(LOOK)
    await bench.happen("a")
    await lanes.claim(bench.store, 1)
    await bench.store.redis.zadd(keys.LEASES, {LANE: 1})
    with capture_logs() as logs:
        await sweep(bench.desk)
        await sweep(bench.desk)

    assert [(line["event"], line["lanes"]) for line in logs] == [("leases ran out", 1)]
    await drain(bench.desk, "ticket")
    assert (await bench.ledger("a")).state == "done"


async def test_one_line_is_logged_for_each_go_at_a_run_and_it_holds_no_value(
    make_bench: MakeBench, far: FarSide
) -> None:
    bench = await make_bench('{ do: write, with: { who: "${contact.phone}", sets: { a: 1 } } }')
    far.answers.append(Retryable("down", "later"))
    with capture_logs() as logs:
        await bench.happen("a", phone="+15550109999", email="ada@example.com")
        await bench.drain()
        await bench.drain()

    assert [(line["event"], line["rule"], line["state"]) for line in logs] == [
        ("run", "r", "postponed"),
        ("run", "r", "done"),
    ]
    assert "5550109999" not in repr(logs)
    assert "ada@" not in repr(logs)


async def test_what_a_newer_version_noted_as_done_stays_done(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK)
    await bench.happen("a")
    done = [*astuple(StepRecord(state="done", at=1)), "a new field"]
    await bench.store.redis.hset(keys.RUN + "a/r", "step:0", encode(done))  # type: ignore[misc, arg-type]
    await bench.drain()

    assert (far.calls, (await bench.ledger("a")).state) == ([], "done")


async def test_tidying_drops_what_nobody_looked_after_and_says_so(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK)
    far.answers.append(Permanent("refused", "no"))
    await bench.happen("a")
    await drain(bench.desk, "ticket")
    ((_, died),) = await bench.store.redis.zrange(keys.DEAD, 0, -1, withscores=True)

    bench.desk = replace(bench.desk, now=lambda: int(died) + bench.store.options.dead_ms)
    with capture_logs() as said:
        await tidy(bench.desk)
        await tidy(bench.desk)
    assert [line["letters"] for line in said] == [1]
    assert await bench.store.redis.zcard(keys.DEAD) == 0
