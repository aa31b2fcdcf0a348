"""`python -m tests.chaos --seed 1`: real processes, killed at random moments; exit 0 if every promise was kept, else 1."""

import argparse
import asyncio
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from tests.chaos import report
from tests.chaos.judge import judge
from tests.chaos.run import play
from tests.chaos.sabotage import FAULTS
from tests.chaos.script import WRITERS, Script


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--script", choices=sorted(WRITERS), help="what happens; by default full")
    parser.add_argument(
        "--short", action="store_const", const="short", dest="script", help="the same as --script short"
    )
    parser.add_argument("--events", type=int, help="how many; by default as many as the script wants")
    parser.add_argument("--kills", type=int, help="how many; by default as many as the script wants")
    parser.add_argument("--fault", choices=sorted(FAULTS), help="build this fault in, to see that it is found")
    return parser.parse_args()


def written(options: argparse.Namespace) -> Script:
    """Write the script that was asked for, or else the one under which the fault shows."""
    name = options.script or (FAULTS[options.fault][1] if options.fault else "full")
    write, events, kills = WRITERS[name]
    return write(options.seed, options.events or events, options.kills or kills, options.fault)


def command(options: argparse.Namespace) -> str:
    """Say how to do this again."""
    given = [("--script", options.script), ("--events", options.events), ("--kills", options.kills)]
    words = [word for name, value in (*given, ("--fault", options.fault)) if value for word in (name, str(value))]
    return f"make chaos SEEDS={options.seed}" + (f" ARGS='{shlex.join(words)}'" if words else "")


def main() -> int:
    options = arguments()
    folder = Path(tempfile.mkdtemp(prefix="sluice-chaos-"))
    script = written(options)
    played = asyncio.run(play(script, folder))
    verdict = judge(script.stream, played.evidence)
    out = Console(width=None if sys.stdout.isatty() else 160)
    report.show(script, played, verdict, command(options), out)
    if verdict.good:
        shutil.rmtree(folder)
        return 0
    out.print(f"Logs and Valkey's data: {folder}", highlight=False)
    return 1


if __name__ == "__main__":
    sys.exit(main())
