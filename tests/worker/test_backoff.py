"""When to try again: in bounds, spread out, and never earlier than the far side asked for."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from service.worker.backoff import Backoff

SECONDS = st.floats(min_value=0.001, max_value=10_000)
TRIES = st.integers(min_value=1, max_value=10_000)


class _Highest(Random):
    def uniform(self, a: float, b: float) -> float:
        del a
        return b


@given(base=SECONDS, cap=SECONDS, tried=TRIES, seed=st.integers())
def test_our_own_backoff_is_never_negative_and_never_above_the_cap(
    base: float, cap: float, tried: int, seed: int
) -> None:
    delay = Backoff(base_s=base, cap_s=cap, random=Random(seed)).delay_s(tried, None)
    assert 0 <= delay <= cap
    assert delay <= base * 2 ** min(tried, 1000)


@given(asked=st.floats(min_value=0, max_value=1e9), tried=TRIES, seed=st.integers())
def test_what_was_asked_for_is_honoured_up_to_the_cap(asked: float, tried: int, seed: int) -> None:
    backoff = Backoff(base_s=1, cap_s=900, random=Random(seed))
    delay = backoff.delay_s(tried, asked)
    assert min(asked, 900) <= delay <= 2 * 900
    assert delay <= 2 * asked + 1.001  # rounding


@given(base=SECONDS, cap=SECONDS)
def test_the_bound_grows_with_every_try_until_it_meets_the_cap(base: float, cap: float) -> None:
    backoff = Backoff(base_s=base, cap_s=cap, random=_Highest())
    bounds = [backoff.delay_s(tried, None) for tried in range(1, 40)]
    assert bounds == sorted(bounds)
    assert bounds[0] == min(cap, 2 * base)
    assert bounds[-1] == cap


def test_those_who_were_told_the_same_time_do_not_come_back_at_the_same_instant() -> None:
    backoff = Backoff(random=Random(1))
    assert len({backoff.delay_s(1, 10.0) for _ in range(100)}) > 90
