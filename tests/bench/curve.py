"""A curve: what something costs as the work grows; and its drawing as SVG, readable on light and dark pages."""

import math
from collections.abc import Sequence
from html import escape

from msgspec import Struct

WIDTH, HEIGHT = 720, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 44, 66, 52
_COLOURS = ("#2f7ed8", "#d9730d", "#2e9e5b", "#a855c7")
_STYLE = """\
<style>
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 15px; font-weight: 600 }
  .grid { stroke: #8c959f; stroke-opacity: .3 }
  .line { fill: none; stroke-width: 2.5 }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }
</style>"""


class Series(Struct, frozen=True):
    """One line: its name (empty if it is the only one), and (x, y) in rising order of x."""

    name: str
    points: tuple[tuple[float, float], ...]

    @property
    def growth(self) -> float:
        """What the last point costs, in those of the first."""
        return self.points[-1][1] / self.points[0][1]


class Curve(Struct, frozen=True, kw_only=True):
    """What is drawn. Both axes are logarithmic unless `linear`: flat looks flat, and linear growth is a slope of one."""

    name: str
    title: str
    x: str
    y: str
    series: tuple[Series, ...]
    linear: bool = False


class _Axis(Struct, frozen=True):
    """Where a value lies between two ends, in pixels, and which values are written beside the axis."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    linear: bool

    def at(self, value: float) -> float:
        low, high, here = (v if self.linear else math.log10(v) for v in (self.low, self.high, value))
        return self.start + (self.end - self.start) * (here - low) / (high - low)


def drawn(curve: Curve) -> str:
    """The curve as SVG."""
    points = [point for series in curve.series for point in series.points]
    make = _linear if curve.linear else _logarithmic
    across = make([x for x, _ in points], _LEFT, WIDTH - _RIGHT, whole=True)
    up = make([y for _, y in points], HEIGHT - _BOTTOM, _TOP, whole=False)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(curve.title)}</title>",
        _STYLE,
        f'<text class="title" x="{_LEFT}" y="22">{escape(curve.title)}</text>',
        *_grid(across, up),
        f'<text x="{(WIDTH + _LEFT) / 2:.0f}" y="{HEIGHT - 12}" text-anchor="middle">{escape(curve.x)}</text>',
        f'<text x="{_LEFT - 8}" y="{_TOP - 10}" text-anchor="end">{escape(curve.y)}</text>',
        *(part for number, series in enumerate(curve.series) for part in _line(series, number, across, up)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _logarithmic(values: Sequence[float], start: float, end: float, *, whole: bool) -> _Axis:
    """An axis over whole powers of ten; of costs at least two of them, so that noise does not look like growth."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + (1 if whole else 2))
    return _Axis(10.0**low, 10.0**high, start, end, tuple(10.0**n for n in range(low, high + 1)), linear=False)


def _linear(values: Sequence[float], start: float, end: float, *, whole: bool) -> _Axis:
    """An axis from zero on: whole numbers, or four steps of a round size."""
    most = max(values)
    step = 1.0 if whole else _round_up(most / 4)
    ticks = tuple(step * n for n in range(math.ceil(most / step) + 1))
    return _Axis(0, ticks[-1], start, end, ticks, linear=True)


def _round_up(value: float) -> float:
    size = 10.0 ** math.floor(math.log10(value))
    return next(size * n for n in (1, 2, 2.5, 5, 10) if size * n >= value)


def _grid(across: _Axis, up: _Axis) -> list[str]:
    lines = []
    for tick in up.ticks:
        y = up.at(tick)
        lines.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_told(tick)}</text>')
    for tick in across.ticks:
        x = across.at(tick)
        lines.append(f'<text x="{x:.1f}" y="{HEIGHT - _BOTTOM + 18}" text-anchor="middle">{_told(tick)}</text>')
    return lines


def _line(series: Series, number: int, across: _Axis, up: _Axis) -> list[str]:
    colour, places = _COLOURS[number], [(across.at(x), up.at(y)) for x, y in series.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    key = _LEFT + 200 * number
    name = f'<circle cx="{key + 5}" cy="38" r="5" fill="{colour}"/><text x="{key + 16}" y="42">{escape(series.name)}</text>'
    return [
        f'<polyline class="line" stroke="{colour}" points="{path}"/>',
        *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places),
        *([name] if series.name else []),
    ]


def _told(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 or value == 0 else f"{value:g}"
