"""The pace: what is let in never exceeds it, whoever waits has a turn, and a 429 slows everybody down for a while."""

import heapq
import itertools
from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from service.store import Options, Store, open_store
from service.store.pace import SharedPace, states

NOW = 1_790_000_000_000
_names = itertools.count()

MakePace = Callable[..., SharedPace]


@pytest.fixture
def make_pace(store: Store) -> MakePace:
    def make(*, rate: float = 10, burst: int = 5, credentials: str = "c") -> SharedPace:
        return SharedPace(store, "default", rate=rate, burst=burst, credentials=credentials)

    return make


class Lane(Struct, order=True):
    """One run that wants to make some calls, one after the other, each taking no time."""

    at: int
    name: str
    calls: int
    standing: str = "0"
    slot: int = 0
    put_off: int = 0


async def play(pace: SharedPace, lanes: Sequence[Lane]) -> tuple[list[int], dict[str, int]]:
    """Let lanes come as they may, each when it is told to. When calls left; how often each lane was put off."""
    queue, left, put_off = list(lanes), [], {}
    heapq.heapify(queue)
    while queue:
        lane = heapq.heappop(queue)
        told = await pace.admit(lane.name, lane.standing, lane.slot, now=lane.at)
        if told.verdict == "go":
            left.append(lane.at)
            lane.calls, lane.standing, lane.slot = lane.calls - 1, "on", 0
        elif told.verdict == "wait":
            lane.at, lane.slot = lane.at + told.wait_ms, told.at
        else:
            lane.put_off += 1
            lane.at, lane.standing, lane.slot = told.at, str(lane.put_off), 0
        put_off[lane.name] = lane.put_off
        if lane.calls:
            heapq.heappush(queue, lane)
    return left, put_off


async def test_a_burst_leaves_at_once_and_then_one_after_the_other(make_pace: MakePace) -> None:
    left, _ = await play(make_pace(rate=10, burst=3), [Lane(NOW, f"l{n}", 1) for n in range(8)])
    assert [at - NOW for at in left] == [0, 0, 0, 100, 200, 300, 400, 500]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rate=st.sampled_from([0.5, 3.0, 20.0, 250.0]),
    burst=st.integers(1, 10),
    arrivals=st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 4)), min_size=1, max_size=40),
)
async def test_no_window_ever_has_more_than_a_burst_and_the_rate(
    redis_url: str, rate: float, burst: int, arrivals: list[tuple[int, int]]
) -> None:
    opened = open_store(redis_url, Options())
    pace = SharedPace(opened, f"account-{next(_names)}", rate=rate, burst=burst, credentials="c")
    left, _ = await play(pace, [Lane(NOW + at, f"l{n}", calls) for n, (at, calls) in enumerate(arrivals)])
    await opened.close()

    assert len(left) == sum(calls for _, calls in arrivals)
    for first, last in itertools.combinations(range(len(left)), 2):
        lasted_ms = left[last] - left[first] + 1  # slots are told in whole milliseconds, rounded up
        assert last - first + 1 <= burst + rate * lasted_ms / 1000 + 1e-6


async def test_a_backlog_uses_the_whole_pace_and_nobody_comes_back_twice(make_pace: MakePace) -> None:
    left, put_off = await play(make_pace(rate=20, burst=5), [Lane(NOW, f"l{n}", 1) for n in range(400)])
    assert (left[-1] - left[0]) / 1000 <= 400 / 20
    assert max(put_off.values()) == 1


async def test_runs_of_several_calls_all_come_to_their_end(make_pace: MakePace) -> None:
    """Turns are one call apart, so most come too early; who was put off more often is let in first."""
    left, put_off = await play(make_pace(rate=20, burst=5), [Lane(NOW, f"l{n}", 4) for n in range(100)])
    assert len(left) == 400
    assert (left[-1] - left[0]) / 1000 <= 400 / 20 * 1.02
    assert max(put_off.values()) <= 6


async def test_who_comes_anew_waits_behind_those_who_wait(make_pace: MakePace) -> None:
    pace = make_pace(rate=10, burst=1)
    for n in range(30):
        await pace.admit(f"l{n}", "0", 0, now=NOW)
    told = await pace.admit("new", "0", 0, now=NOW + 200)
    assert told.verdict == "later"
    assert (await pace.admit("first", "1", 0, now=NOW + 200)).verdict == "wait"


async def test_turns_that_nobody_takes_hold_nobody_up(make_pace: MakePace) -> None:
    pace = make_pace(rate=10, burst=1)
    for n in range(100):
        await pace.admit(f"l{n}", "0", 0, now=NOW)
    told = [await pace.admit("new", "0", 0, now=NOW + 3000 + n * 100) for n in range(5)]
    assert [admission.verdict for admission in told] == ["go"] * 5


async def test_a_slot_is_kept_until_then_and_not_for_much_longer(make_pace: MakePace) -> None:
    pace = make_pace(rate=10, burst=1)
    await pace.admit("a", "0", 0, now=NOW)
    slot = (await pace.admit("b", "0", 0, now=NOW)).at
    assert slot == NOW + 100
    early = await pace.admit("b", "0", slot, now=NOW + 60)
    assert (early.verdict, early.wait_ms, early.at) == ("wait", 40, slot)
    assert (await pace.admit("b", "0", slot, now=slot)).verdict == "go"

    for name in "cdefg":
        await pace.admit(name, "0", 0, now=NOW + 100)
    late = await pace.admit("c", "0", NOW + 200, now=NOW + 500)
    assert (late.verdict, late.at) == ("wait", NOW + 700)


async def test_a_lower_rate_is_not_held_to_what_the_old_one_left_behind(make_pace: MakePace) -> None:
    slow, fast = make_pace(rate=0.01, burst=1), make_pace(rate=100, burst=1)
    await slow.admit("a", "0", 0, now=NOW)
    told = await fast.admit("b", "1", 0, now=NOW + 1000)
    assert told.at <= NOW + 31_000


async def test_a_429_makes_everybody_wait_and_go_on_slower(make_pace: MakePace) -> None:
    pace = make_pace(rate=10, burst=1)
    at = (await pace.admit("a", "0", 0, now=NOW)).at
    effect = await pace.report("a", "limited", admitted_at=at, asked_s=30, now=NOW + 50)
    assert (effect.change, effect.number) == ("slower", 7)
    assert effect.due is not None
    assert effect.due > NOW + 30_000

    told = await pace.admit("b", "on", 0, now=NOW + 1000)
    assert (told.verdict, told.reason) == ("later", "rate_limited")
    assert told.at > effect.due
    after = NOW + 30_050
    left, _ = await play(pace, [Lane(after, f"l{n}", 1) for n in range(15)])
    assert 1800 <= left[-1] - left[0] <= 2300  # 14 intervals at some 7 a second


async def test_a_slot_from_before_a_429_is_not_used_after_it(make_pace: MakePace) -> None:
    pace = make_pace(rate=10, burst=1)
    at = (await pace.admit("a", "0", 0, now=NOW)).at
    slot = (await pace.admit("b", "0", 0, now=NOW)).at
    await pace.report("a", "limited", admitted_at=at, asked_s=5, now=NOW + 20)
    assert (await pace.admit("b", "0", slot, now=slot)).verdict == "later"


async def test_it_gets_faster_again_and_never_faster_than_configured(make_pace: MakePace) -> None:
    pace = make_pace(rate=10, burst=1)
    at = (await pace.admit("a", "0", 0, now=NOW)).at
    await pace.report("a", "limited", admitted_at=at, asked_s=0, now=NOW)

    async def gap(now: int) -> int:
        await pace.admit("x", "on", 0, now=now)
        return (await pace.admit("y", "on", 0, now=now)).wait_ms

    assert await gap(NOW + 10_000) == pytest.approx(1000 / (7 + 10 / 12), abs=1)
    assert await gap(NOW + 24_000) == pytest.approx(1000 / 9, abs=1)
    assert await gap(NOW + 40_000) == 100
    assert await gap(NOW + 4_000_000) == 100


async def test_calls_that_left_together_slow_down_once(make_pace: MakePace) -> None:
    pace = make_pace(rate=10, burst=5)
    admitted = [(await pace.admit(f"l{n}", "0", 0, now=NOW)).at for n in range(5)]
    changes = [
        (await pace.report(f"l{n}", "limited", admitted_at=at, asked_s=1, now=NOW + 10 + n)).change
        for n, at in enumerate(admitted)
    ]
    assert changes == ["slower", "", "", "", ""]


async def test_without_a_retry_after_the_pauses_double(make_pace: MakePace) -> None:
    pace, now, pauses = make_pace(rate=10, burst=1), NOW, []
    for _ in range(9):
        told = await pace.admit("a", "on", 0, now=now)
        assert told.verdict == "go"
        await pace.report("a", "limited", admitted_at=told.at, now=now + 1)
        held = (await pace.admit("b", "on", 0, now=now + 2)).at
        pauses.append(round((held - now) / 1000))
        now = held + 100_000
    assert pauses[:3] == [1, 2, 4]
    assert pauses[-1] == pytest.approx(60, abs=1)

    told = await pace.admit("a", "on", 0, now=now)
    assert told.watched
    await pace.report("a", "ok", admitted_at=now, now=now)
    assert not (await pace.admit("a", "on", 0, now=now + 10_000)).watched


async def test_a_retry_after_of_hours_is_not_obeyed_for_hours(make_pace: MakePace) -> None:
    pace = make_pace(rate=10, burst=1)
    at = (await pace.admit("a", "0", 0, now=NOW)).at
    await pace.report("a", "limited", admitted_at=at, asked_s=3600, now=NOW)
    assert (await pace.admit("b", "on", 0, now=NOW + 300_001)).verdict == "go"


async def test_the_state_of_every_account_can_be_looked_at(make_pace: MakePace, store: Store) -> None:
    assert await states(store) == []
    pace = make_pace(rate=10, burst=2)
    at = (await pace.admit("a", "0", 0)).at
    (state,) = await states(store)
    assert (state.name, state.rate, state.burst, state.rate_now, state.circuit) == ("default", 10, 2, 10, "closed")

    await pace.report("a", "limited", admitted_at=at, asked_s=60)
    (state,) = await states(store)
    assert (state.rate, round(state.rate_now, 6)) == (10, 7)
    assert state.hold_until > at
    assert state.queue_ms > 59_000
