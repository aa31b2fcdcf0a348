"""`python -m tests.chaos --seed 1`: real processes, killed at random moments; exit 0 if every promise was kept, else 1."""

import argparse
import asyncio
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from tests.chaos import report, script
from tests.chaos.judge import judge
from tests.chaos.run import play
from tests.chaos.sabotage import FAULTS
from tests.chaos.script import Script

_FULL = (10_000, 40)
_SHORT = (600, 6)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, help=f"default {_FULL[0]}, or {_SHORT[0]} with --short")
    parser.add_argument("--kills", type=int, help=f"default {_FULL[1]}, or {_SHORT[1]} with --short")
    parser.add_argument("--short", action="store_true", help="less than a minute, with a lease of 3 s")
    parser.add_argument("--fault", choices=sorted(FAULTS), help="build this fault in, to see that it is found")
    return parser.parse_args()


def write(options: argparse.Namespace) -> Script:
    """Choose the script; sleeping workers show best whether leases are checked."""
    events, kills = _SHORT if options.short else _FULL
    if options.fault == "lease-not-checked" and options.short:
        return script.sleepers(options.seed, options.events or events, options.fault)
    chosen = script.short if options.short else script.full
    return chosen(options.seed, options.events or events, options.kills or kills, options.fault)


def main() -> int:
    options = arguments()
    folder = Path(tempfile.mkdtemp(prefix="sluice-chaos-"))
    written = write(options)
    played = asyncio.run(play(written, folder))
    verdict = judge(written.stream, played.evidence)
    command = shlex.join(["make", "chaos", f"ARGS={shlex.join(sys.argv[1:])}"])
    out = Console(width=None if sys.stdout.isatty() else 160)
    report.show(written, played, verdict, command, out)
    if verdict.good:
        shutil.rmtree(folder)
        return 0
    out.print(f"Logs and Valkey's data: {folder}", highlight=False)
    return 1


if __name__ == "__main__":
    sys.exit(main())
