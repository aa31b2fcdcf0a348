"""The arq worker: a real one, on the loop of the test, over a real Redis."""

import asyncio
import contextlib
import gc
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from arq.worker import Worker
from redis.exceptions import TimeoutError as RedisTimeoutError
from structlog.testing import capture_logs

from service.dev.processes import embedded_redis, free_port, running, sluice
from service.settings import WorkSettings
from service.store import Options, Store, accept, keys, lanes, open_store, rulesets
from service.worker.main import TicketWorker, _wait_for_redis, make_desk, make_worker
from tests import local
from tests.system.conftest import environment, until
from tests.worker.conftest import Bench, FarSide, MakeBench

LOOK = '{ do: look, with: { who: "${contact.id}" } }'
LANE = "hubspot/1/contact/7"

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated close")  # arq 0.28 closes redis-py as of old


@contextlib.asynccontextmanager
async def _working(bench: Bench, redis_url: str, *, max_jobs: int = 10) -> AsyncIterator[TicketWorker]:
    worker = make_worker(bench.desk, redis_url, 5, handle_signals=False, max_jobs=max_jobs)
    running = asyncio.create_task(worker.async_run())
    try:
        yield worker
    finally:
        running.cancel()
        await asyncio.wait([running])
        await worker.close()


async def _ended(bench: Bench, fact: str) -> None:
    async def look() -> bool:
        return (await bench.ledger(fact)).ended

    await until(look)


async def test_tickets_drain_the_lanes_that_were_rung_for(make_bench: MakeBench, far: FarSide, redis_url: str) -> None:
    bench = await make_bench(LOOK)
    async with _working(bench, redis_url):
        for n in range(50):
            await bench.happen(f"f{n}", object_id=str(n))
        for n in range(50):
            await _ended(bench, f"f{n}")

    assert len(far.calls) == 50
    assert await bench.store.redis.exists(keys.READY, keys.LEASES, keys.OWNERS) == 0


async def test_the_sweep_takes_over_from_a_dead_worker(make_bench: MakeBench, far: FarSide, redis_url: str) -> None:
    bench = await make_bench(LOOK)
    await bench.happen("a")
    await lanes.claim(bench.store, 1)
    await bench.store.redis.delete("arq:job:drain:0", "arq:queue")  # its ticket died with it
    await bench.store.redis.zadd(keys.LEASES, {LANE: 1})
    async with _working(bench, redis_url):
        await _ended(bench, "a")
    assert len(far.calls) == 1


async def test_errors_of_redis_cost_no_job_slot(make_bench: MakeBench, redis_url: str) -> None:
    bench = await make_bench(LOOK)
    with capture_logs() as logs:
        async with _working(bench, redis_url, max_jobs=2) as worker:
            await bench.happen("a")
            await _ended(bench, "a")
            await bench.store.redis.execute_command("ACL", "SETUSER", "default", "-watch")  # type: ignore[no-untyped-call]
            try:

                async def failed_more_often_than_there_are_slots() -> bool:
                    return bool(sum(line["event"] == "redis away" for line in logs) >= 4)

                await bench.happen("b")
                await until(failed_more_often_than_there_are_slots)
            finally:
                await bench.store.redis.execute_command("ACL", "SETUSER", "default", "+watch")  # type: ignore[no-untyped-call]
            await _ended(bench, "b")

            async def idle() -> bool:
                return not worker.job_counter

            await until(idle)
    assert {line["error"] for line in logs if line["event"] == "redis away"} == {"NoPermissionError"}


async def test_a_restart_of_redis_ends_no_worker(tmp_path: Path, make_bench: MakeBench, far: FarSide) -> None:
    port = free_port()
    bench = await make_bench(LOOK)
    store = open_store(f"redis://127.0.0.1:{port}/0", Options())
    bench = Bench(store, bench.rule_set, far)
    async with contextlib.AsyncExitStack() as first, contextlib.AsyncExitStack() as second:
        url = await first.enter_async_context(embedded_redis(tmp_path, port=port))
        await rulesets.keep(store, bench.rule_set.version, bench.rule_set.files)
        with capture_logs() as logs:
            async with _working(bench, url):
                await bench.happen("a")
                await _ended(bench, "a")
                await first.aclose()

                async def complained() -> bool:
                    return any(line["event"] == "redis away" for line in logs)

                await until(complained)
                await second.enter_async_context(embedded_redis(tmp_path, port=port))
                await bench.happen("b")
                await _ended(bench, "b")
        await store.close()
    assert len(far.calls) == 2


async def test_a_signal_lets_what_runs_finish_and_claims_nothing_new(
    make_bench: MakeBench, far: FarSide, redis_url: str
) -> None:
    bench = await make_bench(LOOK)
    far.gate = asyncio.Event()
    async with _working(bench, redis_url) as worker:
        await bench.happen("a", at=bench.now() - 10)
        await bench.happen("b")
        await far.entered.wait()
        worker.handle_sig_wait_for_completion(signal.SIGTERM)
        assert bench.desk.stopping.is_set()
        far.gate.set()
        await _ended(bench, "a")

        async def given_back() -> bool:
            return bool(await bench.store.redis.zcard(keys.READY))

        await until(given_back)
    assert len(far.calls) == 1


async def test_the_desk_of_the_entrance_has_the_real_clock_and_the_settings(store: Store) -> None:
    bench_settings = WorkSettings(retry_base_s=2, retry_cap_s=3, retry_tries=4)
    desk = make_desk(store, None, {}, bench_settings)  # type: ignore[arg-type]
    assert (desk.backoff.base_s, desk.backoff.cap_s, desk.backoff.tries) == (2, 3, 4)
    assert desk.now() > 1_700_000_000_000
    assert (await accept(store, "hubspot", [], [], now=desk.now())).events == ()


async def test_a_cancellation_that_a_library_swallowed_still_ends_the_worker(
    make_bench: MakeBench, redis_url: str
) -> None:
    bench = await make_bench(LOOK)
    worker = make_worker(bench.desk, redis_url, 5, handle_signals=False)

    async def poll_after_losing_one() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        await worker._poll_iteration()

    polling = asyncio.create_task(poll_after_losing_one())
    await asyncio.wait([polling])
    assert polling.cancelled()
    await worker.close()


async def test_a_worker_may_start_before_its_redis_and_stop_after_it(tmp_path: Path) -> None:
    port = free_port()
    environ = environment(f"redis://127.0.0.1:{port}/0", tmp_path)
    (tmp_path / "redis").mkdir()
    log = tmp_path / "worker.log"

    def says(word: str) -> Callable[[], Awaitable[bool]]:
        async def look() -> bool:
            return word in log.read_text()

        return look

    async with running(*sluice("work"), environ=environ, log=log) as process:
        await until(says("redis away"))
        async with embedded_redis(tmp_path / "redis", port=port) as url:
            store = open_store(url, Options())

            async def beats() -> bool:
                return bool(await store.redis.exists("arq:queue:health-check"))

            await until(beats)
            await store.close()
        before = log.read_text().count("redis away")

        async def complains_again() -> bool:
            return log.read_text().count("redis away") > before

        await until(complains_again)
        process.terminate()
        assert await process.wait() == 0
    assert "worker stopped" in log.read_text()


async def test_a_job_that_was_cut_off_does_not_keep_the_worker_from_closing(
    make_bench: MakeBench, redis_url: str
) -> None:
    bench = await make_bench(LOOK)
    worker = make_worker(bench.desk, redis_url, 5, handle_signals=False)
    worker.tasks["drain:0"] = asyncio.create_task(asyncio.sleep(3600))
    await worker.close()
    assert worker._pool is None


async def test_closing_waits_until_the_end_of_a_job_is_noted(
    make_bench: MakeBench, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    noting, let_go = asyncio.Event(), asyncio.Event()
    note = Worker.finish_job

    async def slowly(self: Worker, job: str, *args: Any) -> None:
        if job == "drain:0":
            noting.set()
            await let_go.wait()
        await note(self, job, *args)

    monkeypatch.setattr(Worker, "finish_job", slowly)
    bench = await make_bench(LOOK)
    async with _working(bench, redis_url) as worker:
        await bench.happen("a")
        await noting.wait()
        closing = asyncio.create_task(worker.close())
        closed, _ = await asyncio.wait([closing], timeout=0.3)
        let_go.set()
        await closing
    assert not closed
    assert not await bench.store.redis.exists("arq:job:drain:0")


async def test_a_redis_that_is_away_while_closing_is_asked_once_and_told_of_once(
    make_bench: MakeBench, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    noting, let_go = asyncio.Event(), asyncio.Event()
    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))

    async def in_vain(*_: Any) -> None:
        noting.set()
        await let_go.wait()
        raise RedisTimeoutError("Timeout reading from socket")

    monkeypatch.setattr(Worker, "finish_job", in_vain)
    bench = await make_bench(LOOK)
    worker = make_worker(bench.desk, redis_url, 5, handle_signals=False)
    working = asyncio.create_task(worker.async_run())
    await bench.happen("a")
    await noting.wait()
    working.cancel()
    await asyncio.wait([working])
    with capture_logs() as logs:
        closing = asyncio.create_task(worker.close())
        await asyncio.wait([closing], timeout=0.3)
        let_go.set()
        await closing
    assert [line["error"] for line in logs if line["event"] == "redis away"] == ["TimeoutError"]
    assert await bench.store.redis.exists("arq:queue:health-check"), "arq takes its leave of a Redis that answers"
    gc.collect()
    await asyncio.sleep(0)
    assert unhandled == []


async def test_a_write_to_a_connection_that_has_just_been_closed_ends_no_worker(
    make_bench: MakeBench, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[RuntimeError] = []
    poll = Worker._poll_iteration

    async def closed_once(self: Worker) -> None:
        if not raised:
            raised.append(
                RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")
            )
            raise raised[0]
        await poll(self)

    monkeypatch.setattr(Worker, "_poll_iteration", closed_once)
    bench = await make_bench(LOOK)
    async with _working(bench, redis_url):
        await bench.happen("a")
        await _ended(bench, "a")
    assert raised


async def test_a_worker_is_alive_also_while_redis_is_away(tmp_path: Path) -> None:
    port = free_port()
    environ = environment(f"redis://127.0.0.1:{free_port()}/0", tmp_path, SLUICE_METRICS_PORT=str(port))
    async with (
        running(*sluice("work"), environ=environ, log=tmp_path / "log"),
        local.client() as http,
    ):

        async def alive() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return (await http.get(f"http://127.0.0.1:{port}/livez")).status_code == 200
            return False

        assert await until(alive), (tmp_path / "log").read_text()


async def test_a_worker_notes_when_it_looks_for_work(make_bench: MakeBench, redis_url: str) -> None:
    bench = await make_bench(LOOK)
    async with _working(bench, redis_url):
        await bench.happen("a")
        await _ended(bench, "a")
        ended_at = time.monotonic()

        async def looks_on() -> bool:
            return bench.desk.polled_at > ended_at

        await until(looks_on)


async def test_a_worker_that_waits_for_redis_notes_that_too(make_bench: MakeBench) -> None:
    bench = await make_bench(LOOK)
    away = open_store(f"redis://127.0.0.1:{free_port()}/0", Options())
    bench.desk.store = away
    began = bench.desk.polled_at
    waiting = asyncio.create_task(_wait_for_redis(bench.desk))

    async def notes_again() -> bool:
        return bench.desk.polled_at > began + 1

    await until(notes_again)
    waiting.cancel()
    await asyncio.wait([waiting])
    await away.close()
