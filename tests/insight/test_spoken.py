"""How things are said."""

import pytest

from service.insight.spoken import hindered, is_warning, lasted, rate
from service.store.records import RunRecord, RunState


@pytest.mark.parametrize(
    ("per_second", "said"), [(0.25, "0.25"), (10.0, "10"), (12.345, "12.3"), (99.99, "100"), (100_000.0, "100,000")]
)
def test_a_rate_is_never_written_with_an_exponent(per_second: float, said: str) -> None:
    assert rate(per_second) == said


def test_a_warning_is_told_from_an_error_by_its_first_line() -> None:
    assert is_warning("r.yaml:3:5: warning R315: `x` can never hold\n    3 | x")
    assert not is_warning("r.yaml:3:5: error R202: a rule has no key `y`\n    3 | y: ': warning R1'")
    assert not is_warning("r.yaml is broken: its last good version stays in force")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("done", "30 ms after it arrived"),
        ("dead", "30 ms after it arrived"),
        ("dropped", "it had died 30 ms after it arrived"),
        ("retrying", ""),  # a person has it tried again: its first end is no end
    ],
)
def test_the_time_of_an_end_is_not_taken_for_that_of_another(state: RunState, said: str) -> None:
    assert lasted(RunRecord(state=state, ended_at=1030), 1000) == said
    assert lasted(RunRecord(state=state), 1000) == ""


@pytest.mark.parametrize(
    ("tries", "put_off", "said"),
    [
        (0, 0, []),
        (1, 0, ["1 failed try"]),
        (0, 1, ["had to wait once"]),
        (2, 2, ["2 failed tries", "had to wait twice"]),
        (0, 1200, ["had to wait 1,200 times"]),
    ],
)
def test_a_run_that_has_ended_still_says_what_hindered_it(tries: int, put_off: int, said: list[str]) -> None:
    assert hindered(RunRecord(state="done", tries=tries, put_off=put_off)) == said
