"""Grouping: what is asked of Redis while all rounds are on their way goes together in the next one.

A command costs a fraction of what it would alone, and is as atomic as before. Deliveries go in rounds that are answered
once they are on disk (see disk.py): a hundred that wait together cost one wait.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from msgspec import Struct
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from service.store.wire import Command

Carrier = Callable[[list[Command], float], Awaitable[list[Any]]]
"""(commands, seconds) -> their answers, an error in place of each that was refused. Raises RedisError, OSError."""

_TOO_LATE_S = 0.1
"""Whoever has less patience left than this is not sent any more."""


class _Asked(Struct, eq=False):
    command: Command
    answer: asyncio.Future[Any]
    until: float
    script: AsyncScript | None = None


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

    async def ask(self, *command: Any, script: AsyncScript | None = None) -> Any:
        """Run one command. `script`: what to load if the server does not know it.

        Raises redis.exceptions.RedisError or OSError; it may have been carried out all the same.
        """
        if self._loop is None:
            self._loop = asyncio.get_running_loop()  # which asks the kernel for the process id, each time
        until = time.monotonic() + self._patience_s
        asked = _Asked(command, self._loop.create_future(), until, script)
        self._waiting.append(asked)
        if self._idle:
            sender = self._loop.create_task(self._send(self._idle.pop()))
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)
        return await asked.answer

    async def run(self, script: AsyncScript, keys: list[str], args: list[Any]) -> Any:
        """Run one script, atomically. Raises as `ask`."""
        return await self.ask("EVALSHA", script.sha, len(keys), *keys, *args, script=script)

    async def settle(self) -> None:
        """Wait for the rounds that are under way."""
        while self._senders:
            await asyncio.wait(self._senders)

    async def _send(self, carry: Carrier) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, []
                group = _in_time(asked)
                for each, answer in zip(group, await self._answers(group, carry) if group else (), strict=True):
                    _settle(each, answer)
        finally:
            self._idle.append(carry)

    async def _answers(self, group: list[_Asked], carry: Carrier) -> list[Any]:
        within_s = max(asked.until for asked in group) - time.monotonic()
        watch = _Watch(group)
        try:
            return await self._round(group, within_s, carry)
        except (RedisError, OSError) as error:
            return [error] * len(group)
        except Exception as error:  # noqa: BLE001  # what cannot be sent must not take the others with it
            return [error] if len(group) == 1 else [a for asked in group for a in await self._answers([asked], carry)]
        finally:
            watch.end()

    async def _round(self, group: list[_Asked], within_s: float, carry: Carrier) -> list[Any]:
        answers = await carry([asked.command for asked in group], within_s)
        unknown = [n for n, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:  # the server was started anew, and has run none of these
            scripts = {s.sha: s.script for n in unknown if (s := group[n].script)}
            loads: list[Command] = [("SCRIPT", "LOAD", text) for text in scripts.values()]
            again = await carry([*loads, *(group[n].command for n in unknown)], within_s)
            for n, answer in zip(unknown, again[len(loads) :], strict=True):
                answers[n] = answer
        return answers


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
            _settle(asked, RedisTimeoutError("Redis did not answer in time"))
    return [asked for asked in group if asked.until - now > least_s]


def _settle(asked: _Asked, answer: Any) -> None:
    if asked.answer.done():
        return  # whoever asked has been cancelled, or told already
    if isinstance(answer, Exception):
        asked.answer.set_exception(answer)
    else:
        asked.answer.set_result(answer)
