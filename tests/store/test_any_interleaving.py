"""Promises 2 to 5 under any interleaving: a state machine drives the real scripts beside a model of what must hold.

Workers are played by hand: they claim, ask the fence, call, record, crash between any two of these, sleep past their leases
and wake up. Time is moved by ageing what Redis keeps, so nothing waits.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec import Struct
from msgspec.structs import replace

from service.errors import LeaseLost
from service.model import Event, Plan, Run
from service.store import Options, accept, dead, journal, keys, lanes, open_store, replay
from service.store.lanes import Busy, Notes
from service.store.records import DeadLetter, Lane, StepRecord
from service.store.replay import Addition

NOW = 1_790_000_000_000
pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

picks = st.integers(0, 1_000_000)
times = st.integers(0, 9)


class Call(Struct, frozen=True):
    """A write that was made in Sakari: for each attribute the fact and its time."""

    record: str
    values: dict[str, tuple[int, str]]


class Held(Struct):
    """A lane in the hands of a played worker."""

    lane: Lane
    valid: bool = True
    """False once its lease has run out, which the worker may not have noticed."""
    allowed: dict[str, int] | None = None
    """What the fence allowed for the run at hand; None before it was asked."""
    followers: tuple[str, ...] = ()

    def notes(self, state: str) -> Notes:
        """What is to be recorded of a run that wrote nothing: it lets go of the record, if it held it."""
        return Notes({"state": state}, record(self.lane.head.run) if self.allowed else "")


class Interleavings(RuleBasedStateMachine):
    """Facts of three objects; two of the objects are one record in Sakari."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.store = open_store(self.url, Options(lease_ms=3_600_000, hold_ms=3_600_000, fsync=False))
        self.do(self.store.redis.flushall())
        self.accepted: dict[str, Run] = {}
        self.events: dict[str, str] = {}
        """Fact key -> id of its event."""
        self.held: list[Held] = []
        self.calls: list[Call] = []
        self.holds: dict[str, str] = {}
        """Record -> number of the lease under which it is held."""
        self.dropped: set[str] = set()
        self.done: dict[str, int] = {}
        """Run key -> how often its call was made and recorded."""

    def do(self, awaitable: Awaitable[Any] | Any) -> Any:
        return self.loop.run_until_complete(awaitable)

    def teardown(self) -> None:
        self.settle()
        self.do(self.store.close())
        self.loop.close()

    # What may happen.

    @initialize(at=times)
    def begin_with_something(self, at: int) -> None:
        self.accept([("0", at), ("1", at)], delivery="first")

    @rule(facts=st.lists(st.tuples(st.sampled_from("012"), times), min_size=1, max_size=4))
    def new_delivery(self, facts: list[tuple[str, int]]) -> None:
        self.accept(facts, delivery=f"d{len(self.accepted)}")

    @rule(pick=picks, overlapping=st.booleans())
    def known_fact_again(self, pick: int, overlapping: bool) -> None:
        run = self.accepted[sorted(self.accepted)[pick % len(self.accepted)]]
        plan = self.plan(run.key.partition("/")[0], run, delivery="another" if overlapping else "")
        receipt = self.do(accept(self.store, "hubspot", [plan], [], now=NOW))
        assert receipt.duplicates == 1

    @rule(pick=picks, other_rule=st.booleans())
    def replay(self, pick: int, other_rule: bool) -> None:
        """An old event is run again, under the rule that it had a run of or under a new one."""
        had = self.accepted[sorted(self.accepted)[pick % len(self.accepted)]]
        fact = had.key.partition("/")[0]
        key = f"{fact}/{'new' if other_rule else 'r'}"
        run = replace(had, key=key, rule=key.partition("/")[2])
        addition = Addition(event_id=self.events[fact], fact_key=fact, run=run)
        assert self.do(replay.add(self.store, [addition, addition])) == [key not in self.accepted, False]
        self.accepted[key] = run

    @rule(most=st.integers(1, 4))
    def claim(self, most: int) -> None:
        holding = {held.lane.name for held in self.held if held.valid}
        for lane in self.do(lanes.claim(self.store, most)):
            assert lane.name not in holding, "two workers hold one lane"
            waiting = self.waiting(lane.name)
            assert (lane.head.run.occurred_at, lane.head.member) == waiting[0], "not the oldest run first"
            self.held.append(Held(lane))

    @precondition(lambda self: self.to_ask())
    @rule(pick=picks, merge=st.booleans(), together=st.booleans())
    def ask_the_fence(self, pick: int, merge: bool, together: bool) -> None:
        """`together`: all who may ask do so in one call, with what old holders of a lane believe that they still have."""
        may = self.to_ask()
        group = may if together else [may[pick % len(may)]]
        behind = [self.do(lanes.followers(self.store, held.lane, 5)) if merge else [] for held in group]
        wanted = []
        for held, followers in zip(group, behind, strict=True):
            runs = [held.lane.head.run, *(waiting.run for waiting in followers)]
            wanted.append({name: run.occurred_at for run in runs for name in run.values})
        questions = [
            lanes.begin(self.store, held.lane, record(held.lane.head.run), attributes, None)
            for held, attributes in zip(group, wanted, strict=True)
        ]
        for held, attributes, followers, answer in zip(group, wanted, behind, self.all_of(questions), strict=True):
            self.hear(held, attributes, tuple(waiting.run.key for waiting in followers), answer)

    def hear(self, held: Held, wanted: dict[str, int], followers: tuple[str, ...], answer: Any) -> None:
        if isinstance(answer, LeaseLost):
            self.must_be_lost(held)
            return
        assert held.valid, "a lease that ran out may still write"
        if isinstance(answer, Busy):
            return
        name = record(held.lane.head.run)
        if answer.held:
            assert self.holds.setdefault(name, held.lane.number) == held.lane.number, "two write to one record"
        held.allowed = {name: wanted[name] for name in answer.allowed}
        held.followers = followers

    @precondition(lambda self: self.to_call())
    @rule(pick=picks, recorded=st.booleans(), together=st.booleans())
    def call_and_record(self, pick: int, recorded: bool, together: bool) -> None:
        """Make the call; `recorded` False: the worker is killed before it can say so. `together`: all who may, in one call."""
        may = self.to_call()
        ends = []
        for held in may if together else [may[pick % len(may)]]:
            run, allowed = held.lane.head.run, held.allowed or {}
            if not held.valid:  # the worker's own clock tells it so before it calls (step.py, check_lease)
                ends.append((held, Notes({"state": "done"}), None))
                continue
            keys_done = (run.key, *held.followers)
            if allowed:
                self.calls.append(Call(record(run), {name: (at, run.key) for name, at in allowed.items()}))
            if not recorded:
                self.held.remove(held)
                continue
            step = StepRecord(state="done" if allowed else "superseded", at=NOW)
            notes = Notes({"state": step.state}, record(run) if allowed else "", allowed)
            notes.shared = dict.fromkeys(held.followers, step)
            for key in keys_done:
                self.done[key] = self.done.get(key, 0) + 1
            ends.append((held, notes, None))
        self.end(*ends)

    @rule(lapses=st.lists(st.sampled_from("012"), max_size=2, unique=True), merge=st.booleans())
    def all_go_on_together(self, lapses: list[str], merge: bool) -> None:
        """Ask and record for all lanes in one call each, though some leases run out meanwhile and others take those lanes."""
        self.accept([(object_id, 5) for object_id in "012"], delivery=f"d{len(self.accepted)}")
        self.claim(4)
        self.ask_the_fence(0, merge=merge, together=True)
        for object_id in lapses:
            self.age(lane_of(object_id))
        self.sweep()
        self.claim(1)
        self.ask_the_fence(0, merge=merge, together=True)
        self.call_and_record(0, recorded=True, together=True)

    @precondition(lambda self: any(0 in held.lane.head.record.steps for held in self.held))
    @rule(pick=picks)
    def end_what_was_made_together(self, pick: int) -> None:
        ready = [held for held in self.held if 0 in held.lane.head.record.steps]
        self.end((ready[pick % len(ready)], Notes({"state": "done"}), None))

    @precondition(lambda self: self.held)
    @rule(pick=picks, later=st.booleans())
    def put_off(self, pick: int, later: bool) -> None:
        held = self.held[pick % len(self.held)]
        try:
            due = NOW * 2 if later else 1
            self.do(lanes.let_go(self.store, held.lane, held.notes("retrying"), due=due))
        except LeaseLost:
            self.must_be_lost(held)
        else:
            assert held.valid
            self.let_go(held)
        self.held.remove(held)

    @precondition(lambda self: self.held)
    @rule(pick=picks)
    def bury(self, pick: int) -> None:
        held = self.held[pick % len(self.held)]
        run = held.lane.head.run
        letter = DeadLetter(
            id=run.key.replace("/", "-"),
            kind="run",
            reason="refused",
            message="",
            source="hubspot",
            at=NOW,
            lane=held.lane.name,
            occurred_at=run.occurred_at,
            run_key=run.key,
            member=held.lane.head.member,
        )
        self.end((held, held.notes("dead"), letter))

    @precondition(lambda self: self.held)
    @rule(pick=picks)
    def crash(self, pick: int) -> None:
        """The worker is gone; Redis does not know yet."""
        self.held.pop(pick % len(self.held))

    @precondition(lambda self: self.leased())
    @rule(pick=picks)
    def a_lease_runs_out(self, pick: int) -> None:
        leased = sorted(self.leased())
        self.age(leased[pick % len(leased)].decode())

    @precondition(lambda self: self.do(self.store.redis.exists(keys.READY)))
    @rule()
    def what_is_put_off_falls_due(self) -> None:
        if ready := self.do(self.store.redis.zrange(keys.READY, 0, -1)):
            self.do(self.store.redis.zadd(keys.READY, dict.fromkeys(ready, 1)))

    @precondition(lambda self: self.held)
    @rule()
    def renew(self) -> None:
        lost = self.do(lanes.renew(self.store, [held.lane for held in self.held]))
        assert {held.lane.name for held in self.held if not held.valid} >= lost
        assert all(held.valid or held.lane.name in lost for held in self.held)

    @rule()
    def sweep(self) -> None:
        swept = self.do(lanes.sweep(self.store))
        tickets = self.do(self.store.redis.keys("arq:job:drain:*"))
        assert swept.due == 0 or tickets, "lanes are due and nobody is told"

    @precondition(lambda self: self.letters())
    @rule(pick=picks, drop=st.booleans(), twice=st.booleans())
    def a_person_decides(self, pick: int, drop: bool, twice: bool) -> None:
        letters = self.letters()
        letter = letters[pick % len(letters)]
        settle = dead.drop(self.store, letter) if drop else dead.retry(self.store, letter, expires_at=NOW * 2)
        assert self.do(settle)
        if drop:
            self.dropped.add(letter.run_key)
        if twice:  # somebody else had the same page open, and pressed the other button
            late = dead.retry(self.store, letter, expires_at=NOW * 2) if drop else dead.drop(self.store, letter)
            assert not self.do(late)

    # What must hold after each of them.

    @invariant()
    def every_run_is_somewhere_and_only_there(self) -> None:
        letters = {letter.run_key for letter in self.letters()}
        in_lanes = [member.split(b" ")[1].decode() for lane in "012" for _, member in self.waiting(lane_of(lane))]
        assert len(in_lanes) == len(set(in_lanes))
        for key in self.accepted:
            state = self.do(journal.ledger(self.store, key)).state
            places = [
                key in in_lanes,
                key in letters,
                state in ("done", "superseded", "dropped") and key not in in_lanes,
            ]
            assert sum(places) == 1, f"{key} is {state}, in a lane: {places[0]}, dead: {places[1]}"
            assert (state == "dead") == (key in letters)
            assert (state == "dropped") == (key in self.dropped)

    @invariant()
    def every_lane_with_runs_is_ready_or_leased(self) -> None:
        ready = set(self.do(self.store.redis.zrange(keys.READY, 0, -1)))
        leased = set(self.leased())
        working = {lane_of(lane).encode() for lane in "012" if self.waiting(lane_of(lane))}
        assert ready | leased == working
        assert not ready & leased
        assert set(self.do(self.store.redis.hkeys(keys.OWNERS))) == leased

    @invariant()
    def nothing_is_recorded_twice(self) -> None:
        assert all(times == 1 for times in self.done.values())

    def settle(self) -> None:
        """Let honest workers finish, and see that Sakari ends with the newest value of every attribute."""
        self.held = []
        for _ in range(200):
            for lane in "012":
                self.age(lane_of(lane))
            self.what_is_put_off_falls_due()
            self.sweep()
            self.claim(4)
            if not self.held:
                break
            for held in list(self.held):
                if 0 in held.lane.head.record.steps:
                    self.end((held, Notes({"state": "done"}), None))
                    continue
                self.ask_the_fence(self.to_ask().index(held), merge=False, together=False)
                if held.allowed is not None:
                    self.call_and_record(self.to_call().index(held), recorded=True, together=False)
            self.held = []
        assert self.do(self.store.redis.exists(keys.READY, keys.LEASES, keys.OWNERS)) == 0
        self.every_run_is_somewhere_and_only_there()
        self.sakari_holds_the_newest()

    def sakari_holds_the_newest(self) -> None:
        holds: dict[tuple[str, str], int] = {}
        for call in self.calls:
            holds |= {(call.record, name): at for name, (at, _) in call.values.items()}
        for key in self.done:
            run = self.accepted[key]
            for name in run.values:
                assert holds[record(run), name] >= run.occurred_at

    # How it is done.

    def accept(self, facts: list[tuple[str, int]], delivery: str) -> None:
        plans = []
        for object_id, at in facts:
            fact = f"f{len(self.accepted)}"
            run = Run(
                key=f"{fact}/r",
                rule="r",
                ruleset="v",
                lane=lane_of(object_id),
                occurred_at=NOW + at,
                planned_at=NOW,
                expires_at=NOW * 2,
                values={"ab"[len(self.accepted) % 2]: "x"},
            )
            self.accepted[run.key] = run
            plans.append(self.plan(fact, run, delivery))
        receipt = self.do(accept(self.store, "hubspot", plans, [], now=NOW))
        assert receipt.accepted == len(facts)
        self.events |= {plan.event.fact_key: event for plan, event in zip(plans, receipt.events, strict=True)}

    def plan(self, fact: str, run: Run, delivery: str) -> Plan:
        event = Event(
            source="hubspot",
            account="1",
            type="contact.updated",
            object_id=run.lane.rpartition("/")[2],
            occurred_at=run.occurred_at,
            fact_key=fact,
            delivery_key=delivery,
            values={},
        )
        return Plan(event=event, ruleset="v", runs=(run,))

    def end(self, *ends: tuple[Held, Notes, DeadLetter | None]) -> None:
        """Record the ends of runs, together if they are several."""
        found = self.all_of([lanes.end_run(self.store, held.lane, notes, letter) for held, notes, letter in ends])
        for (held, _, _), more in zip(ends, found, strict=True):
            if isinstance(more, LeaseLost):
                self.must_be_lost(held)
                self.held.remove(held)
                continue
            assert held.valid, "a lease that ran out was recorded under"
            self.let_go(held)
            held.allowed, held.followers = None, ()
            if not more:
                self.held.remove(held)

    def all_of(self, awaitables: Sequence[Awaitable[Any]]) -> list[Any]:
        """Do these at one time, so that they go in one call; a lost lease is an answer."""

        async def gathered() -> list[Any]:
            return await asyncio.gather(*awaitables, return_exceptions=True)

        found: list[Any] = self.do(gathered())
        for answer in found:
            if isinstance(answer, BaseException) and not isinstance(answer, LeaseLost):
                raise answer
        return found

    def to_ask(self) -> list[Held]:
        return [held for held in self.held if 0 not in held.lane.head.record.steps]

    def to_call(self) -> list[Held]:
        return [held for held in self.held if held.allowed is not None]

    def let_go(self, held: Held) -> None:
        self.holds = {name: number for name, number in self.holds.items() if number != held.lane.number}

    def must_be_lost(self, held: Held) -> None:
        assert not held.valid, "a lease was lost that nobody had taken away"

    def age(self, lane: str) -> None:
        """Let the lease of a lane run out, and its hold on a record with it: they end together."""
        number = self.do(self.store.redis.hget(keys.OWNERS, lane))
        if number is None:
            return
        self.do(self.store.redis.zadd(keys.LEASES, {lane: 1}, xx=True))
        for name in ("one", "two"):
            busy = self.do(self.store.redis.hget(keys.FENCE + name, "@busy"))
            if busy and busy.split()[0] == number:
                self.do(self.store.redis.hset(keys.FENCE + name, "@busy", number + b" 1"))
        self.holds = {name: holder for name, holder in self.holds.items() if holder != number.decode()}
        for held in self.held:
            if held.lane.name == lane:
                held.valid = False

    def leased(self) -> list[bytes]:
        return list(self.do(self.store.redis.zrange(keys.LEASES, 0, -1)))

    def letters(self) -> list[DeadLetter]:
        return list(self.do(dead.newest(self.store, 1000)))

    def waiting(self, lane: str) -> list[tuple[int, bytes]]:
        found = self.do(self.store.redis.zrange(keys.LANE + lane, 0, -1, withscores=True))
        return [(int(at), member) for member, at in found]


def lane_of(object_id: str) -> str:
    return f"hubspot/1/contact/{object_id}"


def record(run: Run) -> str:
    return "two" if run.lane.endswith("2") else "one"


def test_any_interleaving_keeps_the_promises(redis_url: str) -> None:
    machine = type("Machine", (Interleavings,), {"url": redis_url})
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=40, stateful_step_count=40, suppress_health_check=list(HealthCheck)),
    )
