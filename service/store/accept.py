"""Accepting: everything that a delivery means goes into Redis in one atomic call, before the sender gets its answer."""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct
from redis.exceptions import NoScriptError, RedisError

from service.errors import StoreUnavailable
from service.model import Misfit, Plan
from service.store import durability, keys, tickets
from service.store.connection import TALLY_MS, Store
from service.store.records import DeadLetter, JournalEntry, encode


class Receipt(Struct, frozen=True):
    """What became of each event of a delivery, in order: its id, or why it was nothing new."""

    events: tuple[str, ...]
    """Event id; or `redelivered` (the same notification again), or `overlapping` (the same fact by another one)."""

    @property
    def accepted(self) -> int:
        """How many events were new."""
        return len(self.events) - self.duplicates

    @property
    def duplicates(self) -> int:
        """How many were known already."""
        return sum(event in ("redelivered", "overlapping") for event in self.events)


class _Waiting(Struct):
    args: list[Any]
    answer: asyncio.Future[list[bytes]]


class Acceptor:
    """Accepts deliveries, many at a time over one connection.

    Requests that arrive while Redis is busy with the last round go together in the next: one pipeline of accept calls and
    one wait for the append-only file (`WAITAOF`, which speaks for its own connection only), however many requests wait.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[_Waiting] = []
        self._flusher: asyncio.Task[None] | None = None

    async def accept(self, source: str, plans: Sequence[Plan], misfits: Sequence[Misfit], *, now: int) -> Receipt:
        """Store the events, their runs and their misfits, all or nothing.

        Raises StoreUnavailable if Redis did not confirm in time. It may then have stored the delivery all the same: the
        sender has to send it again, and the claims make that harmless.
        """
        if not plans and not misfits:
            return Receipt(())
        waiting = _Waiting(
            _arguments(self._store, source, plans, misfits, now), asyncio.get_running_loop().create_future()
        )
        self._waiting.append(waiting)
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._flush())
        try:
            async with asyncio.timeout(self._store.options.accept_timeout_ms / 1000):
                ids = await waiting.answer
        except TimeoutError as error:
            raise StoreUnavailable("Redis did not answer in time") from error
        return Receipt(tuple(_meaning(i) for i in ids[: len(plans)]))

    async def close(self) -> None:
        """Wait for the round that is under way."""
        if self._flusher is not None:
            await self._flusher

    async def _flush(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            try:
                async with asyncio.timeout(self._store.options.accept_timeout_ms / 1000):
                    answers = await self._round(group)
            except (RedisError, OSError, TimeoutError) as error:
                answers = [StoreUnavailable(f"Redis could not store: {type(error).__name__}")] * len(group)
            for waiting, answer in zip(group, answers, strict=True):
                if waiting.answer.done():
                    continue
                if isinstance(answer, BaseException):
                    waiting.answer.set_exception(answer)
                else:
                    waiting.answer.set_result(answer)

    async def _round(self, group: list[_Waiting]) -> list[Any]:
        """Send one pipeline; the answer per request is a list of ids or a StoreUnavailable."""
        script = self._store.scripts["accept"]
        queue = [keys.JOURNAL, keys.READY, keys.OWNERS, keys.DEAD, tickets.QUEUE]
        for _ in range(2):
            pipe = self._store.redis.pipeline(transaction=False)
            for waiting in group:
                pipe.evalsha(script.sha, len(queue), *queue, *waiting.args)
            answers = await durability.execute(self._store, pipe)
            if not isinstance(answers[0], NoScriptError):
                break
            await self._store.redis.script_load(script.script)
        return [_refusal(a) if isinstance(a, Exception) else a for a in answers]


def _refusal(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"Redis refused to store: {type(error).__name__}")


def _meaning(event: bytes) -> str:
    return {b"": "redelivered", b"=": "overlapping"}.get(event) or event.decode()


def _arguments(store: Store, source: str, plans: Sequence[Plan], misfits: Sequence[Misfit], now: int) -> list[Any]:
    """Lay a delivery out as accept.lua wants it."""
    options = store.options
    args: list[Any] = ["", options.claim_ms, options.journal_length, keys.LANE, keys.CLAIM, keys.DEAD_LETTER]
    args += [*tickets.bell(store), keys.TALLY, TALLY_MS, keys.LAST_FIRINGS, source, len(plans) + len(misfits)]
    for plan in plans:
        event = plan.event
        rules = tuple(run.rule for run in plan.runs)
        entry = JournalEntry(event, plan.ruleset, now, rules, plan.shadowed, plan.failures)
        args += (event.fact_key, event.delivery_key, encode(entry), len(plan.runs))
        for run in plan.runs:
            args += (run.lane, run.occurred_at, run.key, encode(run))
        letters = [_rule_letter(plan, n, now) for n in range(len(plan.failures))]
        args += (len(letters), *(part for letter in letters for part in (letter.id, encode(letter))))
        marks = _marks(plan)
        args += (len(marks), *marks)
    for misfit in misfits:
        letter = _delivery_letter(source, misfit, now)
        args += ("", "", "", 0, 1, letter.id, encode(letter), 0)
    return args


def _marks(plan: Plan) -> list[str]:
    """Say what each rule that matched came to, as it is tallied: `live <rule>`, `shadow <rule>` or `failed <rule>`."""
    return [
        *(f"live {run.rule}" for run in plan.runs),
        *(f"shadow {rule}" for rule in plan.shadowed),
        *(f"failed {failure.rule}" for failure in plan.failures),
    ]


def _rule_letter(plan: Plan, n: int, now: int) -> DeadLetter:
    failure, event = plan.failures[n], plan.event
    return DeadLetter(
        id=rule_letter_id(event.fact_key, failure.rule),
        kind="rule",
        reason=failure.reason,
        message=failure.message,
        source=event.source,
        at=now,
        rule=failure.rule,
        lane=event.lane,
        occurred_at=event.occurred_at,
        run_key=f"{event.fact_key}/{failure.rule}",
    )


def _delivery_letter(source: str, misfit: Misfit, now: int) -> DeadLetter:
    return DeadLetter(
        id=_letter_id("delivery", source, misfit.body),
        kind="delivery",
        reason="malformed",
        message=misfit.message,
        source=source,
        at=now,
        body=misfit.body,
    )


def rule_letter_id(fact_key: str, rule: str) -> str:
    """Name the letter of a rule that could not be planned for a fact."""
    return _letter_id("rule", fact_key, rule)


def _letter_id(kind: Literal["rule", "delivery"], *parts: str | bytes) -> str:
    """Name a letter by its content, so that a redelivery does not bury the same thing twice."""
    digest = hashlib.sha256(kind.encode())
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
    return digest.hexdigest()[:16]
