"""`sluice rules backtest`: what would other rules have done with the events of the last days? Nothing is called."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import rich_click as click
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table

from service.cli import rule_sets
from service.cli.command import ago, command, err, json_option, now_ms, opened, out
from service.dev.view import counted
from service.engine import RuleSet
from service.engine.compare import MOST_OBJECTS, Comparison, Decided, Example, Tally
from service.store import Store, journal
from service.store.journal import Journalled

_MOST_RULE_SETS = 8
"""Compiled at a time; events come in the order of time, and so do their rule sets."""

_SAID = {"no": "nothing", "live": "a run", "shadow": "only recorded", "fails": "fails"}

_COLUMNS = (
    "Runs: as then, more, fewer, with other calls. Other: recorded only or failed, now or then. Objects: that differ."
)


@click.command("backtest")
@click.option(
    "--since", default="7d", show_default=True, metavar="AGO", help="Events from this long ago, e.g. 12h or 7d."
)
@click.option("--until", metavar="AGO", help="… until this long ago.")
@click.option(
    "--against", default="", metavar="REF|FOLDER", help="Other rules: a folder, or a Git reference of --rules."
)
@click.option(
    "--rules", "folder", type=click.Path(path_type=Path), default="rules", show_default=True, help="The rules folder."
)
@click.option("--most", type=click.IntRange(0, 1000), default=3, show_default=True, help="Examples a rule, at most.")
@json_option
@command
async def backtest(since: str, until: str | None, against: str, folder: Path, most: int, as_json: bool) -> int:
    """Decide again about events that came in, under the rules in the folder `rules` or others, and show the difference.

    Compared is what was decided when each event came in. Rules given with --against take the place of the folder `rules`: it is
    they that are compared with what was decided, not with that folder. Nothing is written, nothing is called. Exit 1 if
    there is a difference.
    """
    other = Path(against)
    if against and not other.is_dir():
        rule_set = rule_sets.of_git(folder, against)
    else:
        rule_set = rule_sets.of_folder(other if against else folder)
    first, last = ago(since) or 0, ago(until) or now_ms()
    async with opened() as store:
        compared = await compare(store, rule_set, first, last, most)
    if as_json:
        click.echo(msgspec.json.encode(_plain(compared, rule_set)))
    else:
        _tell(compared, rule_set, against or str(folder))
    return 1 if any(tally.differs for tally in compared.rules.values()) else 0


async def compare(store: Store, rule_set: RuleSet, since: int, until: int, most: int) -> Comparison:
    """Stream the journal from `since` to `until` (ms) through a comparison; memory stays flat."""
    comparison = Comparison(rule_set, most_examples=most)
    past: dict[str, RuleSet | None] = {rule_set.version: rule_set}
    with _progress(until - since) as show:
        async for page in journal.pages(store, since=since, until=until):
            for found in page:
                version = found.entry.ruleset
                if version not in past:
                    if len(past) >= _MOST_RULE_SETS:
                        del past[next(iter(past))]
                    past[version] = await rule_sets.of_version(store, version)
                comparison.add(_decided(found), past[version])
            show(int(page[-1].id.partition("-")[0]) - since, comparison.events)
    return comparison


def _decided(found: Journalled) -> Decided:
    entry = found.entry
    return Decided(
        id=found.id,
        event=entry.event,
        at=entry.received_at,
        ruleset=entry.ruleset,
        runs=entry.runs,
        shadowed=entry.shadowed,
        failures=entry.failures,
    )


@contextmanager
def _progress(span_ms: int) -> Iterator[Any]:
    """Show how far through the span of time we are; on a terminal only."""
    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=max(1, span_ms))
        yield lambda done_ms, events: bar.update(task, completed=done_ms, description=f"{events:,} events")


def _tell(compared: Comparison, rule_set: RuleSet, name: str) -> None:
    out.print(
        f"{counted(compared.events, 'event')}, decided again under {name} (rule set {rule_set.version}).",
        highlight=False,
        markup=False,
    )
    if compared.steps_unknown:
        out.print(
            f"For {counted(compared.steps_unknown, 'run')} the rule set of their day is not kept any more:"
            " whether they would call something else is not known.",
            style="yellow",
            highlight=False,
        )
    differing = {rule: tally for rule, tally in sorted(compared.rules.items()) if tally.differs}
    if not differing:
        out.print(
            f"No difference: {counted(sum(tally.same for tally in compared.rules.values()), 'run')}, the same as then."
        )
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("rule", overflow="fold")
    for column in ("same", "more", "fewer", "other calls", "other", "objects"):
        table.add_column(column, justify="right")
    for rule, tally in differing.items():
        more, fewer = (f"+{tally.more:,}" if tally.more else ""), (f"-{tally.fewer:,}" if tally.fewer else "")
        rest = (tally.differently, tally.others)
        table.add_row(rule, f"{tally.same:,}", more, fewer, *(f"{n:,}" if n else "" for n in rest), _objects(tally))
    out.print(table)
    out.print(_COLUMNS, style="dim", highlight=False)
    for rule, tally in differing.items():
        for example in tally.examples:
            _tell_example(rule, example)
    out.print("Why: sluice rules explain ID, and the same with --rules FOLDER.", style="dim")


def _objects(tally: Tally) -> str:
    return f"{len(tally.objects):,}" + ("+" if len(tally.objects) >= MOST_OBJECTS else "")


def _tell_example(rule: str, example: Example) -> None:
    change = "other calls" if example.before == example.after else f"{_SAID[example.before]} → {_SAID[example.after]}"
    line = f"  {example.id}  {example.object}  {rule}: {change}"
    out.print(line, highlight=False, markup=False, soft_wrap=True)


def _plain(compared: Comparison, rule_set: RuleSet) -> dict[str, Any]:
    return {
        "ruleset": rule_set.version,
        "events": compared.events,
        "steps_unknown": compared.steps_unknown,
        "rules": {
            rule: {
                **{name: getattr(tally, name) for name in ("same", "more", "fewer", "differently", "others")},
                "objects": len(tally.objects),
                "examples": tally.examples,
            }
            for rule, tally in sorted(compared.rules.items())
        },
    }
