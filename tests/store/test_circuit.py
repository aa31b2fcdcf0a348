"""The circuit: it opens on sustained failure, lets single probes through, and closes by itself; a refused account pauses."""

from collections.abc import Callable

import pytest

from service.model import Effect, Outcome
from service.store import Store
from service.store.pace import SharedPace, states

NOW = 1_790_000_000_000

MakePace = Callable[..., SharedPace]


@pytest.fixture
def make_pace(store: Store) -> MakePace:
    def make(credentials: str = "c") -> SharedPace:
        return SharedPace(store, "default", rate=1000, burst=100, credentials=credentials)

    return make


async def call(pace: SharedPace, outcome: Outcome, now: int, *, caller: str = "a", successes: int = 0) -> Effect:
    """Make one call that ends so, at once. Raises if it is not let in."""
    told = await pace.admit(caller, "on", 0, now=now)
    assert told.verdict == "go", told
    return await pace.report(caller, outcome, admitted_at=told.at, successes=successes, reason=outcome, now=now)


async def opened(pace: SharedPace, now: int = NOW) -> int:
    """Let the circuit open; when it did."""
    for _ in range(4):
        assert await call(pace, "failed", now) == Effect()
    effect = await call(pace, "failed", now)
    assert effect.change == "opened"
    assert effect.due is not None
    assert effect.due > now + 1000
    return now


async def test_five_failures_without_a_success_open_it_and_no_more_tries_are_counted(make_pace: MakePace) -> None:
    pace = make_pace()
    now = await opened(pace)
    told = await pace.admit("b", "0", 0, now=now + 500)
    assert (told.verdict, told.reason) == ("later", "circuit_open")
    late = await pace.report("in flight", "failed", admitted_at=now, now=now + 600)
    assert late.change == ""
    assert late.due is not None


async def test_one_success_in_between_keeps_it_closed_whoever_had_it(make_pace: MakePace) -> None:
    pace = make_pace()
    for n in range(20):
        if n % 4 == 3:
            assert (await pace.admit("b", "on", 0, now=NOW)).watched
            await call(pace, "ok", NOW, caller="b")
        assert await call(pace, "failed", NOW) == Effect()
    for _ in range(20):
        assert await call(pace, "failed", NOW, successes=1) == Effect()


async def test_failures_that_are_far_apart_do_not_open_it(make_pace: MakePace) -> None:
    pace = make_pace()
    for n in range(12):
        assert await call(pace, "failed", NOW + n * 20_000) == Effect()


async def test_one_probe_at_a_time_goes_through(make_pace: MakePace) -> None:
    pace = make_pace()
    now = await opened(pace) + 1001
    told = [await pace.admit(name, "1", 0, now=now) for name in "abc"]
    assert [admission.verdict for admission in told] == ["go", "later", "later"]
    assert told[0].watched
    assert (await pace.admit("a", "on", 0, now=now + 5)).verdict == "go"  # its second call

    assert (await pace.report("a", "ok", admitted_at=now, now=now + 50)).change == "closed"
    assert (await pace.admit("b", "1", 0, now=now + 60)).verdict == "go"
    assert not (await pace.admit("b", "1", 0, now=now + 60)).watched


async def test_the_probe_of_a_dead_worker_is_replaced(make_pace: MakePace) -> None:
    pace = make_pace()
    now = await opened(pace) + 1001
    assert (await pace.admit("dead", "1", 0, now=now)).verdict == "go"
    assert (await pace.admit("a", "1", 0, now=now + 29_000)).verdict == "later"
    assert (await pace.admit("a", "1", 0, now=now + 30_000)).verdict == "go"


async def test_probes_come_less_and_less_often_but_every_half_minute(make_pace: MakePace, store: Store) -> None:
    pace = make_pace()
    now, pauses = await opened(pace) + 1001, []
    for _ in range(8):
        assert (await call(pace, "failed", now)).due is not None
        (state,) = await states(store)
        pauses.append(state.probe_at - now)
        now = state.probe_at
    assert pauses == [2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000]


async def test_who_waits_comes_back_after_the_next_probe_and_not_all_at_once(make_pace: MakePace) -> None:
    pace = make_pace()
    now = await opened(pace)
    turns = [(await pace.admit(f"l{n}", "0", 0, now=now + 1)).at for n in range(10)]
    assert turns == sorted(turns)
    assert len(set(turns)) == 10
    assert turns[0] > now + 1000


async def test_a_success_that_left_before_it_opened_proves_nothing(make_pace: MakePace) -> None:
    pace = make_pace()
    before = (await pace.admit("slow", "0", 0, now=NOW - 10)).at
    now = await opened(pace)
    assert (await pace.report("slow", "ok", admitted_at=before, now=now + 10)).change == ""
    assert (await pace.admit("b", "0", 0, now=now + 20)).verdict == "later"


async def test_failures_of_the_outage_that_is_over_do_not_open_it_again(make_pace: MakePace) -> None:
    pace = make_pace()
    before = (await pace.admit("slow", "0", 0, now=NOW - 10)).at
    now = await opened(pace) + 1001
    await call(pace, "ok", now)
    for _ in range(9):
        assert await pace.report("slow", "failed", admitted_at=before, now=now + 10) == Effect()


async def test_a_429_as_the_answer_to_a_probe_closes_it_and_slows_down(make_pace: MakePace, store: Store) -> None:
    pace = make_pace()
    now = await opened(pace) + 1001
    effect = await call(pace, "limited", now)
    assert effect.change == "closed"
    assert effect.due is not None
    (state,) = await states(store, now=now)
    assert (state.circuit, state.rate_now < 1000) == ("closed", True)


async def test_refused_credentials_pause_the_account_at_once(make_pace: MakePace, store: Store) -> None:
    pace = make_pace()
    effect = await call(pace, "refused", NOW)
    assert effect.change == "paused"
    assert effect.due is not None
    told = await pace.admit("b", "0", 0, now=NOW + 59_000)
    assert (told.verdict, told.reason) == ("later", "account_paused")
    (state,) = await states(store)
    assert (state.circuit, state.reason) == ("paused", "refused")

    again = await call(pace, "refused", NOW + 60_000)
    assert (again.change, again.due is not None) == ("", True)
    assert (await call(pace, "ok", NOW + 125_000)).change == "closed"


async def test_other_credentials_are_tried_at_once(make_pace: MakePace) -> None:
    old, new = make_pace("old"), make_pace("new")
    await call(old, "refused", NOW)
    assert (await call(new, "refused", NOW + 10)).change == "paused"
    assert (await new.admit("b", "0", 0, now=NOW + 20)).verdict == "later"

    right = make_pace("right")
    assert (await call(right, "ok", NOW + 30)).change == "closed"
    assert (await new.admit("b", "0", 0, now=NOW + 40)).verdict == "go"


async def test_a_refusal_pauses_the_account_if_nothing_else_succeeds(make_pace: MakePace) -> None:
    pace = make_pace()
    effects = [await call(pace, "denied", NOW + n * 500) for n in range(3)]
    assert [effect.change for effect in effects] == ["", "", "paused"]
    assert all(effect.due for effect in effects)  # nobody becomes a dead letter meanwhile


async def test_refusals_in_one_moment_pause_nobody(make_pace: MakePace) -> None:
    pace = make_pace()
    assert [(await call(pace, "denied", NOW)).change for _ in range(10)] == [""] * 10


async def test_a_refusal_while_other_calls_succeed_is_that_calls_own(make_pace: MakePace) -> None:
    pace = make_pace()
    assert await call(pace, "denied", NOW, successes=3) == Effect()
    for n in range(10):
        assert await call(pace, "denied", NOW + n * 1000) == Effect()
    assert (await call(pace, "denied", NOW + 700_000)).due is not None  # that proof is old

    assert (await pace.admit("b", "on", 0, now=NOW + 700_001)).watched
    await call(pace, "ok", NOW + 700_001, caller="b")
    assert await call(pace, "denied", NOW + 700_002) == Effect()


async def test_a_refused_probe_shows_that_sakari_is_back(make_pace: MakePace) -> None:
    pace = make_pace()
    for _ in range(5):
        await call(pace, "failed", NOW, successes=1)
    for _ in range(4):
        effect = await call(pace, "failed", NOW)
    assert effect.change == "opened"
    now = NOW + 1001
    effect = await call(pace, "denied", now)
    assert (effect.change, effect.due) == ("closed", None)


async def test_a_redis_that_is_away_does_not_undo_a_call(make_pace: MakePace, store: Store) -> None:
    pace = make_pace()
    await store.redis.set("sluice:account:default", "not a hash")
    assert await pace.report("a", "ok", admitted_at=NOW) == Effect()
