"""The pace and an outage, small: real processes, a limit in the sandbox, several workers."""

import pytest

from tests.bench.pace import outage, steady

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]


async def test_a_backlog_is_worked_off_at_the_pace_without_a_429() -> None:
    found = await steady(runs=240, limit=40)
    assert found.states == {"done": 240}
    assert found.calls == {"200": 240}
    assert found.letters == 0
    assert 0.8 * 40 < found.rate() < 1.03 * 40  # at full size, `python -m tests.bench.pace`, it is over 95 %
    assert max(found.tries) == 0


async def test_an_outage_opens_the_circuit_uses_up_no_tries_and_buries_nothing() -> None:
    found = await outage(before=160, during=40, seconds=5, limit=40)
    measured = found.measured
    assert len(measured.told("circuit opened")) >= 1
    assert len(measured.told("circuit closed")) == len(measured.told("circuit opened"))
    assert measured.states == {"done": 200}
    assert measured.letters == 0
    assert max(measured.tries) <= 1
    assert measured.tries[1] <= 20  # those that met it first
    assert measured.calls.get("429", 0) == 0
