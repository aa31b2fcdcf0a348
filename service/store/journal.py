"""The journal of accepted events, and the ledger of what their runs did: what people look at."""

from collections.abc import AsyncIterator

import msgspec
from msgspec import Struct

from service.store import keys
from service.store.records import JournalEntry, RunRecord, run_record
from service.store.connection import Store

_entry = msgspec.msgpack.Decoder(JournalEntry)


class Journalled(Struct, frozen=True):
    """A journal entry under its id (`<ms>-<n>`, given by Redis when it was accepted)."""

    id: str
    entry: JournalEntry


async def read(store: Store, event_id: str) -> JournalEntry | None:
    """Fetch one event; None if it is not (or no longer) in the journal."""
    found = await store.redis.xrange(keys.JOURNAL, min=event_id, max=event_id, count=1)
    return _entry.decode(found[0][1][b"e"]) if found else None


async def newest(store: Store, most: int) -> list[Journalled]:
    """Fetch the last accepted events, newest first."""
    return [_decoded(i, f) for i, f in await store.redis.xrevrange(keys.JOURNAL, count=most)]


async def follow(store: Store, *, after: str) -> AsyncIterator[Journalled]:
    """Yield events as they are accepted, from `after` (an id, `0` for the beginning, `$` for now) on, without end."""
    while True:
        for _, entries in await store.redis.xread({keys.JOURNAL: after}, count=100, block=1000):
            for entry_id, fields in entries:
                after = entry_id.decode()
                yield _decoded(entry_id, fields)


async def ledger(store: Store, run_key: str) -> RunRecord:
    """Fetch what a run did so far; a run without a ledger is waiting."""
    fields = await store.redis.hgetall(keys.RUN + run_key)
    return run_record([part for pair in fields.items() for part in pair])


def _decoded(entry_id: bytes, fields: dict[bytes, bytes]) -> Journalled:
    return Journalled(entry_id.decode(), _entry.decode(fields[b"e"]))
