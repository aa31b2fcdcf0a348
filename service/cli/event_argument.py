"""Which event a command is about: one of the journal, a fixture, or a JSON file."""

import re
from pathlib import Path
from typing import Any

import msgspec
import rich_click as click
from msgspec import Struct

from service.cli.command import now_ms, opened
from service.dev import samples
from service.errors import Malformed
from service.insight.event_of import event_of
from service.model import Event, Misfit
from service.sources import SOURCES
from service.store import journal

_ID = re.compile(r"\d+-\d+")


class Meant(Struct, frozen=True, kw_only=True):
    """An event to look at."""

    event: Event
    at: int
    """When it came in (ms): what conditions on dates are seen from."""
    id: str = ""
    """Its id in the journal, if it is from there."""
    ruleset: str = ""
    """The version of the rule set that decided about it, if one has."""


async def meant(text: str, fixtures: Path) -> tuple[list[Meant], tuple[Misfit, ...]]:
    """The events that an argument stands for: a journal id, `SOURCE/FIXTURE`, a JSON file, or `-` for standard input.

    A fixture may hold several, and some that made no sense. Raises click.UsageError.
    """
    if _ID.fullmatch(text):
        return [await _journalled(text)], ()
    source, slash, fixture = text.partition("/")
    if slash and source in SOURCES:
        return _fixture(fixtures, source, fixture)
    if text == "-" or Path(text).is_file():
        return _file(text), ()
    raise click.UsageError(
        f"`{text}` is no event: give a journal id (see `sluice events list`), SOURCE/FIXTURE (a source is one of"
        f" {', '.join(SOURCES)}), or a JSON file as `sluice events show --json` prints it"
    )


async def _journalled(event_id: str) -> Meant:
    async with opened() as store:
        try:
            found = await journal.read(store, event_id)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    if found is None:
        raise click.ClickException(f"there is no event {event_id} in the journal (any more)")
    entry = found.entry
    return Meant(event=entry.event, at=entry.received_at, id=found.id, ruleset=entry.ruleset)


def _fixture(fixtures: Path, source: str, name: str) -> tuple[list[Meant], tuple[Misfit, ...]]:
    now = now_ms()
    try:
        found = samples.normalised(samples.find(fixtures, source, name), now)
    except (FileNotFoundError, Malformed) as error:
        raise click.UsageError(str(error)) from None
    return [Meant(event=event, at=now) for event in found.events], found.misfits


def _file(path: str) -> list[Meant]:
    """Read what `sluice events show --json` prints, or a list of that, or only the event of it."""
    try:
        with click.open_file(path, "rb") as file:
            read = msgspec.json.decode(file.read())
        return [_of_json(one) for one in (read if isinstance(read, list) else [read])]
    except (OSError, msgspec.DecodeError, Malformed) as error:
        raise click.UsageError(f"{path}: {error}") from None


def _of_json(given: Any) -> Meant:
    entry = given.get("entry", {}) if isinstance(given, dict) else None
    if not isinstance(entry, dict):
        raise Malformed("this is no event")
    event = event_of(entry.get("event", given))
    at = entry.get("received_at")
    return Meant(event=event, at=at if isinstance(at, int) else now_ms())
