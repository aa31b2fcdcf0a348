"""One step of a run: does it apply, what are its arguments, what does the fence allow, call, note what happened."""

import time
from typing import Any

import msgspec
from msgspec import Struct

from service.actions import Action, Target
from service.engine import Rule, Step, StepScope
from service.errors import LeaseLost, Permanent, Retryable, SluiceError, StepError, Uncertain
from service.store import lanes
from service.store.lanes import Busy, Notes
from service.store.records import Lane, StepRecord, encode
from service.worker.desk import Desk, bounded

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

    @property
    def scope(self) -> StepScope:
        """Where the steps' conditions and templates find their values."""
        return StepScope(self.lane.head.run.values, self.results)


async def take(step: Step, attempt: Attempt, desk: Desk) -> StepRecord:
    """Do one step, unless an earlier attempt did it already. Raises StepError, RecordBusy, LeaseLost."""
    record = attempt.lane.head.record.steps.get(step.index)
    if record is None or record.state in ("pending", "failed"):
        try:
            record = await _do(step, attempt, desk, begun=record is not None and record.state == "pending")
        except StepError as error:
            # This attempt has ended, so the next one may call again; only one that was cut short leaves `pending`.
            failed = StepRecord(state="failed", at=desk.now(), reason=error.reason, message=str(error))
            attempt.notes.fields[f"step:{step.index}"] = encode(failed)
            raise
        attempt.notes.fields[f"step:{step.index}"] = encode(record)
    if step.name and record.state == "done":
        attempt.results[step.name] = record.result
    return record


async def _do(step: Step, attempt: Attempt, desk: Desk, *, begun: bool) -> StepRecord:
    action, started = desk.actions[step.do], desk.now()
    if step.applies(attempt.scope, started) is not True:
        return StepRecord(state="skipped", at=started, reason="condition")
    if begun and not action.sets_values:
        raise Uncertain(
            "begun_before", f"an earlier attempt at `{step.do}` was cut short; nobody knows how far it came"
        )
    args = fill_in(action, step, attempt.scope)
    target = action.target(args) if action.target else None
    if target is None and not action.sets_values:  # with a target, the fence notes it
        attempt.notes.fields[f"step:{step.index}"] = encode(StepRecord(state="pending", at=started))
    await _note_before_calling(attempt, desk)
    allowed = await _ask_fence(target, action, step, attempt, desk) if target else frozenset()
    if target and not allowed:
        return StepRecord(state="superseded", at=started, reason="newer_fact")
    if target and action.only and len(allowed) < len(target.attributes):
        args = action.only(args, allowed)
    record = await _call(action, args, step, attempt, desk, started)
    attempt.notes.wrote = tuple(allowed)
    return record


async def _call(action: Action, args: Any, step: Step, attempt: Attempt, desk: Desk, started: int) -> StepRecord:
    if time.monotonic() > attempt.lane.until - _LEASE_MARGIN_S:
        raise LeaseLost(attempt.lane.name)  # a process that was paused must not write after another one took over
    clock = time.perf_counter()
    try:
        result = await action.run(args, desk.sakari)
    except Uncertain as error:
        if action.sets_values:
            raise Retryable(error.reason, f"{error}; repeating it is harmless, since it only sets values") from error
        raise
    return StepRecord(
        state="done",
        at=started,
        took_ms=round((time.perf_counter() - clock) * 1000),
        result=_used_later(result.value, step, attempt.rule),
        args=bounded(args, _KEPT_BYTES),
        answer=bounded(result.answer, _KEPT_BYTES),
    )


def fill_in(action: Action, step: Step, scope: StepScope) -> Any:
    """Resolve a step's templates into the action's arguments. Raises Permanent if they do not fit."""
    try:
        return msgspec.convert(step.resolve(scope), action.args, strict=False)
    except msgspec.ValidationError as error:
        where = str(error).rpartition(" - at ")[2]  # the rest of the message may quote the value
        raise Permanent("bad_arguments", f"`{step.do}` cannot use what the rule gives it at {where}") from None


async def _note_before_calling(attempt: Attempt, desk: Desk) -> None:
    """Make sure of the steps before this one: from here on, a crash must not repeat them."""
    if attempt.notes.fields:
        await lanes.save(desk.store, attempt.lane, attempt.notes)
        attempt.notes.clear()


async def _ask_fence(target: Target, action: Action, step: Step, attempt: Attempt, desk: Desk) -> frozenset[str]:
    pending = None if action.sets_values else (step.index, StepRecord(state="pending", at=desk.now()))
    answer = await lanes.begin(desk.store, attempt.lane, target.record, target.attributes, pending)
    if isinstance(answer, Busy):
        raise RecordBusy(target.record)
    if answer:
        attempt.notes.held = target.record
    return answer


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
        into[word] = source[word]
