"""Grouping: what is asked of Redis while all rounds are on their way goes together in the next one.

A command costs a fraction of what it would alone, and is as atomic as before. Deliveries go in rounds that are answered
once they are on disk (see durability.py): a hundred that wait together cost one wait.
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
"""Whoever has less patience left than this is not sent any more: it would only cut the round short for the others."""


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

    async def ask(self, *command: Any, script: AsyncScript | None = None) -> Any:
        """Run one command. `script`: what to load if the server does not know it.

        Raises redis.exceptions.RedisError or OSError; it may have been carried out all the same.
        """
        until = time.monotonic() + self._patience_s
        asked = _Asked(command, asyncio.get_running_loop().create_future(), until, script)
        self._waiting.append(asked)
        if self._idle:
            sender = asyncio.create_task(self._send(self._idle.pop()))
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
                group, self._waiting = self._waiting, []
                for asked, answer in zip(group, await self._answers(group, carry), strict=True):
                    if asked.answer.done():
                        continue  # whoever asked has been cancelled
                    if isinstance(answer, Exception):
                        asked.answer.set_exception(answer)
                    else:
                        asked.answer.set_result(answer)
        finally:
            self._idle.append(carry)

    async def _answers(self, group: list[_Asked], carry: Carrier) -> list[Any]:
        now = time.monotonic()
        in_time = [asked for asked in group if asked.until - now > _TOO_LATE_S]
        if len(in_time) < len(group):
            found = iter(await self._answers(in_time, carry) if in_time else ())
            late = RedisTimeoutError("Redis did not answer in time")
            return [next(found) if asked.until - now > _TOO_LATE_S else late for asked in group]
        within_s = min(asked.until for asked in group) - now
        try:
            return await self._round(group, within_s, carry)
        except (RedisError, OSError) as error:
            return [error] * len(group)
        except Exception as error:  # noqa: BLE001  # what cannot be sent must not take the others with it
            return [error] if len(group) == 1 else [a for asked in group for a in await self._answers([asked], carry)]

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
