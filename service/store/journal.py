"""The journal of accepted events, and the ledger of what their runs did: what people look at."""

import re
from collections.abc import AsyncIterator, Sequence

import msgspec
from msgspec import Struct

from service.model import PlanFailure
from service.store import keys
from service.store.connection import Store
from service.store.records import JournalEntry, RunRecord, Waiting, run_record, waiting

_entry = msgspec.msgpack.Decoder(JournalEntry)
_PAGE = 500


class Journalled(Struct, frozen=True):
    """A journal entry under its id (`<ms>-<n>`, given by Redis when it was accepted)."""

    id: str
    entry: JournalEntry


async def read(store: Store, event_id: str) -> Journalled | None:
    """Fetch one event; None if it is not (or no longer) in the journal. Raises ValueError if that is no event id."""
    if not re.fullmatch(r"[0-9]{1,15}-[0-9]{1,10}", event_id):
        raise ValueError(f"`{event_id}` is no event id; they look like 1790000003000-0")
    found = await store.redis.xrange(keys.JOURNAL, min=event_id, max=event_id, count=1)
    return _decoded(*found[0]) if found else None


async def id_of(store: Store, fact_key: str) -> str:
    """Find the event of a fact, as long as its claim is kept; empty if it is not."""
    claim = await store.redis.get(keys.CLAIM + fact_key)
    return claim.decode().partition(" ")[0] if claim else ""


async def back(store: Store, *, before: str = "", since: int = 0, most: int) -> list[Journalled]:
    """Fetch events newest first: those before an event id or an instant (ms), accepted at `since` (ms) or later."""
    if before and not before.strip("0-"):
        return []  # nothing stands before 0-0, and Redis refuses the question
    last = f"({before}" if before else "+"
    return [_decoded(i, f) for i, f in await store.redis.xrevrange(keys.JOURNAL, max=last, min=str(since), count=most)]


async def newest(store: Store, most: int) -> list[Journalled]:
    """Fetch the last accepted events, newest first."""
    return [_decoded(i, f) for i, f in await store.redis.xrevrange(keys.JOURNAL, count=most)]


async def pages(store: Store, *, since: int = 0, until: int | None = None) -> AsyncIterator[list[Journalled]]:
    """Yield the events accepted in a span of time (ms, both ends included), oldest first, a page at a time."""
    first, last = str(since), "+" if until is None else str(until)
    while entries := await store.redis.xrange(keys.JOURNAL, min=first, max=last, count=_PAGE):
        yield [_decoded(entry_id, fields) for entry_id, fields in entries]
        first = "(" + entries[-1][0].decode()


async def follow(store: Store, *, after: str) -> AsyncIterator[Journalled]:
    """Yield events as they are accepted, from `after` (an id, `0` for the beginning, `$` for now) on, without end."""
    while True:
        for _, entries in await store.redis.xread({keys.JOURNAL: after}, count=100, block=1000):
            for entry_id, fields in entries:
                after = entry_id.decode()
                yield _decoded(entry_id, fields)


class Story(Struct, frozen=True):
    """An event with everything that came of it so far."""

    id: str
    entry: JournalEntry
    runs: dict[str, RunRecord]
    """Rule id -> what its run did, those that a replay added too."""
    replayed: dict[str, str] = {}
    """Rule id -> version of the rule set, for the runs that a replay added."""
    behind: dict[str, Waiting] = {}
    """Rule id -> the run that its lane is at, for runs that wait behind another one; only `story` looks for it."""

    @property
    def states(self) -> dict[str, str]:
        """Rule id -> what came of it, for every rule that matched: a run's state, `shadow` or `failed`."""
        return {
            **{rule: run.state for rule, run in self.runs.items()},
            **dict.fromkeys(self.shadowed, "shadow"),
            **{failure.rule: "failed" for failure in self.failures},
        }

    @property
    def shadowed(self) -> tuple[str, ...]:
        """Rules in `mode: shadow` that matched, but for those that were replayed since."""
        return tuple(rule for rule in self.entry.shadowed if rule not in self.runs)

    @property
    def failures(self) -> tuple[PlanFailure, ...]:
        """Rules whose run could not be planned, but for those that were replayed since."""
        return tuple(failure for failure in self.entry.failures if failure.rule not in self.runs)

    @property
    def ended(self) -> bool:
        """True once nothing more will happen without a person."""
        return all(run.ended for run in self.runs.values())


async def story(store: Store, event: Journalled) -> Story:
    """Fetch what came of an event."""
    fact, added = event.entry.event.fact_key, await replayed(store, event.id)
    runs = {rule: await ledger(store, f"{fact}/{rule}") for rule in dict.fromkeys((*event.entry.runs, *added))}
    told = Story(event.id, event.entry, runs, added)
    return told if told.ended else msgspec.structs.replace(told, behind=await _behind(store, told))


async def _behind(store: Store, told: Story) -> dict[str, Waiting]:
    event = told.entry.event
    first = await store.redis.zrange(keys.LANE + event.lane, 0, 0, withscores=True)
    if not first:
        return {}
    member, occurred_at = first[0]
    run_key = member.split(b" ", 2)[1].decode()
    at = waiting(event.lane, member, int(occurred_at), _flat(await store.mapping(keys.RUN + run_key)))
    return {rule: at for rule, run in told.runs.items() if not run.ended and f"{event.fact_key}/{rule}" != run_key}


async def stories(store: Store, events: Sequence[Journalled]) -> list[Story]:
    """Fetch what came of several events, in two round trips."""
    async with store.redis.pipeline(transaction=False) as pipe:
        for event in events:
            pipe.hgetall(keys.REPLAYED + event.id)
        replays = await pipe.execute() if events else []
        added = [{rule.decode(): version.decode() for rule, version in one.items()} for one in replays]
        wanted = [
            (event, tuple(dict.fromkeys((*event.entry.runs, *more)))) for event, more in zip(events, added, strict=True)
        ]
        for event, rules in wanted:
            for rule in rules:
                pipe.hgetall(f"{keys.RUN}{event.entry.event.fact_key}/{rule}")
        ledgers = iter(await pipe.execute() if any(rules for _, rules in wanted) else [])
    return [
        Story(event.id, event.entry, {rule: _ledger(next(ledgers)) for rule in rules}, more)
        for (event, rules), more in zip(wanted, added, strict=True)
    ]


async def replayed(store: Store, event_id: str) -> dict[str, str]:
    """Fetch which runs a replay added to an event: rule id -> version of the rule set."""
    added = await store.mapping(keys.REPLAYED + event_id)
    return {rule.decode(): version.decode() for rule, version in added.items()}


async def ledger(store: Store, run_key: str) -> RunRecord:
    """Fetch what a run did so far; a run without a ledger is waiting."""
    return _ledger(await store.mapping(keys.RUN + run_key))


def _ledger(fields: dict[bytes, bytes]) -> RunRecord:
    return run_record(_flat(fields))


def _flat(fields: dict[bytes, bytes]) -> list[bytes]:
    return [part for pair in fields.items() for part in pair]


def _decoded(entry_id: bytes, fields: dict[bytes, bytes]) -> Journalled:
    return Journalled(entry_id.decode(), _entry.decode(fields[b"e"]))
