"""The bench itself: every measure runs, fills its rows, and is judged as it should be."""

import math
from pathlib import Path

import pytest

from tests.bench.__main__ import MEASURES, main
from tests.bench.curve import drawn
from tests.bench.curves import GROWN
from tests.bench.measure import Measure, Place, Row, Target, share
from tests.bench.result import lines

pytestmark = pytest.mark.no_cover  # coverage measures what the tests show, not what is measured


@pytest.mark.slow
@pytest.mark.parametrize("name", MEASURES)
async def test_a_measure_fills_its_rows_in_a_quick_round(name: str, tmp_path: Path) -> None:
    measure = MEASURES[name]
    figures = await measure.once(Place(tmp_path, quick=True))
    assert all(math.isfinite(figure) for figure in figures.values())
    peers = {row.figure for row in measure.rows if row.figure.startswith(("celery", "arq", "aiohttp"))}
    assert {row.figure for row in measure.rows} - peers <= figures.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", GROWN)
async def test_what_grows_is_measured_in_a_quick_run(name: str, tmp_path: Path) -> None:
    work, _, few = GROWN[name]
    curves = await work(tmp_path, few)
    assert all(y > 0 for curve in curves for series in curve.series for _, y in series.points)
    assert all(drawn(curve).startswith("<svg") for curve in curves)


def _measured(row: Row, *rounds: dict[str, float]) -> tuple[float, float | None, bool | None]:
    async def once(_: Place) -> dict[str, float]:
        return rounds[0]

    (line,) = lines(Measure("m", (row,), once), rounds)
    return line.median, line.ratio, line.met


def test_a_ratio_is_that_of_figures_of_the_same_round() -> None:
    row = Row(figure="ours", title="", unit="", beside="echo", target=Target("≥", 0.75, "ratio"))
    calm, busy = {"ours": 80.0, "echo": 100.0}, {"ours": 40.0, "echo": 50.0}
    assert _measured(row, calm, busy, calm) == (80, 0.8, True)


def test_a_target_that_is_missed_is_missed() -> None:
    row = Row(figure="ms", title="", unit="ms", target=Target("≤", 5))
    assert _measured(row, {"ms": 4.0}, {"ms": 6.0}, {"ms": 6.0}) == (6, None, False)


def test_a_row_whose_yardstick_was_not_measured_is_left_out() -> None:
    row = Row(figure="ours", title="", unit="", beside="celery")

    async def once(_: Place) -> dict[str, float]:
        return {"ours": 1.0}

    assert lines(Measure("m", (row,), once), [{"ours": 1.0}]) == []


def test_a_percentile_is_one_of_the_waits() -> None:
    waits = tuple(float(n) for n in range(100, 0, -1))
    assert (share(waits, 0.5), share(waits, 0.99), share((7.0,), 0.99)) == (51, 100, 7)


def test_a_measure_that_does_not_exist_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["planing"])
    assert exit_.value.code == 2
    assert "planing; there are: acknowledge" in capsys.readouterr().err
