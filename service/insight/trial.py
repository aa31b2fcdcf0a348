"""Trying a rule that is being written on one event: its mistakes, its verdicts, what it would call. Nothing is called.

A rule text comes from whoever may look, and can ask more questions than anybody would wait for. So it is tried in a process
of its own, which gets so many seconds of a processor and so much memory, and is then ended by the kernel: a thread could
not be ended at all. What it says is read up to a limit.
"""

import asyncio
import contextlib
import resource
import sys
from pathlib import Path

import msgspec
from msgspec import Struct

from service.actions import ACTIONS
from service.engine import Problem, RuleSet, load
from service.errors import Malformed
from service.insight.event_of import event_of
from service.insight.verdicts import Explanation, explained
from service.model import Event
from service.sources.payload import decode

MOST_BYTES = 64 * 1024
"""Of a rule text, and of an event."""
FILE = "playground.yaml"
MOST_RESULT = 1024 * 1024
"""Bytes of what a trial says."""
MOST_MEMORY = 96 * 1024 * 1024
"""Bytes of data in the process of a trial, which begins with 40 MB of them. Two such processes fit beside an ingress into the
384 MiB that its pod has (deploy/kubernetes/base/ingress.yaml)."""
MOST_S = 5
"""Seconds of a processor for one trial; starting takes half of one."""
_LONGEST_S = 30.0
"""Seconds, for a machine that gives its processes little."""
_TURN_S = 10.0
_AT_ONCE = asyncio.Semaphore(2)
_HERE = Path(__file__).parents[2]


class Trial(Struct, frozen=True, kw_only=True):
    """What the process is to try."""

    text: str
    event: Event | None
    at: int
    """When the event came in (ms)."""
    masked: bool
    most_s: int


class Tried(Struct, frozen=True, kw_only=True):
    """What came of trying: the mistakes in the text and, if there is an event to decide about, what its rules make of it."""

    problems: tuple[Problem, ...]
    rules: int
    """How many rules the text holds; those of a text with errors are not asked."""
    explanation: Explanation | None = None
    fault: str = ""
    """Why nothing could be tried, in a sentence; empty if it could."""


_trial, _tried = msgspec.msgpack.Decoder(Trial), msgspec.msgpack.Decoder(Tried)


async def attempt(text: str, event: Event | None, *, at: int, masked: bool = True, most_s: int = MOST_S) -> Tried:
    """Check a rule text, and ask its rules about an event that came in `at` (ms), for `most_s` seconds at most."""
    if len(text.encode(errors="replace")) > MOST_BYTES:
        return _not_tried(f"the rule text is larger than {MOST_BYTES // 1024} kB")
    trial = Trial(text=text, event=event, at=at, masked=masked, most_s=most_s)
    try:
        async with asyncio.timeout(_TURN_S):
            await _AT_ONCE.acquire()
    except TimeoutError:
        return _not_tried("others are trying rules just now; try again in a moment")
    try:
        said = await _in_a_process(msgspec.msgpack.encode(trial, enc_hook=str))
    finally:
        _AT_ONCE.release()
    if said is None:
        return _TOO_MUCH
    if len(said) > MOST_RESULT:
        return _TOO_LARGE
    return _tried.decode(said)


def tried(text: str, event: Event | None, at: int, *, masked: bool = True) -> Tried:
    """The same here and now, however long it takes."""
    loaded = load({FILE: text.encode(errors="replace")}, ACTIONS)
    told = None
    if event is not None and not loaded.broken:
        told = explained(loaded.rule_set, event, at, masked=masked)
    return Tried(problems=loaded.problems, rules=loaded.found, explanation=told)


def _not_tried(fault: str) -> Tried:
    return Tried(problems=(), rules=0, fault=fault)


_TOO_LARGE = _not_tried("the result is too large to show; make the rule or the event smaller")
_TOO_MUCH = _not_tried("this takes too long, or too much memory, to decide; make the rule or the event smaller")


async def _in_a_process(trial: bytes) -> bytes | None:
    """What a process that runs this file says of a trial, or too much; None if it had to be ended first.

    Raises RuntimeError if it broke. What it says of that is thrown away, since it may repeat personal data.
    """
    pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__), cwd=_HERE, stdin=pipe, stdout=pipe, stderr=nowhere
    )
    said = None
    try:
        async with asyncio.timeout(_LONGEST_S):
            said = await _exchange(process, trial)
            if len(said) <= MOST_RESULT:
                await process.wait()
    except TimeoutError:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()  # what still stands in the pipe, without which its end would not be noticed
    code = process.returncode or 0
    if code > 0:
        raise RuntimeError(f"trying a rule broke with exit code {code}; `sluice rules lint` of that rule may say more")
    return said if code == 0 or (said and len(said) > MOST_RESULT) else None


async def _exchange(process: asyncio.subprocess.Process, trial: bytes) -> bytes:
    """Tell a process its trial, and read what it says: all of it, or a byte more than is wanted."""
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    with contextlib.suppress(ConnectionError):  # it may be gone already: its exit code tells why
        process.stdin.write(trial)
        await process.stdin.drain()
    process.stdin.close()
    try:
        return await process.stdout.readexactly(MOST_RESULT + 1)
    except asyncio.IncompleteReadError as whole:
        return whole.partial


def _try() -> None:
    """Read a trial, say what came of it. More processor time than allowed ends this process, whatever it is doing."""
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    trial = _trial.decode(sys.stdin.buffer.read())
    resource.setrlimit(resource.RLIMIT_CPU, (trial.most_s, trial.most_s))
    try:
        said = _encoded(tried(trial.text, trial.event, trial.at, masked=trial.masked))
    except MemoryError:
        said = _encoded(_TOO_MUCH)
    sys.stdout.buffer.write(said if len(said) <= MOST_RESULT else _encoded(_TOO_LARGE))


def _encoded(came: Tried) -> bytes:
    return msgspec.msgpack.encode(came, enc_hook=str)


def event_of_json(text: bytes) -> Event:
    """An event as `sluice events show --json` prints it, or only its fields, read as a delivery is. Raises Malformed."""
    if len(text) > MOST_BYTES:
        raise Malformed(f"the event is larger than {MOST_BYTES // 1024} kB")
    try:
        given = decode(text)
    except Malformed as error:
        raise Malformed(f"the event is {error}") from None
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


if __name__ == "__main__":
    _try()
