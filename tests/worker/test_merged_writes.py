"""Runs of one lane that wait together and write to one record: one call, and each run's own end."""

import asyncio

from msgspec.structs import replace

from service.store import keys, lanes
from service.store.records import Lane
from service.worker.drain import drain_lane
from tests.worker.conftest import Args, Bench, FarSide, MakeBench

BLEND = '{ do: blend, with: { who: "${contact.id}", sets: { a: "${contact.a}" } } }'


async def _claimed(bench: Bench) -> Lane:
    (name,) = await bench.store.redis.zrange(keys.READY, 0, -1)
    await bench.store.redis.zadd(keys.READY, {name: 1})
    (lane,) = await lanes.claim(bench.store, 1)
    return lane


async def test_what_waits_together_is_one_call_and_each_run_gets_its_own_end(
    make_bench: MakeBench, far: FarSide
) -> None:
    bench = await make_bench(BLEND)
    for at in (1, 2, 3):
        await bench.happen(f"f{at}", at=at, a=at)
    await bench.drain()

    assert [call.args for call in far.calls] == [Args("7", {"a": 3})]
    assert [(await bench.ledger(f"f{at}")).state for at in (1, 2, 3)] == ["superseded", "superseded", "done"]


async def test_an_older_run_that_comes_meanwhile_does_not_repeat_what_was_made(
    make_bench: MakeBench, far: FarSide
) -> None:
    bench = await make_bench(BLEND)
    await bench.happen("f2", at=2, a=2)
    await bench.happen("f3", at=3, a=3)
    far.gate = asyncio.Event()
    draining = asyncio.create_task(drain_lane(await _claimed(bench), bench.desk))
    await far.entered.wait()
    await bench.happen("f1", at=1, a=1)
    far.gate.set()
    await draining

    assert [call.args for call in far.calls] == [Args("7", {"a": 3})]
    assert [(await bench.ledger(f"f{at}")).state for at in (1, 2, 3)] == ["superseded", "superseded", "done"]


async def test_a_run_that_was_overtaken_by_an_older_one_before_its_call_is_still_itself(
    make_bench: MakeBench, far: FarSide
) -> None:
    bench = await make_bench(BLEND)
    await bench.happen("f2", at=2, a=2)
    lane = await _claimed(bench)
    await bench.happen("f1", at=1, a=1)
    lane.head = replace(lane.head, behind=True)
    await drain_lane(lane, bench.desk)

    assert [call.args for call in far.calls] == [Args("7", {"a": 2})]
    assert [(await bench.ledger(f"f{at}")).state for at in (1, 2)] == ["superseded", "done"]


async def test_what_was_made_together_stays_made_when_the_lane_is_let_go_in_between(
    make_bench: MakeBench, far: FarSide
) -> None:
    bench = await make_bench(BLEND)
    for at in (1, 2, 3):
        await bench.happen(f"f{at}", at=at, a=at)
    bench.desk.stopping.set()  # as on SIGTERM: after the run at hand, the lane is given back
    await bench.drain()
    assert (await bench.ledger("f3")).state == "waiting"
    bench.desk.stopping.clear()
    bench.ahead_ms = 30 * 86_400_000  # long after they expired: they are done, and only have to be ended
    await bench.drain()

    assert [call.args for call in far.calls] == [Args("7", {"a": 3})]
    assert [(await bench.ledger(f"f{at}")).state for at in (1, 2, 3)] == ["superseded", "superseded", "done"]
