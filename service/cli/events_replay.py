"""`sluice events replay`: run chosen events again, under the rules in force."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import rich_click as click
from msgspec import Struct, field
from redis.exceptions import RedisError

from service.cli import rule_sets
from service.cli.command import ago, command, err, json_option, now_ms, opened, out
from service.dev import view
from service.engine import RuleSet
from service.ingress.replay import Considered, consider
from service.store import Store, journal, replay, rulesets
from service.store.journal import Journalled

_AT_ONCE = 200


class Chosen(Struct, frozen=True, kw_only=True):
    """Which events are meant, and which of their runs; what is empty does not restrict."""

    ids: tuple[str, ...]
    since: int
    until: int
    source: str
    type: str
    rule: str

    def fits(self, event: Journalled) -> bool:
        """Whether an event of these ids, or of that time, is meant."""
        return self.source in ("", event.entry.event.source) and self.type in ("", event.entry.event.type)


class Tally(Struct):
    """What a replay found, or did."""

    events: int = 0
    oldest: int = 0
    """When the oldest event with a run to add occurred (ms); 0 if there is none."""
    runs: Counter[str] = field(default_factory=Counter)
    """Rule id -> runs to add."""
    skipped: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(rule id, why) -> runs."""

    def count(self, event: Journalled, considered: list[Considered]) -> None:
        """Take in what was found for one event."""
        self.events += 1
        for one in considered:
            if one.addition is None:
                self.skipped[one.rule, one.skipped] += 1
                continue
            self.runs[one.rule] += 1
            occurred_at = event.entry.event.occurred_at
            self.oldest = min(self.oldest or occurred_at, occurred_at)


@click.command("replay")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--since", metavar="AGO", help="Instead of ids: events from this long ago, e.g. 2h or 7d.")
@click.option("--until", metavar="AGO", help="… until this long ago.")
@click.option("--source", default="", help="Only events of this source.")
@click.option("--type", "event_type", default="", help="Only events of this type, e.g. contact.updated.")
@click.option("--rule", default="", help="Only runs of this rule.")
@click.option(
    "--rules",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Run them under these rules.  [default: the rules in force]",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@command
async def replay_events(
    ids: tuple[str, ...],
    since: str | None,
    until: str | None,
    source: str,
    event_type: str,
    rule: str,
    folder: Path | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Run events again that came in before, say after a rule was added or mended.

    What was done stays done: a rule that had a run for an event gets none again, unless that run died before any step did
    anything. Runs start in their object's lane, in the order of what happened; they expire as if planned now. Where a newer
    value was written to Sakari within 30 days, an older event does not overwrite it. Exit 1 if runs could not be added.
    """
    chosen = _chosen(ids, since, until, source, event_type, rule)
    if as_json and not (dry_run or yes):
        raise click.UsageError("--json cannot ask: add --dry-run or --yes")
    async with opened() as store:
        rule_set = rule_sets.of_folder(folder) if folder is not None else await rule_sets.in_force(store)
        if rule and rule not in rule_set.by_id:
            raise click.UsageError(f"rule set {rule_set.version} has no rule `{rule}`")
        found = await _look(store, rule_set, chosen)
        if not as_json:
            _tell(found, rule_set, store.options.fence_ms)
        if dry_run or not found.runs:
            _print_json(as_json, found, 0)
            return 0
        if not yes:
            click.confirm(f"Add {view.counted(found.runs.total(), 'run')}?", abort=True)
        added = await _do(store, rule_set, chosen)
    _print_json(as_json, found, added)
    if not as_json:
        out.print(
            f"{view.counted(added, 'run')} added; `sluice events show ID` tells what becomes of them.", highlight=False
        )
    return 0


def _chosen(
    ids: tuple[str, ...], since: str | None, until: str | None, source: str, event_type: str, rule: str
) -> Chosen:
    if bool(ids) == bool(since):
        raise click.UsageError("say which events: give ids (see `sluice events list`), or --since")
    return Chosen(
        ids=ids, since=ago(since) or 0, until=ago(until) or now_ms(), source=source, type=event_type, rule=rule
    )


async def _events(store: Store, chosen: Chosen) -> AsyncIterator[Journalled]:
    for event_id in chosen.ids:
        try:
            event = await journal.read(store, event_id)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        if event is None:
            raise click.ClickException(f"there is no event {event_id} in the journal (any more)")
        if chosen.fits(event):
            yield event
    if not chosen.ids:
        async for page in journal.pages(store, since=chosen.since, until=chosen.until):
            for event in page:
                if chosen.fits(event):
                    yield event


async def _look(store: Store, rule_set: RuleSet, chosen: Chosen) -> Tally:
    """See what would be done, without doing anything."""
    tally, now = Tally(), now_ms()
    async for event in _events(store, chosen):
        tally.count(event, await consider(store, rule_set, event, now, chosen.rule))
    return tally


async def _do(store: Store, rule_set: RuleSet, chosen: Chosen) -> int:
    """Add the runs; how many were added. Raises click.ClickException if Redis did not confirm some."""
    now, added, waiting = now_ms(), 0, list[replay.Addition]()
    try:
        await rulesets.keep(store, rule_set.version, rule_set.files)
        async for event in _events(store, chosen):
            considered = await consider(store, rule_set, event, now, chosen.rule)
            waiting += (one.addition for one in considered if one.addition is not None)
            if len(waiting) >= _AT_ONCE:
                added += sum(await replay.add(store, waiting))
                waiting = []
        return added + sum(await replay.add(store, waiting))
    except (RedisError, OSError, TimeoutError) as error:
        raise click.ClickException(
            f"{view.counted(added, 'run')} added, then Redis failed ({type(error).__name__}); run it again for the rest"
        ) from error


def _tell(found: Tally, rule_set: RuleSet, fence_ms: int) -> None:
    events, runs = view.counted(found.events, "event"), view.counted(found.runs.total(), "run")
    out.print(f"{events} under rule set {rule_set.version}: {runs} to add.", highlight=False)
    for rule, number in sorted(found.runs.items()):
        out.print(f"  + {number:,}  {rule}", highlight=False, markup=False)
    for (rule, why), number in sorted(found.skipped.items()):
        line = f"  – {number:,}  {rule}: its run {why}" if number == 1 else f"  – {number:,}  {rule}: each run {why}"
        out.print(view.printable(line), highlight=False, markup=False, soft_wrap=True)
    if found.oldest and found.oldest < now_ms() - fence_ms:
        err.print(
            f"The oldest of them occurred {view.day(found.oldest)}: it is not known any more whether newer values stand in"
            " Sakari, so older ones may overwrite them.",
            style="yellow",
            highlight=False,
        )


def _print_json(as_json: bool, found: Tally, added: int) -> None:
    if as_json:
        skipped = [{"rule": rule, "why": why, "runs": number} for (rule, why), number in sorted(found.skipped.items())]
        told = {"events": found.events, "runs": dict(found.runs), "skipped": skipped, "added": added}
        click.echo(msgspec.json.encode(told))
