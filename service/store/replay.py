"""Replaying: adding runs to events that were accepted before. A run key that is known is never added twice."""

import asyncio
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from service.model import Run
from service.store import journal, keys, tickets
from service.store.accept import rule_letter_id
from service.store.connection import Store
from service.store.journal import Journalled
from service.store.records import RunRecord, encode


class Addition(Struct, frozen=True, kw_only=True):
    """A run to add to an event."""

    event_id: str
    fact_key: str
    run: Run
    instead_of: RunRecord | None = None
    """The ledger of the dead run that it replaces, as it was seen."""


class Known(Struct, frozen=True, kw_only=True):
    """What is known of an event's runs."""

    planned: frozenset[str]
    """Rules that have, or had, a run for it: planned when it came in, or by a replay."""
    ledgers: dict[str, RunRecord]
    """Rule id -> ledger, for the rules that were asked for and have one."""


async def known(store: Store, event: Journalled, rules: Sequence[str]) -> Known:
    """Fetch what is known of the runs of these rules for an event."""
    fact = event.entry.event.fact_key
    found = {rule: await journal.ledger(store, f"{fact}/{rule}") for rule in rules}
    added = await journal.replayed(store, event.id)
    return Known(
        planned=frozenset((*event.entry.runs, *added)),
        ledgers={rule: ledger for rule, ledger in found.items() if ledger != RunRecord()},
    )


async def add(store: Store, additions: Sequence[Addition]) -> list[bool]:
    """Add runs to their lanes, each atomically with a look whether its key is known: False if it was, and nothing was done.

    They are as durable as accepted deliveries. Raises RedisError if Redis did not confirm that; adding them again is safe.
    """
    answers = await asyncio.gather(
        *(store.run("replay", _keys(each), _arguments(store, each), durably=True) for each in additions)
    )
    return [bool(answer) for answer in answers]


def _keys(addition: Addition) -> list[str]:
    run = addition.run
    own = [keys.LANE + run.lane, keys.RUN + run.key, keys.REPLAYED + addition.event_id]
    return [keys.READY, keys.OWNERS, keys.DEAD, tickets.QUEUE, *own]


def _arguments(store: Store, addition: Addition) -> list[Any]:
    run, replaced = addition.run, addition.instead_of
    return [
        *("", run.lane, run.occurred_at, addition.event_id, run.key, encode(run), run.rule, run.ruleset),
        *(store.options.ruleset_ms, replaced.ended_at if replaced else "", keys.DEAD_LETTER),
        *(f"{addition.event_id}-{run.rule}", rule_letter_id(addition.fact_key, run.rule)),
        *tickets.bell(store),
    ]
