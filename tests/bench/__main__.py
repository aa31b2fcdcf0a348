"""`python -m tests.bench [MEASURE …]`: measure the hot paths beside their yardsticks, and print a table.

Every measure starts what it needs, once a round. Rounds are interleaved: each measure and its yardsticks once, then all of
them again; a first, short round warms the machine up and does not count.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import uvloop
from rich.console import Console

from service.dev.processes import NotStarted
from tests.bench import (
    acknowledge,
    calls,
    end_to_end,
    idle,
    latency,
    memory,
    planning,
    reload,
    start_up,
    store,
)
from tests.bench.machine import this_machine
from tests.bench.measure import Measure, Place
from tests.bench.peer_installed import MISSING, peers
from tests.bench.result import Line, Result, lines, table

MEASURES = {
    measure.name: measure
    for measure in (
        acknowledge.MEASURE,
        end_to_end.MEASURE,
        latency.MEASURE,
        idle.MEASURE,
        start_up.MEASURE,
        planning.MEASURE,
        reload.MEASURE,
        store.MEASURE,
        calls.MEASURE,
        memory.MEASURE,
    )
}
ROUNDS = 5

err = Console(stderr=True)


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Measure the hot paths of Sluice, each beside a yardstick of the same run.",
    )
    known = ", ".join(MEASURES)
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help=f"all if none is named: {known}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help=f"default {ROUNDS}")
    parser.add_argument(
        "--quick", action="store_true", help="one small round: shows that everything works, measures nothing"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write every round's figures, machine and versions there"
    )
    options = parser.parse_args(given)
    if unknown := set(options.measures) - set(MEASURES):
        parser.error(f"there is no measure {', '.join(sorted(unknown))}; there are: {known}")
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


async def run(measures: Sequence[Measure], rounds: int, *, quick: bool) -> Result:
    """Measure, in turns. Raises NotStarted if a process does not come up."""
    machine, started = this_machine(), datetime.now(UTC).isoformat(timespec="seconds")
    found: dict[str, list[dict[str, float]]] = {measure.name: [] for measure in measures}
    for number in range(1 if quick else 0, 2 if quick else rounds + 1):
        for measure in measures:
            err.print(f"round {number} of {1 if quick else rounds}: {measure.name}", style="dim", highlight=False)
            figures = await _once(measure, quick=quick or number == 0)
            if number:
                found[measure.name].append(figures)
    filled: list[Line] = [
        line for measure in measures for line in lines(measure, found[measure.name], judged=not quick)
    ]
    return Result(
        machine=machine,
        started=started,
        rounds=1 if quick else rounds,
        quick=quick,
        lines=tuple(filled),
        skipped=() if peers() else (MISSING,),
    )


async def _once(measure: Measure, *, quick: bool) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        return await measure.once(Place(Path(folder), quick))


def main(given: Sequence[str] | None = None) -> int:
    """Run the command: 0 if every target was met, 1 if one was missed, 2 if something did not start."""
    options = arguments(given)
    measures = [MEASURES[name] for name in options.measures or MEASURES]
    if not sys.platform.startswith("linux"):
        err.print("The bench reads what processes cost from /proc, which only Linux has.")
        return 2
    try:
        result = uvloop.run(run(measures, options.rounds, quick=options.quick))
    except NotStarted as error:
        err.print(str(error), markup=False, highlight=False)
        return 2
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    out = Console()
    out.print(table(result, out.width))
    for reason in result.skipped:
        out.print(f"Not measured: {reason}", markup=False, highlight=False)
    return 0 if all(line.met is not False for line in result.lines) else 1


if __name__ == "__main__":
    sys.exit(main())
