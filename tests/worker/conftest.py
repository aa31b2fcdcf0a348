"""A worker's desk with a far side that does what the test says: real Redis, real rules, real `Action` structs."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Any, cast

import pytest
from msgspec import Struct
from msgspec.structs import replace

from service.actions import Action, Result, Target
from service.engine import RuleSet, load, plan
from service.model import Event, Plan
from service.sakari.client import Sakari
from service.sakari.gate import Caller
from service.store import Store, accept, dead, journal, keys, lanes, rulesets
from service.store.records import DeadLetter, RunRecord
from service.worker.backoff import Backoff
from service.worker.desk import Desk, Rules
from service.worker.drain import drain_lane

MINUTE_MS = 60_000


class Args(Struct, frozen=True, forbid_unknown_fields=True):
    """What the actions of these tests take."""

    who: str = ""
    sets: dict[str, int] = {}


class Call(Struct, frozen=True):
    do: str
    args: Args


class FarSide:
    """Notes every call, and answers as it was told: with the next of `answers`, else with `{"yes": True}`.

    While `gate` is an event, calls (of `holds`, if given) wait for it; `entered` is set once one does, or would.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answers: deque[Exception | dict[str, Any]] = deque()
        self.gate: asyncio.Event | None = None
        self.holds = ""
        self.entered = asyncio.Event()
        self.check: Callable[[], None] = lambda: None
        self.caller = Caller()

    def guarded(self, check: Callable[[], None], caller: Caller) -> "FarSide":
        """Stand in for the client, too: the check and the caller that it was given last are kept."""
        self.caller = caller
        self.check = check
        return self

    def asking(self, _caller: Caller) -> None: ...

    async def take(self, do: str, args: Args, _sakari: Sakari) -> Result:
        self.calls.append(Call(do, args))
        if self.holds in ("", do):
            self.entered.set()
            if self.gate is not None:
                await self.gate.wait()
        answer = self.answers.popleft() if self.answers else {"yes": True}
        if isinstance(answer, Exception):
            raise answer
        return Result(answer, {"answered": do})

    def actions(self) -> dict[str, Action]:
        """`look` reads; `write` and `blend` set values; `text` and `ping` must not be repeated, and `ping` names no record.

        Calls of `blend` to one record can be made as one.
        """
        kinds = {
            "look": (True, None),
            "write": (True, _target),
            "blend": (True, _target),
            "text": (False, _target),
            "ping": (False, None),
        }
        return {
            name: Action(
                name=name,
                args=Args,
                run=partial(self.take, name),
                example="",
                sets_values=sets_values,
                target=target,
                only=_only if target and sets_values else None,
                merge=_merge if name == "blend" else None,
            )
            for name, (sets_values, target) in kinds.items()
        }


def _target(args: Args) -> Target:
    return Target(f"contacts/{args.who}", tuple(args.sets))


def _only(args: Args, attributes: frozenset[str]) -> Args:
    return replace(args, sets={name: value for name, value in args.sets.items() if name in attributes})


def _merge(older: Args, newer: Args) -> Args:
    return replace(newer, sets=older.sets | newer.sets)


class Bench:
    """Events go in under the given rules, lanes are drained, and the ledger says what came of it."""

    def __init__(self, store: Store, rule_set: RuleSet, far: FarSide, *, tries: int = 3) -> None:
        self.store, self.rule_set, self.far = store, rule_set, far
        self.ahead_ms = 0
        self.desk = Desk(
            store=store,
            sakari=cast("Sakari", far),
            actions=far.actions(),
            rules=Rules(store, far.actions()),
            backoff=Backoff(tries=tries, random=Random(7)),
            now=self.now,
            stopping=asyncio.Event(),
            ticket_s=5,
        )

    def now(self) -> int:
        """The real time, plus what the test has let pass."""
        return time.time_ns() // 1_000_000 + self.ahead_ms

    def plan(self, fact: str, *, object_id: str = "7", at: int = 0, **values: Any) -> Plan:
        event = Event(
            source="hubspot",
            account="1",
            type="contact.updated",
            object_id=object_id,
            occurred_at=at or self.now(),
            fact_key=fact,
            delivery_key=f"d-{fact}",
            values={"contact.id": object_id} | {f"contact.{name}": value for name, value in values.items()},
        )
        return plan(self.rule_set, event, self.now())

    async def happen(self, fact: str, *, object_id: str = "7", at: int = 0, **values: Any) -> None:
        """Accept one event, so that its runs stand in its lane."""
        await self.accept(self.plan(fact, object_id=object_id, at=at, **values))

    async def accept(self, *plans: Plan) -> None:
        await accept(self.store, "hubspot", plans, [], now=self.now())

    async def drain(self) -> None:
        """Take every lane that has work, due or not, and drain it until it waits or is empty."""
        for name in await self.store.redis.zrange(keys.READY, 0, -1):
            await self.store.redis.zadd(keys.READY, {name: 1})
        for lane in await lanes.claim(self.store, 100):
            await drain_lane(lane, self.desk)

    async def ledger(self, fact: str, rule: str = "r") -> RunRecord:
        return await journal.ledger(self.store, f"{fact}/{rule}")

    async def letters(self) -> list[DeadLetter]:
        return await dead.newest(self.store, 100)

    async def crash(self, draining: asyncio.Task[None]) -> None:
        """End a drain as a killed process would: nothing more is written, and its leases run out."""
        draining.cancel()
        await asyncio.wait([draining])
        for name in await self.store.redis.zrange(keys.LEASES, 0, -1):
            await self.store.redis.zadd(keys.LEASES, {name: 1})
        await lanes.sweep(self.store)

    @property
    def did(self) -> list[str]:
        """The actions that were called, in order."""
        return [call.do for call in self.far.calls]


MakeBench = Callable[..., Awaitable[Bench]]


@pytest.fixture
def far() -> FarSide:
    return FarSide()


@pytest.fixture
def compile_rules(far: FarSide) -> Callable[[str], RuleSet]:
    def compile_(steps: str) -> RuleSet:
        text = f"version: 1\nrules:\n  - id: r\n    event: contact.updated\n    then:\n{steps}"
        loaded = load({"r.yaml": text.encode()}, far.actions())
        assert not loaded.broken, loaded.problems
        return loaded.rule_set

    return compile_


@pytest.fixture
def make_bench(store: Store, far: FarSide, compile_rules: Callable[[str], RuleSet]) -> MakeBench:
    async def make(*steps: str, tries: int = 3) -> Bench:
        rule_set = compile_rules("".join(f"      - {step}\n" for step in steps))
        await rulesets.keep(store, rule_set.version, rule_set.files)
        return Bench(store, rule_set, far, tries=tries)

    return make


async def record_of(store: Store, lane: str) -> bytes:
    """The first member of a lane, as it stands in Redis."""
    members: list[bytes] = await store.redis.zrange(keys.LANE + lane, 0, 0)
    return members[0]
