"""One go at one run: its steps in order, and the verdict on how it went."""

from typing import Any

import structlog
from msgspec import Struct
from redis.exceptions import RedisError

from service.errors import LeaseLost, Permanent, Retryable, StepError, Uncertain
from service.sakari.gate import Caller
from service.store.lanes import Notes
from service.store.records import DeadLetter, Lane, RunRecord, RunState, StepRecord
from service.worker.desk import Desk
from service.worker.step import Attempt, RecordBusy, take

log = structlog.get_logger("sluice.worker")

_BUSY_MS = 50


class Ended(Struct, frozen=True):
    """The run is over: done, skipped, superseded, or dead with a letter."""

    state: RunState
    reason: str = ""
    message: str = ""
    letter: DeadLetter | None = None


class Postponed(Struct, frozen=True):
    """The run is to go on at `due` (ms). `tried` tells whether that counts as a try that failed."""

    due: int
    reason: str
    message: str
    tried: bool


async def execute(lane: Lane, notes: Notes, desk: Desk) -> Ended | Postponed:
    """Take the steps of the lane's first run, from where it stands; everything to be recorded goes into `notes`.

    Raises LeaseLost and Redis's own errors, after which nothing is recorded.
    """
    verdict: Ended | Postponed
    try:
        verdict = _outcome(await _take_steps(lane, notes, desk), desk)
    except RecordBusy:
        return Postponed(
            desk.now() + _BUSY_MS, "record_busy", "another lane is writing to the same Sakari record", tried=False
        )
    except StepError as error:
        verdict = _judge(error, lane, desk)
    notes.fields |= _ledger(verdict, lane.head.record, desk.now())
    return verdict


def _ledger(verdict: Ended | Postponed, record: RunRecord, now: int) -> dict[str, Any]:
    """What the verdict changes in the ledger. `state` is always told: it is counted."""
    said = {"reason": verdict.reason, "message": verdict.message}
    fields: dict[str, Any] = {name: text for name, text in said.items() if text != getattr(record, name)}
    if isinstance(verdict, Ended):
        fields |= {"state": verdict.state, "ended_at": now}
        return fields | {"tries": record.tries + 1} if verdict.state == "dead" else fields
    if verdict.tried:
        return fields | {"state": "retrying", "tries": record.tries + 1}
    return fields | {"state": "retrying" if record.tries else "waiting", "put_off": record.put_off + 1}


async def _take_steps(lane: Lane, notes: Notes, desk: Desk) -> list[StepRecord]:
    run, record = lane.head.run, lane.head.record
    if lane.head.unreadable:
        raise Permanent("unreadable_run", "this version of Sluice cannot read the run; was it written by a newer one?")
    rule = await desk.rules.find(run.ruleset, run.rule)
    to_do = [step for step in rule.steps if step.index not in record.steps or not record.steps[step.index].taken]
    if to_do and desk.now() > (record.expires_at or run.expires_at):
        raise Permanent("expired", "it could not be done in time; doing it now would be a late surprise")
    attempt = Attempt(lane, rule, notes, {}, desk.account(rule.account), Caller(put_off=record.put_off))
    try:
        return [await take(step, attempt, desk) for step in rule.steps]
    except (StepError, RecordBusy, LeaseLost, RedisError, OSError):
        raise
    except Exception as error:
        log.exception("a step broke", run=run.key)
        raise Permanent("internal_error", f"a fault of Sluice itself, {type(error).__name__}; see the log") from error


def _outcome(taken: list[StepRecord], desk: Desk) -> Ended:
    """Sum the steps up: done if any was done, else superseded if any was, else skipped.

    Reading does not count where something was to be written: who has only looked has done nothing.
    """
    states = {record.state for record in taken}
    writes = {record.state for record in taken if record.do in desk.actions and desk.actions[record.do].target}
    if "superseded" in writes and "done" not in writes:
        states = writes
    if "done" in states:
        return Ended("done")
    if "superseded" in states:
        return Ended("superseded", "newer_fact", "newer values stand in Sakari already")
    return Ended("skipped", "condition", "no step's `if` held")


def _judge(error: StepError, lane: Lane, desk: Desk) -> Ended | Postponed:
    """Try again, or bury it. An uncertain call reaches this as Retryable if repeating it is harmless (see step.py)."""
    run, record = lane.head.run, lane.head.record
    expires_at = record.expires_at or run.expires_at
    if isinstance(error, Retryable) and error.due is not None:
        if error.due > expires_at:
            return _dead("expired", f"no time left to wait: {error}", lane, desk)
        return Postponed(error.due, error.reason, str(error), tried=False)
    if isinstance(error, Retryable):
        tried = record.tries + 1
        due = desk.now() + round(1000 * desk.backoff.delay_s(tried, error.after_s))
        if tried >= desk.backoff.tries:
            return _dead(error.reason, f"gave up after {tried} tries: {error}", lane, desk)
        if due > expires_at:
            return _dead("expired", f"no time left for another try: {error}", lane, desk)
        return Postponed(due, error.reason, str(error), tried=True)
    reason = f"uncertain_{error.reason}" if isinstance(error, Uncertain) else error.reason
    return _dead(reason, str(error), lane, desk)


def _dead(reason: str, message: str, lane: Lane, desk: Desk) -> Ended:
    waiting = lane.head
    letter = DeadLetter(
        id=f"{waiting.event_id}-{waiting.run.rule}",
        kind="run",
        reason=reason,
        message=message,
        source=lane.name.partition("/")[0],
        at=desk.now(),
        rule=waiting.run.rule,
        lane=lane.name,
        event_id=waiting.event_id,
        occurred_at=waiting.run.occurred_at,
        run_key=waiting.run.key,
        member=waiting.member,
    )
    return Ended("dead", reason, message, letter)
