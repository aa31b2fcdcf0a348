"""Lanes: claim them by lease, record what their runs did, let go of them. What workers live on.

Every function raises LeaseLost when the lane is no longer this worker's, in which case nothing was written.
"""

import itertools
import time
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from service.errors import LeaseLost
from service.model import Admission, Asking
from service.store import keys, tickets
from service.store.connection import Store
from service.store.options import TALLY_MS
from service.store.pace import admission, question
from service.store.records import DeadLetter, Lane, StepRecord, Waiting, encode, waiting
from service.store.rounds import Items

_HOLDING = [keys.READY, keys.LEASES, keys.OWNERS]
_NO_QUESTION: tuple[list[str], list[Any], list[Any]] = ([keys.ACCOUNT, keys.ACCOUNTS], [""] * 4, [""] * 3)


class Busy(Struct, frozen=True):
    """Another lane writes to the same record just now; its hold ends at `until` (server time, ms) at the latest."""

    until: int


class Begun(Struct, frozen=True):
    """What may be written of what was asked for. `admission`: whether Sakari may be called now, if that was asked."""

    allowed: frozenset[str]
    admission: Admission | None = None

    @property
    def held(self) -> bool:
        """Whether the record is held: only by who goes on to write."""
        return bool(self.allowed) and (self.admission is None or self.admission.verdict != "later")


class Notes(Struct):
    """What is to be recorded of a run at the next occasion: several things in one call."""

    fields: dict[str, Any] = {}
    """Ledger field -> value."""
    held: str = ""
    """The Sakari record that this run holds (see `begin`); recording lets go of it."""
    wrote: dict[str, int] = {}
    """The attributes of it that were set -> occurred_at of their values: their fences rise to that."""
    shared: dict[str, StepRecord] = {}
    """Run key -> its only step, for runs further back in the lane whose write was made together with this run's."""

    def clear(self) -> None:
        """Forget everything: it has been recorded."""
        self.fields, self.held, self.wrote, self.shared = {}, "", {}, {}


class Swept(Struct, frozen=True):
    """What a sweep found. `oldest_ms`: for how long the oldest due lane has been waiting."""

    recovered: int
    rung: int
    due: int
    oldest_ms: int


async def claim(store: Store, most: int) -> list[Lane]:
    """Take up to `most` due lanes. Each comes with its first run."""
    asked = time.monotonic()
    args = ["", store.options.lease_ms, most, keys.LANE, keys.RUN]
    taken = await store.run("claim", [*_HOLDING, keys.LEASE_NUMBER], args)
    until = asked + store.options.lease_ms / 1000
    return [
        Lane(name=name.decode(), number=number.decode(), until=until, head=_head(name.decode(), head))
        for name, number, head in taken
    ]


async def renew(store: Store, lanes: Sequence[Lane]) -> set[str]:
    """Extend the leases of these lanes, and their holds on records; the names of those that were lost come back."""
    if not lanes:
        return set()
    asked, options = time.monotonic(), store.options
    args: list[Any] = ["", options.lease_ms, options.hold_ms]
    for lane in lanes:
        args += (lane.name, lane.number, keys.FENCE + lane.holding if lane.holding else "")
    lost = {name.decode() for name in await store.run("renew", _HOLDING[1:], args)}
    for lane in lanes:
        if lane.name not in lost:
            lane.until = asked + store.options.lease_ms / 1000
    return lost


async def followers(store: Store, lane: Lane, most: int) -> list[Waiting]:
    """Look at the runs behind the one at hand, in order, as far as nothing has been done for them yet.

    Older runs may have arrived in front of it since it was handed out: they are no followers, and keep their turn.
    """
    found = await store.redis.zrange(keys.LANE + lane.name, 0, most, withscores=True)
    behind = itertools.dropwhile(lambda pair: pair[0] != lane.head.member, found)
    runs = [waiting(lane.name, member, int(at), []) for member, at in itertools.islice(behind, 1, None)]
    async with store.redis.pipeline(transaction=False) as pipe:
        for run in runs:
            pipe.exists(keys.RUN + run.run.key)
        begun = await pipe.execute() if runs else []
    fresh = itertools.takewhile(lambda pair: not pair[1] and not pair[0].unreadable, zip(runs, begun, strict=True))
    return [run for run, _ in fresh]


async def begin(
    store: Store,
    lane: Lane,
    record: str,
    attributes: Mapping[str, int],
    pending: tuple[int, StepRecord] | None,
    asking: Asking | None = None,
) -> Busy | Begun:
    """Ask which attributes (name -> occurred_at) of a Sakari record may be written, and hold the record for that.

    `pending` marks a step in the ledger before its call, for actions that must not be repeated blindly. `asking`: also ask
    to be let in to Sakari if anything may be written; who is to come later holds nothing, and nothing is marked.
    """
    run, options = lane.head.run, store.options
    field, value = (f"step:{pending[0]}", encode(pending[1])) if pending else ("", b"")
    accounts, terms, who = question(asking) if asking else _NO_QUESTION
    [answer] = await store.join(
        "begin",
        [*_HOLDING[1:], *accounts],
        ["", options.hold_ms, options.fence_ms, options.ledger_ms, keys.FENCE, keys.RUN, *terms],
        Items(
            [lane.name, lane.number, record, run.key, field, value, *who, len(attributes)]
            + [part for pair in attributes.items() for part in pair],
            1,
        ),
    )
    if answer[0] == b"lost":
        raise LeaseLost(lane.name)
    if answer[0] == b"busy":
        return Busy(int(answer[1]))
    _, told, *allowed = answer
    begun = Begun(frozenset(name.decode() for name in allowed), admission(told) if told else None)
    lane.holding = record if begun.held else ""
    return begun


async def save(store: Store, lane: Lane, notes: Notes) -> None:
    """Record what a run did so far, and go on with it."""
    await _record(store, lane, notes, after="stay")


async def end_run(store: Store, lane: Lane, notes: Notes, letter: DeadLetter | None = None) -> bool:
    """End the lane's first run, as a dead letter if one is given.

    True if `lane.head` is now another run to do; False if the lane is empty and its lease has ended.
    """
    following = await _record(store, lane, notes, after="next", remove=lane.head.member, letter=letter)
    if following is None:
        return False
    lane.head = following
    return True


async def let_go(store: Store, lane: Lane, notes: Notes, *, due: int) -> None:
    """Give the lane back with its first run still to do, from `due` (ms) on."""
    await _record(store, lane, notes, after=str(due))


async def sweep(store: Store, *, most: int = 1000) -> Swept:
    """Return lanes whose lease ran out to ready, and ring for whatever is due."""
    args = ["", keys.LANE, most, *tickets.bell(store), store.options.late_ms]
    return Swept(*await store.run("sweep", [*_HOLDING, tickets.QUEUE], args))


async def _record(
    store: Store,
    lane: Lane,
    notes: Notes,
    *,
    after: str,
    remove: bytes = b"",
    letter: DeadLetter | None = None,
) -> Waiting | None:
    run, options = lane.head.run, store.options
    if notes.held:
        lane.holding = ""
    # What lay dead until a person retried it says nothing of how long runs take.
    since = "" if lane.head.record.retried_at else lane.head.event_id.partition("-")[0]
    prefixes = (keys.LANE, keys.RUN, keys.FENCE, keys.DEAD_LETTER)
    [answer] = await store.join(
        "record",
        [*_HOLDING, keys.DEAD],
        ["", *prefixes, options.ledger_ms, keys.TALLY, TALLY_MS],
        Items(
            [lane.name, lane.number, after, run.key, remove, since]
            + [letter.id if letter else "", encode(letter) if letter else b"", notes.held]
            + [len(notes.fields), len(notes.shared), len(notes.wrote)]
            + [part for pair in notes.fields.items() for part in pair]
            + [part for key, step in notes.shared.items() for part in (key, encode(step))]
            + [part for pair in notes.wrote.items() for part in pair],
            1,
        ),
    )
    if answer[0] == b"lost":
        raise LeaseLost(lane.name)
    return _head(lane.name, answer[1]) if len(answer) > 1 else None


def _head(lane: str, raw: list[Any]) -> Waiting:
    member, occurred_at, ledger, behind = raw
    return waiting(lane, member, int(float(occurred_at)), ledger, behind=bool(behind))
