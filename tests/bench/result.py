"""What a run of the bench found: every round's figures, and the table that is made of them."""

import statistics
from collections.abc import Sequence

from msgspec import Struct
from rich.table import Table

from tests.bench.machine import Machine
from tests.bench.measure import Measure, Row, Target


class Line(Struct, frozen=True, kw_only=True):
    """One row with what was found for it, a value a round. Ratios are those of figures of the same round."""

    measure: str
    figure: str
    title: str
    unit: str
    rounds: tuple[float, ...]
    beside: str = ""
    ratios: tuple[float, ...] = ()
    target: Target | None = None

    @property
    def median(self) -> float:
        """The figure."""
        return statistics.median(self.rounds)

    @property
    def ratio(self) -> float | None:
        """How it compares to its yardstick."""
        return statistics.median(self.ratios) if self.ratios else None

    @property
    def judged(self) -> tuple[float, ...]:
        """What the target is held against, a value a round: the figures, or the ratios. Nothing if nothing was promised."""
        if self.target is None:
            return ()
        return self.rounds if self.target.of == "figure" else self.ratios

    @property
    def met(self) -> bool | None:
        """Whether the median is as good as promised; None if nothing was, or nothing was found."""
        return self.target.met(statistics.median(self.judged)) if self.target and self.judged else None


class Result(Struct, frozen=True, kw_only=True):
    """A whole run, as it is kept as JSON."""

    machine: Machine
    started: str
    """UTC, ISO 8601."""
    rounds: int
    quick: bool
    lines: tuple[Line, ...]
    skipped: tuple[str, ...] = ()
    """What was not measured, and why."""


def lines(measure: Measure, rounds: Sequence[dict[str, float]], *, judged: bool = True) -> list[Line]:
    """Fill the rows of a measure, with or without what was promised; those that need a figure nobody took are left out."""
    return [
        _line(measure.name, row, rounds, judged=judged)
        for row in measure.rows
        if all({row.figure, row.beside} - {""} <= found.keys() for found in rounds)
    ]


def _line(measure: str, row: Row, rounds: Sequence[dict[str, float]], *, judged: bool) -> Line:
    compared = bool(row.beside) and all(found[row.beside] for found in rounds)
    return Line(
        measure=measure,
        figure=row.figure,
        title=row.title,
        unit=row.unit,
        rounds=tuple(found[row.figure] for found in rounds),
        beside=row.beside if compared else "",
        ratios=tuple(found[row.figure] / found[row.beside] for found in rounds) if compared else (),
        target=row.target if judged else None,
    )


def table(result: Result, width: int) -> Table:
    """Show what was found, a block a measure; the spread where there is room for it."""
    rounds = f"{result.rounds} round{'s' if result.rounds > 1 else ''}"
    rounds += " of less than the lines say (--quick measures nothing)" if result.quick else ""
    wide = width >= _WIDE
    shown = Table(title=f"medians of {rounds}, {result.machine.processor}, {result.machine.cores} cores", expand=True)
    shown.add_column("measure", ratio=1)
    for heading in ("median", *(["least … most"] if wide else []), "ratio", "target"):
        shown.add_column(heading, justify="right", no_wrap=True)
    last = ""
    for line in result.lines:
        if last and line.measure != last:
            shown.add_section()
        last = line.measure
        style = "red" if line.met is False else "dim" if not line.beside and line.target is None else ""
        title, median, spread, ratio, target = cells(line)
        shown.add_row(title, median, *([spread] if wide else []), ratio, target, style=style)
    return shown


_WIDE = 100


def cells(line: Line) -> tuple[str, str, str, str, str]:
    """A line in words: title with unit, median, spread, ratio to the yardstick, target and whether it was met."""
    spread = spread_of(line.rounds)
    ratio = f"× {line.ratio:.2f}" if line.ratio is not None else ""
    return f"{line.title} ({line.unit})", number(line.median), spread, ratio, _promise(line)


def spread_of(rounds: Sequence[float]) -> str:
    """The least and the most of some rounds; nothing for a single one."""
    return f"{number(min(rounds))} … {number(max(rounds))}" if len(rounds) > 1 else ""


def _promise(line: Line) -> str:
    if line.target is None:
        return ""
    wanted = number(line.target.value)
    wanted = f"× {wanted}" if line.target.of == "ratio" else wanted
    return f"{line.target.sign} {wanted} {'MISSED' if line.met is False else 'met'}"


def number(value: float) -> str:
    """A number with three digits that count."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.1e}"
