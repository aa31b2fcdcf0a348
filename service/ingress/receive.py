"""The left half of the way: bytes and headers in, a promise out. Read `receive` first."""

import time
from collections.abc import Callable

import structlog
from msgspec import Struct, field
from msgspec.structs import replace

from service.engine import RuleSet, plan
from service.errors import StoreUnavailable
from service.ingress.complaints import Complaints
from service.ingress.rulebook import RuleBook
from service.ingress.spill import Spill
from service.ingress.turns import Turns
from service.model import Plan
from service.observe import traces
from service.observe.metrics import EVENTS, LAG, LAST_ACCEPTED, PLANNED, RETRIED, of
from service.sources.delivery import Delivery, Normalised, Route
from service.store import Receipt, Store, accept

log = structlog.get_logger("sluice.ingress")


class Desk(Struct, kw_only=True):
    """What receiving needs, put together by the entrance."""

    store: Store
    rules: RuleBook
    spill: Spill | None
    now: Callable[[], int]
    turns: Turns = field(default_factory=Turns)
    complaints: Complaints = field(default_factory=Complaints)


class Answer(Struct, frozen=True):
    """The body of a 2xx: how many events were taken, and how many were known already."""

    accepted: int
    duplicates: int


async def receive(route: Route, delivery: Delivery, desk: Desk) -> Answer:
    """Verify, normalise, plan, store: when this returns, the delivery is safe.

    Raises Unverified (401), or StoreUnavailable (503) if neither Redis nor a spill file could take it.
    """
    started = time.perf_counter()
    verified = route.verify(delivery)
    with traces.delivery(route.source, route.path, delivery.headers.get("traceparent", "")) as span:
        found = route.normalise(verified)
        if any(event.attempt for event in found.events):
            of(RETRIED, route.source).inc()
        try:
            receipt = await store(route.source, found, desk)
            answer = Answer(receipt.accepted, receipt.duplicates)
        except StoreUnavailable as error:
            if not route.spills or desk.spill is None:
                span.answered(503)
                raise
            await desk.spill.put(route, delivery)
            of(EVENTS, route.source, "spilled").inc(len(found.events))
            log.warning("spilled", source=route.source, reason=str(error), hint="it is stored as soon as Redis is back")
            span.set("sluice.spilled", True)
            answer = Answer(len(found.events), 0)
        of(LAST_ACCEPTED, route.source).set(desk.now() / 1000)
        _tell(route, found, answer, started)
        span.answered(200)
        return answer


async def store(source: str, found: Normalised, desk: Desk) -> Receipt:
    """Plan the events of a delivery and store it whole. Raises StoreUnavailable."""
    now = desk.now()
    rule_set = await desk.rules.current()
    plans = _plan(rule_set, found, now)
    with traces.within("accept"):
        receipt = await accept(desk.store, source, plans, found.misfits, now=now)
    traces.note("sluice.events", receipt.events)
    traces.note("sluice.misfits", len(found.misfits))
    _count(source, plans, receipt, now)
    for misfit in found.misfits:
        of(EVENTS, source, "misfit").inc()
        log.warning("misfit", source=source, message=misfit.message, hint="it is kept as a dead letter")
    return receipt


def _plan(rule_set: RuleSet, found: Normalised, now: int) -> list[Plan]:
    """Plan the events. Where the delivery is traced its runs say so, and the workers go on with the trace."""
    trace = traces.traceparent()
    with traces.within("plan") as span:
        plans = [plan(rule_set, event, now) for event in found.events]
        span.set("sluice.ruleset", rule_set.version)
    if trace:
        return [replace(each, runs=tuple(replace(run, traceparent=trace) for run in each.runs)) for each in plans]
    return plans


def _count(source: str, plans: list[Plan], receipt: Receipt, now: int) -> None:
    """Count what became of a delivery's events. How old they are is told by the oldest new one: they come together."""
    known = [event for event in receipt.events if event in ("redelivered", "overlapping")]
    for outcome in set(known):
        of(EVENTS, source, outcome).inc(known.count(outcome))
    if not receipt.accepted:
        return
    of(EVENTS, source, "accepted").inc(receipt.accepted)
    occurred_at = now
    for planned, event in zip(plans, receipt.events, strict=True):
        if known and event in known:
            continue
        occurred_at = min(occurred_at, planned.event.occurred_at)
        if planned.runs or planned.shadowed or planned.failures:
            _count_matches(planned, event)
    of(LAG, source).observe((now - occurred_at) / 1000)


def _count_matches(planned: Plan, event: str) -> None:
    for run in planned.runs:
        of(PLANNED, run.rule, "live").inc()
    for rule in planned.shadowed:
        of(PLANNED, rule, "shadow").inc()
    for failure in planned.failures:
        of(PLANNED, failure.rule, "failed").inc()
        log.warning("rule failed", event_id=event, rule=failure.rule, reason=failure.reason, message=failure.message)


def _tell(route: Route, found: Normalised, answer: Answer, started: float) -> None:
    log.bind().info(  # a lazy logger looks for its methods anew each time
        "delivery",
        source=route.source,
        events=len(found.events),
        accepted=answer.accepted,
        duplicates=answer.duplicates,
        misfits=len(found.misfits),
        ms=round((time.perf_counter() - started) * 1000, 1),
    )
