"""Trying a rule that is being written on one event: its mistakes, its verdicts, what it would call. Nothing is called."""

import asyncio

import msgspec
from msgspec import Struct

from service.actions import ACTIONS
from service.engine import Problem, RuleSet, load
from service.errors import Malformed
from service.insight.event_of import event_of
from service.insight.verdicts import Explanation, explained
from service.model import Event

MOST_BYTES = 64 * 1024
"""Of a rule text, and of an event."""
FILE = "playground.yaml"
_LONGEST_S = 5.0
_BUSY = asyncio.Semaphore(2)


class Tried(Struct, frozen=True, kw_only=True):
    """What came of trying: the mistakes in the text and, if there is an event to decide about, what its rules make of it."""

    problems: tuple[Problem, ...]
    rules: int
    """How many rules the text holds; those of a text with errors are not asked."""
    explanation: Explanation | None = None
    fault: str = ""
    """Why nothing could be tried, in a sentence; empty if it could."""


async def attempt(text: str, event: Event | None, *, at: int, masked: bool = True) -> Tried:
    """Check a rule text, and ask its rules about an event that came in `at` (ms). In a thread, within bounds."""
    if len(text.encode()) > MOST_BYTES:
        return Tried(problems=(), rules=0, fault=f"the rule text is larger than {MOST_BYTES // 1024} kB")
    if _BUSY.locked():
        return Tried(problems=(), rules=0, fault="others are trying rules just now; try again in a moment")
    async with _BUSY:
        try:
            async with asyncio.timeout(_LONGEST_S):
                return await asyncio.to_thread(_attempt, text, event, at, masked)
        except TimeoutError:
            return Tried(
                problems=(), rules=0, fault="this takes too long to decide; make the rule or the event smaller"
            )


def _attempt(text: str, event: Event | None, at: int, masked: bool) -> Tried:
    loaded = load({FILE: text.encode()}, ACTIONS)
    told = None
    if event is not None and not loaded.broken:
        told = explained(loaded.rule_set, event, at, masked=masked)
    return Tried(problems=loaded.problems, rules=loaded.found, explanation=told)


def event_of_json(text: str) -> Event:
    """An event as `sluice events show --json` prints it, or only its fields. Raises Malformed."""
    if len(text.encode()) > MOST_BYTES:
        raise Malformed(f"the event is larger than {MOST_BYTES // 1024} kB")
    try:
        given = msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise Malformed(f"this is no JSON: {error}") from None
    entry = given.get("entry", {"event": given}) if isinstance(given, dict) else None
    event = entry.get("event") if isinstance(entry, dict) else None
    if not isinstance(event, dict):
        raise Malformed("this is no event: it must be an object with the fields of one")
    return event_of(event)


def text_of(rule_set: RuleSet, rule_id: str) -> str:
    """One rule as a file of its own, as it is written in the file that it stands in."""
    rule = rule_set.by_id[rule_id]
    lines = rule_set.files[rule.file].splitlines()
    starts = sorted(other.line for other in rule_set.rules if other.file == rule.file)
    following = [line for line in starts if line > rule.line]
    end = following[0] - 1 if following else len(lines)
    own = lines[rule.line - 1 : end]
    while own and (not own[-1].strip() or own[-1].lstrip().startswith("#")):
        own.pop()
    return "\n".join(["version: 1", "rules:", *own, ""])
