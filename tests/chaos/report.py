"""What came of a run, for people."""

from collections import Counter, defaultdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.chaos.judge import Check, Verdict
from tests.chaos.run import Played
from tests.chaos.script import Script
from tests.chaos.stage import EVERYBODY

_SHOWN = 20
_VERBS = {"kill": "kill -9", "stop": "paused", "term": "SIGTERM", "revoke": "tokens revoked"}


def show(script: Script, played: Played, verdict: Verdict, command: str, out: Console) -> None:
    """Print counts, what was done to whom, every check, and the command that does it again."""
    _counts(script, played, out)
    _acts(played, out)
    for check in verdict.checks:
        _check(check, out)
    if verdict.repeats:
        out.print("\nUncertain repeats (a value written again because nobody could know that it had been):")
        for why, many in Counter(repeat.rpartition(": ")[2] for repeat in verdict.repeats).most_common():
            out.print(f"  {many:5}  {why}", highlight=False)
        _list(verdict.repeats, "dim", out)
    words = "[green]All is well.[/]" if verdict.good else "[red]Not all is well.[/]"
    out.print(f"\n{words} Seed {script.seed}. The same stream and schedule again: {command}", highlight=False)


def _counts(script: Script, played: Played, out: Console) -> None:
    facts, sendings = len(script.stream.facts), len(script.stream.sendings)
    writes = len(played.evidence.writes)
    out.print(
        f"{facts} events, {sendings} notifications of them, {script.kills} kills; "
        f"{writes} writes in Sakari; {played.took_s:.0f} s, {facts / played.took_s:.0f} events a second.",
        highlight=False,
    )
    answers = ", ".join(f"{many} {outcome}" for outcome, many in played.outcomes.most_common())
    out.print(f"Deliveries: {answers}.", highlight=False)


def _acts(played: Played, out: Console) -> None:
    times: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for disturbance in played.evidence.disturbances:
        times[disturbance.target][disturbance.kind] += 1
    table = Table("process", *_VERBS.values(), box=None, pad_edge=False)
    for name in EVERYBODY:
        table.add_row(name, *(str(times[name][kind] or "") for kind in _VERBS))
    out.print(table)


def _check(check: Check, out: Console) -> None:
    remark = f" [dim]({escape(check.remark)})[/]" if check.remark else ""
    mark = f"[red]✗ {len(check.wrong)}[/]" if check.wrong else "[green]✓[/]"
    out.print(f"{mark} {escape(check.name)}{remark}", highlight=False)
    _list(check.wrong, "red", out)


def _list(lines: tuple[str, ...], style: str, out: Console) -> None:
    for line in lines[:_SHOWN]:
        out.print(f"    {line}", style=style, markup=False, highlight=False)
    if len(lines) > _SHOWN:
        out.print(f"    … and {len(lines) - _SHOWN} more", style=style)
