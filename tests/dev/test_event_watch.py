"""What `sluice dev` tells of an event, also after a person has looked at its dead letter."""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator

import pytest
from msgspec import Struct
from rich.console import Console

from service.dev.event_watch import watch_events
from service.store import Store, accept, dead, lanes
from service.store.records import DeadLetter
from tests.store.conftest import NOW, a_plan
from tests.system.conftest import until


class Terminal(Struct, frozen=True):
    """What a person reads, and a worker that does every waiting run in one way."""

    store: Store
    printed: io.StringIO

    async def says(self, text: str, times: int = 1) -> None:
        async def said() -> bool:
            return self.printed.getvalue().count(text) == times

        await until(said)

    async def work(self, state: str) -> None:
        (lane,) = await lanes.claim(self.store, 10)
        letter = DeadLetter(
            id="letter",
            kind="run",
            reason="http_422",
            message="no",
            source="hubspot",
            at=NOW,
            rule="r1",
            lane=lane.name,
            occurred_at=lane.head.run.occurred_at,
            run_key=lane.head.run.key,
            member=lane.head.member,
        )
        notes = lanes.Notes({"state": state, "reason": letter.reason, "message": letter.message})
        await lanes.end_run(self.store, lane, notes, letter if state == "dead" else None)

    async def letter(self) -> DeadLetter:
        (letter,) = await dead.newest(self.store, 10)
        return letter


@pytest.fixture
async def terminal(store: Store) -> AsyncIterator[Terminal]:
    printed = io.StringIO()
    watching = asyncio.create_task(watch_events(store, "0", Console(file=printed, width=200)))
    await accept(store, "hubspot", [a_plan()], [], now=NOW)
    made = Terminal(store, printed)
    await made.work("dead")
    await made.says("✗ r1  dead")
    yield made
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching


async def test_a_retried_run_is_told_again_when_it_has_ended(terminal: Terminal) -> None:
    for end, words, times in (("dead", "✗ r1  dead", 2), ("done", "✓ r1  done", 1)):
        await dead.retry(terminal.store, await terminal.letter(), expires_at=NOW * 2, by="command line")
        await terminal.work(end)
        await terminal.says(words, times)
    assert "retried from the command line" in terminal.printed.getvalue()


async def test_a_dropped_run_is_told_again(terminal: Terminal) -> None:
    await dead.drop(terminal.store, await terminal.letter())
    await terminal.says("r1  dropped")
