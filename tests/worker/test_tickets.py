"""The worker and arq: what is under way goes on when Redis restarts, and a ticket is held for as long as it is."""

import asyncio

import pytest
from redis.exceptions import RedisError

from service.settings import WorkSettings
from service.store import keys
from service.worker.drain import drain
from service.worker.main import make_worker
from tests.worker.conftest import FarSide, MakeBench

WRITE = '{ do: write, with: { who: "${contact.id}", sets: { a: 1 } } }'


async def test_a_call_is_not_cut_short_because_nothing_can_be_claimed(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(WRITE)
    await bench.happen("a")
    far.gate = asyncio.Event()
    ticket = asyncio.create_task(drain(bench.desk, "drain:0"))
    await far.entered.wait()
    await bench.store.redis.set(keys.READY, "of the wrong kind, so that every claim fails")
    await asyncio.wait([ticket], timeout=0.2)
    assert not ticket.done()
    far.gate.set()
    await ticket

    assert bench.did == ["write"]
    assert (await bench.ledger("a")).state == "done"


@pytest.mark.parametrize("failed", [1, 5])
async def test_jobs_that_failed_with_redis_cost_one_pause_together(
    make_bench: MakeBench, redis_url: str, failed: int
) -> None:
    bench = await make_bench(WRITE)
    worker = make_worker(bench.desk, redis_url, WorkSettings().grace_s, handle_signals=False)

    async def fail() -> None:
        raise RedisError

    worker.tasks = {str(number): asyncio.create_task(fail()) for number in range(failed)}
    await asyncio.wait(worker.tasks.values())
    try:
        await worker._poll_iteration()
        assert worker.tasks == {}
    finally:
        await worker.pool.aclose(close_connection_pool=True)


async def test_a_ticket_is_held_by_lease_and_the_lease_is_renewed(
    make_bench: MakeBench, far: FarSide, redis_url: str
) -> None:
    bench = await make_bench(WRITE)
    await bench.happen("a")
    far.gate = asyncio.Event()
    worker = make_worker(bench.desk, redis_url, WorkSettings().grace_s, handle_signals=False)
    try:
        await worker._poll_iteration()
        await far.entered.wait()
        (ticket,) = worker.tasks
        left = [await bench.store.redis.pttl(f"arq:in-progress:{ticket}")]
        assert 0 < left[0] <= bench.store.options.lease_ms
        async with asyncio.timeout(20):
            while left[-1] <= left[0]:  # it goes down, and then up again
                left.append(await bench.store.redis.pttl(f"arq:in-progress:{ticket}"))
                left[0] = min(left)
                assert left[-1] > 0
        far.gate.set()
        await asyncio.wait(worker.tasks.values())
        assert await bench.store.redis.exists(f"arq:in-progress:{ticket}", f"arq:job:{ticket}") == 0
    finally:
        await worker.pool.aclose(close_connection_pool=True)


async def test_a_ticket_that_seems_free_after_a_pause_is_not_started_twice_by_one_worker(
    make_bench: MakeBench, far: FarSide, redis_url: str
) -> None:
    bench = await make_bench(WRITE)
    await bench.happen("a")
    far.gate = asyncio.Event()
    worker = make_worker(bench.desk, redis_url, WorkSettings().grace_s, handle_signals=False)
    try:
        await worker._poll_iteration()
        await far.entered.wait()
        ((ticket, task),) = worker.tasks.items()
        await bench.store.redis.delete(f"arq:in-progress:{ticket}")
        await worker._poll_iteration()
        assert worker.tasks[ticket] is task
        far.gate.set()
        await asyncio.wait(worker.tasks.values())
        await task  # it raises nothing
        assert worker.job_counter == 0
    finally:
        await worker.pool.aclose(close_connection_pool=True)


async def test_a_worker_that_starts_while_redis_is_away_goes_on_trying(make_bench: MakeBench) -> None:
    bench = await make_bench(WRITE)
    worker = make_worker(bench.desk, "redis://127.0.0.1:1/0", WorkSettings().grace_s, handle_signals=False)
    running = asyncio.create_task(worker.main())
    await asyncio.wait([running], timeout=0.5)
    assert not running.done()
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    await worker.pool.aclose(close_connection_pool=True)


async def test_jobs_that_redis_did_not_give_do_not_count_as_running(make_bench: MakeBench) -> None:
    bench = await make_bench(WRITE)
    worker = make_worker(bench.desk, "redis://127.0.0.1:1/0", WorkSettings().grace_s, handle_signals=False)
    for _ in range(50):
        with pytest.raises(RedisError):
            await worker.start_jobs([b"drain:0", b"drain:1"])
    assert worker.job_counter == 0
    await worker.pool.aclose(close_connection_pool=True)
