"""Rounds: what is asked of Redis while all rounds are on their way goes together in the next one.

A command costs a fraction of what it would alone, and is as atomic as before. Deliveries go in rounds that are answered
once they are on disk (see disk.py): a hundred that wait together cost one wait.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from msgspec import Struct
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from service.store.wire import Command

Carrier = Callable[[list[Command], float], Awaitable[list[Any]]]
"""(commands, seconds) -> their answers, an error in place of each that was refused. Raises RedisError, OSError."""

_TOO_LATE_S = 0.1
"""Whoever has less patience left than this is not sent any more."""

_MOST_JOINED = 100
"""Items: as many as a large delivery has. For as long as a script runs, nobody else gets an answer from Redis."""
_MOST_JOINED_BYTES = 256 * 1024
"""Of their arguments; likewise."""
_ARGUMENT_BYTES = 64
"""What each argument counts for beside its own bytes: scripts take long over many of them, however small."""


class Items(Struct, frozen=True):
    """What one asker adds to a command that others may join: its arguments, and how many answers it wants for them."""

    args: list[Any]
    number: int


class _Asked(Struct, eq=False):
    command: Command
    """Without the items."""
    answer: asyncio.Future[Any]
    until: float
    script: AsyncScript | None = None
    items: Items | None = None


class _Call(Struct, eq=False):
    """What goes to Redis as one command."""

    asked: list[_Asked]
    items: int = 0
    size: int = 0

    @property
    def command(self) -> Command:
        first = self.asked[0]
        if first.items is None:
            return first.command
        items = [asked.items for asked in self.asked if asked.items]
        return (*first.command, sum([each.number for each in items]), *(arg for each in items for arg in each.args))

    def tell(self, answer: Any) -> None:
        """Give each asker its own part of the answer."""
        at = 0
        for asked in self.asked:
            if asked.items is None or isinstance(answer, Exception):
                _tell(asked, answer)
            else:
                _tell(asked, answer[at : at + asked.items.number])
                at += asked.items.number


class Rounds:
    """Commands of one process. As many rounds are under way at a time as there are `carriers`, which are used for nothing else.

    `patience_s`: how long anybody waits for an answer.
    """

    def __init__(self, carriers: Sequence[Carrier], patience_s: float) -> None:
        self._idle = list(carriers)
        self._patience_s = patience_s
        self._waiting: list[_Asked] = []
        self._senders: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def ask(self, *command: Any, script: AsyncScript | None = None, items: Items | None = None) -> Any:
        """Run one command. `script`: what to load if the server does not know it. `items`: see `join`.

        Raises redis.exceptions.RedisError or OSError; it may have been carried out all the same.
        """
        if self._loop is None:
            self._loop = asyncio.get_running_loop()  # which asks the kernel for the process id, each time
        until = time.monotonic() + self._patience_s
        asked = _Asked(command, self._loop.create_future(), until, script, items)
        self._waiting.append(asked)
        if self._idle:
            sender = self._loop.create_task(self._send(self._idle.pop()))
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)
        return await asked.answer

    async def run(self, script: AsyncScript, keys: list[str], args: list[Any]) -> Any:
        """Run one script, atomically. Raises as `ask`."""
        return await self.ask("EVALSHA", script.sha, len(keys), *keys, *args, script=script)

    async def join(self, script: AsyncScript, keys: list[str], args: list[Any], items: Items) -> list[Any]:
        """Run one script, together with all who ask the same while rounds are on their way, but for their items.

        It gets `args`, the number of all items, and the items; it answers with one thing for each, and each asker gets its
        own. If it fails, it is run again for each asker alone, and has to bear that wherever it stopped. Raises as `ask`.
        """
        command = ("EVALSHA", script.sha, len(keys), *keys, *args)
        return cast("list[Any]", await self.ask(*command, script=script, items=items))

    async def finish(self) -> None:
        """Wait for the rounds that are under way."""
        while self._senders:
            await asyncio.wait(self._senders)

    async def _send(self, carry: Carrier) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, []
                if calls := _joined(_in_time(asked)):
                    await self._serve(calls, carry)
        finally:
            self._idle.append(carry)

    async def _serve(self, calls: list[_Call], carry: Carrier) -> None:
        group = [asked for call in calls for asked in call.asked]
        within_s = max(asked.until for asked in group) - time.monotonic()
        watch = _Watch(group)
        try:
            answers = await self._round(calls, within_s, carry)
        except (RedisError, OSError) as error:
            answers = [error] * len(calls)
        except Exception as error:  # noqa: BLE001  # what cannot be sent must not take the others with it
            if len(group) > 1:
                for asked in group:
                    await self._serve([_Call([asked])], carry)
                return
            answers = [error]
        finally:
            watch.end()
        failed: list[_Call] = []
        for call, answer in zip(calls, answers, strict=True):
            if isinstance(answer, ResponseError) and len(call.asked) > 1:
                failed.append(call)
            else:
                call.tell(answer)
        if failed:  # what is wrong with one must not be everybody's
            await self._serve([_Call([asked]) for call in failed for asked in call.asked], carry)

    async def _round(self, calls: list[_Call], within_s: float, carry: Carrier) -> list[Any]:
        answers = await carry([call.command for call in calls], within_s)
        unknown = [n for n, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:  # the server was started anew, and has run none of these
            scripts = {s.sha: s.script for n in unknown if (s := calls[n].asked[0].script)}
            loads: list[Command] = [("SCRIPT", "LOAD", text) for text in scripts.values()]
            again = await carry([*loads, *(calls[n].command for n in unknown)], within_s)
            for n, answer in zip(unknown, again[len(loads) :], strict=True):
                answers[n] = answer
        return answers


def _joined(group: list[_Asked]) -> list[_Call]:
    """Make one call of those who have a command in common, as long as it has room, and one of each of the others."""
    calls: list[_Call] = []
    open_: dict[Command, _Call] = {}
    for asked in group:
        if asked.items is None:
            calls.append(_Call([asked]))
            continue
        number, size = asked.items.number, _size(asked.items.args)
        call = open_.get(asked.command)
        if call is None or call.items + number > _MOST_JOINED or call.size + size > _MOST_JOINED_BYTES:
            call = open_[asked.command] = _Call([])
            calls.append(call)
        call.asked.append(asked)
        call.items += number
        call.size += size
    return calls


def _size(args: list[Any]) -> int:
    return len(args) * _ARGUMENT_BYTES + sum([len(arg) for arg in args if isinstance(arg, bytes)])


class _Watch:
    """Over a round: whoever has waited long enough is told so, while those who came later go on waiting."""

    def __init__(self, group: list[_Asked]) -> None:
        self._group = group
        self._timer: asyncio.TimerHandle | None = None
        self._look()

    def _look(self) -> None:
        waiting = [asked for asked in _in_time(self._group, 0.0) if not asked.answer.done()]
        if waiting:
            early_s = min(asked.until for asked in waiting) - time.monotonic()
            self._timer = asyncio.get_running_loop().call_later(early_s, self._look)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def _in_time(group: list[_Asked], least_s: float = _TOO_LATE_S) -> list[_Asked]:
    """Those who have patience left; the others are told that it took too long."""
    now = time.monotonic()
    for asked in group:
        if asked.until - now <= least_s:
            _tell(asked, RedisTimeoutError("Redis did not answer in time"))
    return [asked for asked in group if asked.until - now > least_s]


def _tell(asked: _Asked, answer: Any) -> None:
    if asked.answer.done():
        return  # whoever asked has been cancelled, or told already
    if isinstance(answer, Exception):
        asked.answer.set_exception(answer)
    else:
        asked.answer.set_result(answer)
