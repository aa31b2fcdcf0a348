"""`python -m tests.bench.curves [NAME …]`: what costs what as the work grows, as plots in docs/performance/.

It takes about ten minutes; a million waiting lanes take four gigabytes of memory at most, and three of disk.
"""

import argparse
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
import uvloop
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from service.dev.processes import NotStarted
from tests.bench.curve import Curve, drawn
from tests.bench.grow import campaigns, ruled, waiting
from tests.bench.grow_processes import processes
from tests.bench.machine import Machine, this_machine
from tests.bench.result import number

FOLDER = Path("docs/performance")

GROWN: dict[str, tuple[Callable[[Path, int], Awaitable[list[Curve]]], int, int]] = {
    "lanes": (waiting, 1_000_000, 10_000),
    "rules": (ruled, 10_000, 100),
    "campaign": (campaigns, 100_000, 100),
    "processes": (processes, 4, 1),
}
"""Name -> what grows, and up to how much: for real, and in a quick run."""


class Grown(Struct, frozen=True):
    """What is kept as JSON beside the plots."""

    machine: Machine
    curves: list[Curve]


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.curves", description="Plot what costs what.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all if none is named: {', '.join(GROWN)}")
    parser.add_argument("--quick", action="store_true", help="little of everything, to see that it works")
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"where the plots go; default {FOLDER}")
    options = parser.parse_args(given)
    if unknown := set(options.names) - set(GROWN):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are: {', '.join(GROWN)}")
    return options


async def grow(names: Sequence[str], *, quick: bool) -> list[Curve]:
    """Let the named things grow, one after the other. Raises NotStarted."""
    curves = []
    for name in names:
        Console(stderr=True).print(f"{name} ...", style="dim")
        work, most, few = GROWN[name]
        with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
            curves += await work(Path(folder), few if quick else most)
    return curves


def main(given: Sequence[str] | None = None) -> int:
    """Measure, draw, and keep the figures in `curves.json` beside the plots, with those of other names as they were."""
    options, machine = arguments(given), this_machine()
    try:
        curves = uvloop.run(grow(options.names or list(GROWN), quick=options.quick))
    except NotStarted as error:
        Console(stderr=True).print(str(error), markup=False, highlight=False)
        return 2
    options.folder.mkdir(parents=True, exist_ok=True)
    for curve in curves:
        (options.folder / f"{curve.name}.svg").write_text(drawn(curve))
    kept = options.folder / "curves.json"
    others = msgspec.json.decode(kept.read_bytes(), type=Grown).curves if kept.exists() else []
    fresh = {curve.name for curve in curves}
    grown = Grown(machine, [curve for curve in others if curve.name not in fresh] + curves)
    kept.write_bytes(msgspec.json.format(msgspec.json.encode(grown), indent=1) + b"\n")
    Console().print(table(curves))
    return 0


def table(curves: Sequence[Curve]) -> Table:
    """The points in figures."""
    shown = Table("what grows", "cost", "from the least to the most", "times")
    for curve in curves:
        for series in curve.series:
            points = "   ".join(f"{x:,.0f}: {number(y)}" for x, y in series.points)
            shown.add_row(curve.x, f"{series.name or curve.title} ({curve.y})", points, f"× {number(series.growth)}")
    return shown


if __name__ == "__main__":
    sys.exit(main())
