"""One step of a run: does it apply, what are its arguments, what does the fence allow, call, note what happened."""

import time
from typing import Any

from msgspec import Struct

from service.actions import Action
from service.engine import Rule, Step, StepScope, fill_in
from service.errors import LeaseLost, Permanent, Retryable, SluiceError, StepError, Uncertain
from service.observe import traces
from service.observe.metrics import STEPS, of
from service.sakari.client import Sakari
from service.sakari.gate import Caller
from service.store import lanes
from service.store.bounds import bounded, storable
from service.store.lanes import Busy, Notes
from service.store.records import Lane, StepRecord, encode
from service.worker import merge
from service.worker.desk import Desk
from service.worker.merge import Write

_KEPT_BYTES = 4096
_LEASE_MARGIN_S = 1.0


class RecordBusy(SluiceError):
    """Another lane is writing to the same Sakari record; it will be done in a moment."""


class Attempt(Struct):
    """One go at a run: what is known so far, and what is to be noted at the next occasion."""

    lane: Lane
    rule: Rule
    notes: Notes
    results: dict[str, Any]
    """Step name -> its result, for the steps after it."""
    sakari: Sakari
    """The account that the rule names."""
    caller: Caller
    args: Any = None
    """The arguments of the step that is being done, once they are known."""

    @property
    def scope(self) -> StepScope:
        """Where the steps' conditions and templates find their values."""
        return StepScope(self.lane.head.run.values, self.results)


async def take(step: Step, attempt: Attempt, desk: Desk) -> StepRecord:
    """Do one step, unless it has been done already. Raises StepError, RecordBusy, LeaseLost."""
    head = attempt.lane.head
    record = head.record.steps.get(step.index)
    if record is None or not record.taken:
        attempt.args = None
        try:
            with traces.step(step.index, step.do) as span:
                record = await _do(step, attempt, desk, begun=record is not None and record.state == "pending")
                span.set("sluice.outcome", record.state)
        except StepError as error:
            of(STEPS, step.do, "put_off" if _put_off(error) else type(error).__name__.lower()).inc()
            if _put_off(error) and desk.actions[step.do].sets_values:
                raise  # nothing was noted before the call, so nothing has to be taken back
            # This attempt has ended, so the next one may call again; only one that was cut short leaves `pending`.
            failed = StepRecord(
                state="failed",
                at=desk.now(),
                reason=error.reason,
                message=str(error),
                args=bounded(attempt.args, _KEPT_BYTES),
                answer=bounded(error.answer, _KEPT_BYTES),
                do=step.do,
            )
            attempt.notes.fields[f"step:{step.index}"] = encode(failed)
            raise
        of(STEPS, step.do, record.state).inc()
        attempt.notes.fields[f"step:{step.index}"] = encode(record)
    if step.name and record.state == "done":
        attempt.results[step.name] = record.result
    return record


def _put_off(error: StepError) -> bool:
    return isinstance(error, Retryable) and error.due is not None


async def _do(step: Step, attempt: Attempt, desk: Desk, *, begun: bool) -> StepRecord:
    action, started = desk.actions[step.do], desk.now()
    if step.applies(attempt.scope, started) is not True:
        return StepRecord(state="skipped", at=started, reason="condition", do=step.do)
    if begun and not action.sets_values:
        raise Uncertain(
            "begun_before", f"an earlier attempt at `{step.do}` was cut short; nobody knows how far it came"
        )
    attempt.args = args = fill_in(action, step, attempt.scope, desk.region)
    if action.target is None and not action.sets_values:  # with a target, the fence notes it
        attempt.notes.fields[f"step:{step.index}"] = encode(StepRecord(state="pending", at=started, do=step.do))
    await _note_before_calling(attempt, desk)
    write = await merge.gather(action, args, attempt.lane, attempt.rule.account, desk)
    if write is None:
        return await _call(action, args, step, attempt, started)
    for part in write.parts[1:]:
        traces.link(part.waiting.run.traceparent)
    return await _write(action, write, step, attempt, desk, started)


async def _write(action: Action, write: Write, step: Step, attempt: Attempt, desk: Desk, started: int) -> StepRecord:
    """Ask the fence, write what it allows, and note what that did for each run that had a part in it."""
    superseded = StepRecord(state="superseded", at=started, reason="newer_fact", do=step.do)
    allowed = await _ask_fence(write, action, step, attempt, desk)
    record = superseded
    if allowed:
        whole = len(allowed) == len(write.attributes)
        args = write.args if whole or action.only is None else action.only(write.args, allowed)
        try:
            record = await _call(action, args, step, attempt, started)
        except Permanent:
            if len(write.parts) == 1:
                raise
            attempt.lane.apart = True
            return await _write(action, write.alone(), step, attempt, desk, started)
        attempt.notes.wrote = {name: at for name, at in write.attributes.items() if name in allowed}
    merge.settle(write, allowed, record, superseded, attempt.notes)
    for shared in attempt.notes.shared.values():
        of(STEPS, step.do, shared.state).inc()
    return record if write.standing(write.parts[0], allowed) else superseded


async def _call(action: Action, args: Any, step: Step, attempt: Attempt, started: int) -> StepRecord:
    def check_lease() -> None:
        if time.monotonic() > attempt.lane.until - _LEASE_MARGIN_S:
            raise LeaseLost(attempt.lane.name)  # a process that was paused must not write after another one took over

    check_lease()
    clock = time.perf_counter()
    try:
        result = await action.run(args, attempt.sakari.guarded(check_lease, attempt.caller))
    except Uncertain as error:
        if action.sets_values:
            message = f"{error}; repeating it is harmless, since it only sets values"
            again = Retryable(error.reason, message, due=error.due)
            again.answer = error.answer
            raise again from error
        raise
    return StepRecord(
        state="done",
        at=started,
        took_ms=round((time.perf_counter() - clock) * 1000),
        result=_used_later(result.value, step, attempt.rule),
        args=bounded(args, _KEPT_BYTES),
        answer=bounded(result.answer, _KEPT_BYTES),
        do=step.do,
    )


async def _note_before_calling(attempt: Attempt, desk: Desk) -> None:
    """Make sure of the steps before this one: from here on, a crash must not repeat them."""
    if attempt.notes.fields:
        await lanes.save(desk.store, attempt.lane, attempt.notes)
        attempt.notes.clear()


async def _ask_fence(write: Write, action: Action, step: Step, attempt: Attempt, desk: Desk) -> frozenset[str]:
    pending = None if action.sets_values else (step.index, StepRecord(state="pending", at=desk.now(), do=step.do))
    asking = attempt.sakari.asking(attempt.caller)
    answer = await lanes.begin(desk.store, attempt.lane, write.record, write.attributes, pending, asking)
    if isinstance(answer, Busy):
        raise RecordBusy
    attempt.caller.told = answer.admission
    if answer.held:
        attempt.notes.held = write.record
    return answer.allowed


def _used_later(value: dict[str, Any], step: Step, rule: Rule) -> dict[str, Any]:
    """Keep of a result only what the rule's later steps use: a campaign's executions may be a hundred thousand."""
    kept: dict[str, Any] = {}
    for path in {path for later in rule.steps[step.index + 1 :] for path in later.results}:
        name, *words = path.split(".")
        if name == step.name and words:
            _copy(value, kept, words)
    return kept


def _copy(source: Any, into: dict[str, Any], words: list[str]) -> None:
    """Copy the value at a path from one tree into another, if it is there."""
    word, *rest = words
    if not isinstance(source, dict) or word not in source:
        return
    if rest and isinstance(source[word], dict):
        _copy(source[word], into.setdefault(word, {}), rest)
    elif not rest:
        into[word] = storable(source[word])
