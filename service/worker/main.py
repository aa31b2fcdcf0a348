"""The entrance of `sluice work`: an arq worker that runs tickets. What knows arq is here and in store/tickets.py."""

import asyncio
import contextlib
import gc
import logging
import random
import time
from collections.abc import Coroutine, Mapping
from signal import Signals
from types import MappingProxyType
from typing import Any

import structlog
from arq import ArqRedis, cron, func
from arq.worker import Worker
from redis.exceptions import RedisError

from service.actions import ACTIONS, Action
from service.engine import COLLECT_AFTER
from service.model import DEFAULT_ACCOUNT
from service.observe import logs, trace_config, traces
from service.sakari.client import Sakari
from service.settings import Found, StoreSettings, WorkSettings
from service.store import Store, durability, open_store, tickets
from service.store.connection import pool
from service.store.options import options
from service.worker.accounts import open_accounts
from service.worker.backoff import Backoff
from service.worker.bell import Bell
from service.worker.desk import Desk, Rules
from service.worker.drain import drain, sweep, tidy
from service.worker.exposition import exposing

log = structlog.get_logger("sluice.worker")

_AWAY = (RedisError, OSError, RuntimeError)
"""What says that Redis is away. For a write to a connection that has just been closed uvloop raises RuntimeError, which
redis-py lets pass."""

_TICKETS_AT_ONCE = 8
_LONGEST_TICKET_S = 300


class TicketWorker(Worker):
    """arq's worker with three manners added: a clean stop, patience with Redis, and tickets that are held by lease.

    arq marks a job as running for as long as it may take at most. The tickets of a killed worker would stand in the way of
    new ones for that long; so the mark lasts for a lease only, and `drain` renews it.
    """

    def __init__(self, desk: Desk, **settings: Any) -> None:
        super().__init__(**settings)
        self._desk = desk
        self._bell = Bell(desk.store.redis)
        self._started: set[asyncio.Task[Any]] = set()
        self._finishing: set[asyncio.Task[Any]] = set()
        self.in_progress_timeout_s = desk.store.options.lease_ms / 1000

    async def main(self) -> None:
        """Work, as soon as there is a Redis and whenever it is back. Raises SettingsError if it cannot keep what is promised.

        arq asks Redis about itself first, and would end if it is away at that very moment.
        """
        await _wait_for_redis(self._desk)
        log.info("worker ready", actions=sorted(self._desk.actions))
        listening = asyncio.create_task(self._bell.listen())
        try:
            while True:
                try:
                    return await super().main()
                except _AWAY as error:
                    log.warning("redis away", error=type(error).__name__, hint="trying again every second")
                    await asyncio.sleep(1)
        finally:
            listening.cancel()

    async def close(self) -> None:
        """Close every connection. arq wants its jobs to have ended well and to take its leave of Redis; neither is sure.

        What arq notes of a job that has ended goes on if the job is cancelled; it still needs its connection.
        """
        for task in self.tasks.values():
            task.cancel()
        ends = await asyncio.gather(*self.tasks.values(), *self._finishing, return_exceptions=True)
        self.tasks.clear()
        away = next((end for end in ends if isinstance(end, _AWAY)), None)
        try:
            if away is None:
                await super().close()
        except _AWAY as error:
            away = error
        if away is not None:
            log.warning("redis away", error=type(away).__name__, hint="the worker ends all the same")
            await self.pool.aclose(close_connection_pool=True)

    async def finish_job(self, *args: Any) -> None:
        """Note the end of a job, in a task of its own that `close` waits for."""
        await self._noting(super().finish_job(*args))

    async def finish_failed_job(self, *args: Any) -> None:
        """Note that a job cannot be run, as `finish_job`."""
        await self._noting(super().finish_failed_job(*args))

    async def _noting(self, note: Coroutine[Any, Any, None]) -> None:
        if task := asyncio.current_task():
            self._finishing.add(task)
            task.add_done_callback(self._noted)
        await note

    def _noted(self, task: asyncio.Task[Any]) -> None:
        self._finishing.discard(task)
        if not task.cancelled():
            task.exception()  # a job that was cancelled does not look any more at how the task that it shields ended

    def handle_sig_wait_for_completion(self, signum: Signals) -> None:
        """Claim no new lanes; let what runs finish within the grace time."""
        self._desk.stopping.set()
        super().handle_sig_wait_for_completion(signum)

    async def _poll_iteration(self) -> None:
        """Poll once. arq would let a Redis error end the process; a restart of Redis is no reason to lose the workers."""
        self._desk.polled_at = time.monotonic()
        try:
            await super()._poll_iteration()
        except _AWAY as error:
            log.warning("redis away", error=type(error).__name__, hint="trying again every second")
            await asyncio.sleep(1)
            # arq raises the errors of its jobs one a poll: with a pause after each, ten jobs would cost ten seconds.
            ended = [job for job, task in self.tasks.items() if task.done()]
            await asyncio.gather(*(self.tasks.pop(job) for job in ended), return_exceptions=True)
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # redis-py awaits with `asyncio.wait_for`, which in Python 3.11 loses a cancellation now and then.
            raise asyncio.CancelledError
        await self._bell.wait()

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        """Start jobs, but none that runs here already: after a pause its mark may have run out, and it seems free."""
        for job in job_ids:
            if running := self.tasks.get(job.decode()):
                if not running.done():
                    continue
                self.tasks.pop(job.decode()).result()  # arq looks after those that have ended only later in its poll
            try:
                await super().start_jobs([job])
            except _AWAY:
                self._count(job.decode())
                # arq counts a job before it asks Redis for it; whatever is counted and was not started is given back.
                for _ in range(self.job_counter - len(self._started)):
                    self._release_sem_dec_counter_on_complete()
                raise
            self._count(job.decode())

    def _count(self, job: str) -> None:
        """Keep our own book of what arq has started, right after it did: its callback gives the count back before ours."""
        if task := self.tasks.get(job):
            self._started.add(task)
            task.add_done_callback(self._started.discard)


async def work(settings: Found) -> None:
    """Run a worker until it is told to stop."""
    gc.set_threshold(COLLECT_AFTER)
    asyncio.get_running_loop().set_exception_handler(logs.unhandled)
    store = open_store(settings.of(StoreSettings).redis_url, options(settings.of(StoreSettings)))
    wanted = settings.of(WorkSettings)
    traces.start("sluice-worker", settings.of(trace_config.Config))
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(traces.stop)
        stack.push_async_callback(store.close)
        clients = await open_accounts(stack, settings, store)
        desk = make_desk(store, clients.pop(DEFAULT_ACCOUNT), ACTIONS, wanted, named=clients)
        if wanted.metrics_port:
            await stack.enter_async_context(exposing(store, wanted.metrics_host, wanted.metrics_port, desk.idle_s))
        worker = make_worker(desk, settings.of(StoreSettings).redis_url, wanted.grace_s)
        stack.push_async_callback(worker.close)
        try:
            await worker.async_run()
        except asyncio.CancelledError:
            log.info("worker stopped")


async def _wait_for_redis(desk: Desk) -> None:
    """Return once Redis is there. Raises SettingsError if it cannot keep what is promised."""
    while True:
        desk.polled_at = time.monotonic()
        try:
            for warning in await durability.check(desk.store):
                log.warning(warning)
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("redis away", error=type(error).__name__, hint="trying again every second")
            await asyncio.sleep(1)
        else:
            return


def make_desk(
    store: Store,
    sakari: Sakari,
    actions: Mapping[str, Action],
    settings: WorkSettings,
    *,
    named: Mapping[str, Sakari] = MappingProxyType({}),
) -> Desk:
    """Put together what draining needs, with the real clock and real randomness."""
    return Desk(
        store=store,
        sakari=sakari,
        named=named,
        actions=actions,
        rules=Rules(store, actions),
        backoff=Backoff(
            base_s=settings.retry_base_s,
            cap_s=settings.retry_cap_s,
            tries=settings.retry_tries,
            random=random.Random(),
        ),
        now=lambda: time.time_ns() // 1_000_000,
        stopping=asyncio.Event(),
        region=settings.phone_region,
    )


def make_worker(desk: Desk, redis_url: str, grace_s: int, **overrides: Any) -> TicketWorker:
    """Make the arq worker. Why each setting differs from arq's default: facts about arq 0.28, measured.

    arq reads at most `queue_read_limit` ids of a poll, running jobs included, so it must be larger than all that run in
    all workers; it waits `poll_delay` between polls, for which we have a bell; it keeps results for an hour unless told not
    to, and refuses a job id for as long; it cancels jobs at once on SIGTERM unless there is a `job_completion_wait`; it
    writes its health once an hour.
    """
    redis: ArqRedis = ArqRedis(
        pool_or_conn=pool(redis_url, timeout_s=5.0, connections=32),
        job_serializer=tickets.serialize,
        job_deserializer=tickets.deserialize,
    )
    logging.getLogger("arq").setLevel(logging.WARNING)
    defaults: dict[str, Any] = {
        "functions": [func(_drain, name=tickets.FUNCTION)],
        "cron_jobs": [
            cron(_sweep, name="sweep", second=set(range(60)), microsecond=0, run_at_startup=True),
            cron(_tidy, name="tidy", minute=17, second=0, microsecond=0),
        ],
        "queue_name": tickets.QUEUE,
        "redis_pool": redis,
        "ctx": {"desk": desk},
        "max_jobs": _TICKETS_AT_ONCE + 2,
        "job_timeout": _LONGEST_TICKET_S,
        "job_completion_wait": grace_s,
        "keep_result": 0,
        "poll_delay": 0.0,
        "queue_read_limit": 1000,
        "max_tries": 1000,
        "health_check_interval": 15,
        "expires_extra_ms": desk.store.options.ticket_ms,
        "job_serializer": tickets.serialize,
        "job_deserializer": tickets.deserialize,
    }
    return TicketWorker(desk, **(defaults | overrides))


async def _drain(ctx: dict[str, Any]) -> None:
    await drain(ctx["desk"], ctx["job_id"])


async def _sweep(ctx: dict[str, Any]) -> None:
    await sweep(ctx["desk"])


async def _tidy(ctx: dict[str, Any]) -> None:
    await tidy(ctx["desk"])
