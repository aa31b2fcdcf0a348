"""Writes of one lane to one Sakari record that wait together become one call.

An import that touches ten properties of a contact is ten runs in one lane; it should be one write.
"""

from typing import Any

from msgspec import Struct

from service.actions import Action
from service.engine import StepScope, fill_in
from service.errors import StepError
from service.model import DEFAULT_ACCOUNT
from service.store import lanes
from service.store.lanes import Notes
from service.store.records import Lane, StepRecord, Waiting
from service.worker.desk import Desk

MOST = 50
"""How many runs one call may serve."""


class Part(Struct, frozen=True):
    """What one run brings to a write: its arguments, and the attributes that they set."""

    waiting: Waiting
    args: Any
    attributes: tuple[str, ...]


class Write(Struct, frozen=True):
    """One write to one record, made of the parts of one or more runs, oldest first."""

    record: str
    args: Any
    parts: tuple[Part, ...]

    @property
    def attributes(self) -> dict[str, int]:
        """What it sets -> the occurred_at of the value that stands, which is the newest."""
        return {name: part.waiting.run.occurred_at for part in self.parts for name in part.attributes}

    def alone(self) -> "Write":
        """Give the write of the first run only."""
        return Write(self.record, self.parts[0].args, self.parts[:1])

    def standing(self, part: Part, allowed: frozenset[str]) -> bool:
        """Whether any value of this part stands, after the fence and after the parts that are newer."""
        position = self.parts.index(part)
        newer = {name for later in self.parts[position + 1 :] for name in later.attributes}
        return bool(allowed.intersection(part.attributes) - newer)


async def gather(action: Action, args: Any, lane: Lane, account: str, desk: Desk) -> Write | None:
    """Make the write of the lane's first run, together with what the runs behind it write to the same record.

    `account`: the name of the Sakari account; records of different ones are different records. None if the action writes
    nothing. Raises what the action raises for arguments that name no record.
    """
    if action.target is None:
        return None
    target = action.target(args)
    parts = [Part(lane.head, args, target.attributes)]
    if action.merge and lane.head.behind and not lane.apart:
        for waiting in await lanes.followers(desk.store, lane, MOST):
            part = await _part(action, target.record, waiting, account, desk)
            merged = part and action.merge(args, part.args)
            if part is None or merged is None:
                break  # a run in between that does something else keeps its place
            parts.append(part)
            args = merged
    record = target.record if account == DEFAULT_ACCOUNT else f"{account}:{target.record}"
    return Write(record, args, tuple(parts))


async def _part(action: Action, record: str, waiting: Waiting, account: str, desk: Desk) -> Part | None:
    """What a run behind brings to the write, if all it does is write to the same record by the same action."""
    run = waiting.run
    if desk.now() > run.expires_at or action.target is None:
        return None
    try:
        rule = await desk.rules.find(run.ruleset, run.rule)
        scope = StepScope(run.values, {})
        if rule.account != account or len(rule.steps) != 1 or rule.steps[0].do != action.name:
            return None
        if rule.steps[0].applies(scope, desk.now()) is not True:
            return None
        args = fill_in(action, rule.steps[0], scope)
        target = action.target(args)
    except StepError:
        return None  # it will say so itself when its turn comes
    return Part(waiting, args, target.attributes) if target.record == record else None


def settle(write: Write, allowed: frozenset[str], record: StepRecord, superseded: StepRecord, notes: Notes) -> None:
    """Note what the write did for the runs behind the first one; they are ended when their turn comes.

    It is recorded together with what it did for the first: whoever holds the lane by then must not write it again.
    """
    for part in write.parts[1:]:
        notes.shared[part.waiting.run.key] = record if write.standing(part, allowed) else superseded
