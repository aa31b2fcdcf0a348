"""The right half of the way: a ticket claims lanes, a lane gives runs, a run takes steps, what happened is recorded.

Read `drain_lane` first.
"""

import asyncio
import time

import structlog
from redis.exceptions import RedisError

from service.errors import LeaseLost
from service.observe import traces
from service.observe.metrics import RUN_SECONDS, RUNS, of
from service.store import dead, lanes, tickets
from service.store.lanes import Notes
from service.store.records import Lane, Waiting
from service.worker.desk import Desk
from service.worker.run import Ended, Postponed, execute

log = structlog.get_logger("sluice.worker")

_LOOK_AGAIN_S = 0.05


async def drain_lane(lane: Lane, desk: Desk) -> None:
    """Do the runs of one lane, in order, until it is empty, has to wait, or is no longer ours."""
    try:
        more = True
        while more:
            waiting, notes = lane.head, Notes()
            with traces.run(waiting.run, waiting.event_id, waiting.record.tries) as span:
                verdict = await execute(lane, notes, desk)
                if isinstance(verdict, Postponed):
                    await lanes.let_go(desk.store, lane, notes, due=verdict.due)
                    more = False
                else:
                    more = await lanes.end_run(desk.store, lane, notes, verdict.letter)
                _tell(waiting, verdict, span, desk.now())
            if more and desk.stopping.is_set():
                await lanes.let_go(desk.store, lane, Notes(), due=desk.now())
                more = False
    except LeaseLost:
        log.warning("lease lost", event_id=lane.head.event_id, hint="another worker goes on with this lane")
    except (RedisError, OSError, TimeoutError) as error:
        # The lease runs out by itself, and whoever takes the lane next goes on from what the ledger says.
        log.warning("lane abandoned", event_id=lane.head.event_id, error=type(error).__name__)
    except Exception:
        log.exception(
            "lane abandoned", event_id=lane.head.event_id, hint="a fault of Sluice itself; the other lanes go on"
        )


async def drain(desk: Desk, ticket: str) -> None:
    """Work off a ticket: claim due lanes, drain them side by side, until none is due or the ticket's time is up."""
    ends, width = time.monotonic() + desk.ticket_s, desk.store.options.lanes_per_ticket
    held: dict[asyncio.Task[None], Lane] = {}
    keeper = asyncio.create_task(_keep_leases(ticket, held, desk))
    try:
        while True:
            going_on = time.monotonic() < ends and not desk.stopping.is_set()
            free = width - len(held) if going_on else 0
            try:
                claimed = await lanes.claim(desk.store, free) if free else []
            except (RedisError, OSError, TimeoutError) as error:
                # What is held goes on: its calls must not be cut short because Redis restarts. Another ticket claims.
                log.warning("nothing claimed", error=type(error).__name__)
                claimed, ends = [], 0.0
            for lane in claimed:
                held[asyncio.create_task(drain_lane(lane, desk))] = lane
            if not held:
                return
            done, _ = await asyncio.wait(held, timeout=_LOOK_AGAIN_S, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                del held[task]
    finally:
        keeper.cancel()
        for task in held:
            task.cancel()


async def sweep(desk: Desk) -> None:
    """Bring back what a dead worker held, and ring for what is due."""
    swept = await lanes.sweep(desk.store)
    if swept.recovered:
        log.warning(
            "leases ran out", lanes=swept.recovered, hint="a worker died or was paused; its lanes go on elsewhere"
        )


async def tidy(desk: Desk) -> None:
    """Drop the dead letters that nobody has looked after for months. Run every hour by one of the workers."""
    if dropped := await dead.drop_old(desk.store, now=desk.now()):
        log.warning("dead letters dropped", letters=dropped, hint="nobody retried or dropped them for SLUICE_DEAD_DAYS")


async def _keep_leases(ticket: str, held: dict[asyncio.Task[None], Lane], desk: Desk) -> None:
    """Renew the hold on the ticket, and the leases of lanes that take long; a lane that was lost is dropped at once."""
    while True:
        await asyncio.sleep(desk.store.options.lease_ms / 3000)
        try:
            await tickets.hold(desk.store, ticket)
            lost = await lanes.renew(desk.store, list(held.values()))
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("leases not renewed", lanes=len(held), error=type(error).__name__)
            continue
        for task, lane in list(held.items()):
            if lane.name in lost and not task.done():
                task.cancel()


def _tell(waiting: Waiting, verdict: Ended | Postponed, span: traces.Span, now: int) -> None:
    """Say once what became of a run, for logs, metrics and its trace."""
    waits = isinstance(verdict, Postponed) and not verdict.tried
    state = verdict.state if isinstance(verdict, Ended) else "put_off" if waits else "postponed"
    rule = waiting.run.key.rpartition("/")[2]
    of(RUNS, rule, state).inc()
    span.set("sluice.outcome", state)
    if verdict.reason:
        span.set("sluice.reason", verdict.reason)
    if state in ("dead", "postponed"):
        span.fail(verdict.reason)
    if isinstance(verdict, Ended):
        accepted_at = int(waiting.event_id.partition("-")[0])
        of(RUN_SECONDS, waiting.run.lane.partition("/")[0]).observe(max(0, now - accepted_at) / 1000)
    say = log.warning if state == "dead" else log.debug if waits else log.info
    say("run", event_id=waiting.event_id, rule=rule, state=state, reason=verdict.reason, message=verdict.message)
