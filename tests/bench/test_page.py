"""What is made of results: the page, and the plots."""

from xml.etree import ElementTree as ET

import msgspec
import pytest
from msgspec.structs import replace

from tests.bench.curve import Curve, Series, drawn
from tests.bench.machine import this_machine
from tests.bench.measure import Target
from tests.bench.page import filled
from tests.bench.result import Line, Result, table

_SVG = "{http://www.w3.org/2000/svg}"


def _result() -> Result:
    target = Target("≥", 0.75, "ratio")
    line = Line(
        measure="acknowledge",
        figure="fsync",
        title="1 event",
        unit="deliveries/s",
        rounds=(3000.0, 3200.0, 3100.0),
        beside="echo",
        ratios=(0.8, 0.9, 0.7),
        target=target,
    )
    return Result(machine=this_machine(), started="2026-11-22T09:00:00+00:00", rounds=3, quick=False, lines=(line,))


def test_a_result_is_kept_as_it_was_found() -> None:
    result = _result()
    assert msgspec.json.decode(msgspec.json.encode(result), type=Result) == result


def test_a_quick_round_does_not_claim_what_its_lines_say() -> None:
    assert "less than the lines say" not in str(table(_result(), 100).title)
    assert "1 round of less than the lines say" in str(table(replace(_result(), rounds=1, quick=True), 100).title)


def test_the_page_gets_the_newest_result_and_keeps_everything_else() -> None:
    page = "# Title\n<!-- results -->\nold\n<!-- end of results -->\nrest\n"
    written = filled(page, _result())
    assert "| 1 event (deliveries/s) | 3,100 | 3,000 … 3,200 | × 0.80 | ≥ × 0.75 met |" in written
    assert "### Targets: 1 met, 0 missed" in written
    assert "| 1 event (deliveries/s) | × 0.80 | × 0.7 … 0.9 | ≥ × 0.75 met |" in written
    assert "old" not in written
    assert written.startswith("# Title\n")
    assert written.endswith("rest\n")
    assert filled(written, _result()) == written


def test_a_page_without_a_place_for_results_is_not_overwritten() -> None:
    with pytest.raises(ValueError, match="no place"):
        filled("# Title\n", _result())


@pytest.mark.parametrize("linear", [False, True])
def test_every_point_of_a_curve_lies_within_its_frame(linear: bool) -> None:
    points = ((1.0, 0.4), (10.0, 7.0), (1000.0, 45.0))
    curve = Curve(name="c", title="<Costs> & work", x="n", y="ms", series=(Series("a", points),), linear=linear)
    drawing = ET.fromstring(drawn(curve))  # noqa: S314 - our own text
    circles = [dot for dot in drawing.iter(f"{_SVG}circle") if dot.get("r") == "3.5"]
    assert len(circles) == len(points)
    _, _, width, height = map(float, str(drawing.get("viewBox")).split())
    places = [(float(str(dot.get("cx"))), float(str(dot.get("cy")))) for dot in circles]
    assert all(0 < x < width and 0 < y < height for x, y in places)
    assert sorted(places, key=lambda place: place[0]) == sorted(places, key=lambda place: -place[1])


def test_a_flat_cost_is_drawn_flat() -> None:
    curve = Curve(name="c", title="t", x="n", y="ms", series=(Series("", ((10.0, 2.0), (100.0, 2.0), (1000.0, 2.0))),))
    drawing = ET.fromstring(drawn(curve))  # noqa: S314 - our own text
    assert len({dot.get("cy") for dot in drawing.iter(f"{_SVG}circle")}) == 1
    assert curve.series[0].growth == 1
