"""`sluice events …`: what came in, and what became of it."""

import msgspec
import rich_click as click

from service.cli import rule_sets
from service.cli.as_test import NotATest, as_test
from service.cli.command import ago, command, err, json_option, opened, out
from service.cli.lazy_group import LazyGroup
from service.dev import verdict_lines, view
from service.engine import RuleSet
from service.insight.nearest import unmatched
from service.insight.stories import Sought, search, story_under, would
from service.insight.told import told_story, whole_story
from service.insight.verdicts import masked_steps
from service.store import journal
from service.store.journal import Story


@click.group(cls=LazyGroup, places={"replay": "service.cli.events_replay:replay_events"})
def events() -> None:
    """Look at accepted events."""


@events.command("list")
@click.option("--object", "object_id", default="", help="An object's id, or type/id.")
@click.option("--rule", default="", help="A rule that matched, in whatever mode.")
@click.option("--outcome", default="", help="What came of it: done, dead, superseded, shadow … or none.")
@click.option("--since", metavar="AGO", help="Accepted within this time, e.g. 2h or 7d.")
@click.option("--most", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most.")
@click.option(
    "--look", type=click.IntRange(1), default=20_000, show_default=True, help="How far back to look, in events."
)
@json_option
@command
async def list_events(
    object_id: str, rule: str, outcome: str, since: str | None, most: int, look: int, as_json: bool
) -> None:
    """List the newest events that fit, with what came of them."""
    sought = Sought(object=object_id, rule=rule, outcome=outcome, since=ago(since) or 0)
    async with opened() as store:
        found = await search(store, sought, most=most, look=look)
    if as_json:
        click.echo(msgspec.json.encode([told_story(story) for story in found.stories], enc_hook=str))
        return
    for story in found.stories:
        event = story.entry.event
        runs = ", ".join(f"{rule}: {state}" for rule, state in story.states.items()) or "no rule"
        what = f"{event.type} {event.object_id}"
        line = f"{view.day(int(story.id.partition('-')[0]))}  {story.id}  {what:<32} {runs}"
        out.print(line, highlight=False, markup=False, soft_wrap=True)
    if not found.stories:
        out.print("No events yet." if sought == Sought() else f"None of {found.looked} events fits.")
    elif found.more and sought != Sought():
        out.print(f"{found.looked} events were looked at; there may be others.", style="dim", highlight=False)


@events.command("show")
@click.argument("event_id")
@click.option("--unmasked", is_flag=True, help="Show personal data.")
@click.option(
    "--as-test", "wants_test", is_flag=True, help="Print it as a case for `sluice rules test`, people made up."
)
@click.option("--rule", metavar="ID", help="With --as-test: write it for the tests of this rule.")
@json_option
@command
async def show_event(event_id: str, unmasked: bool, wants_test: bool, rule: str | None, as_json: bool) -> int:
    """Show one event: its fields, its rules, their steps, Sakari's answers."""
    if wants_test and (unmasked or as_json):
        raise click.UsageError("--as-test goes with neither --unmasked nor --json")
    if rule is not None and not wants_test:
        raise click.UsageError("--rule goes with --as-test")
    async with opened() as store:
        try:
            event = await journal.read(store, event_id)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        if event is None:
            err.print(f"There is no event {event_id} in the journal (any more).")
            return 1
        story = await journal.story(store, event)
        needed = wants_test or story.shadowed or not story.states
        rule_set = await rule_sets.of_version(store, event.entry.ruleset) if needed else None
    if wants_test:
        return _print_test(story, rule_set, rule)
    shadows = would(story, rule_set)
    if as_json:
        click.echo(msgspec.json.encode(whole_story(story, shadows, masked=not unmasked), enc_hook=str))
        return 0
    shown = {
        rule: [
            f"        {line}"
            for line in verdict_lines.step_lines(steps if unmasked else masked_steps(steps, story.entry.event))
        ]
        for rule, steps in shadows.items()
    }
    why = unmatched(story_under(rule_set, story, masked=not unmasked) if rule_set and not story.states else None)
    for line in view.lines(story, masked=not unmasked, would=shown, unmatched=why):
        out.print(line, highlight=False, soft_wrap=True)
    out.print(f"    Why these rules and no others: sluice rules explain {story.id}", style="dim", highlight=False)
    return 0


def _print_test(story: Story, rule_set: RuleSet | None, rule: str | None) -> int:
    if rule_set is None:
        err.print(
            "The rules that decided this event are no longer kept, so nobody can say what the test should expect."
        )
        return 1
    try:
        click.echo(as_test(story, rule_set, rule), nl=False)
    except NotATest as error:
        err.print(f"No test can be made of this event: {error}.", markup=False, highlight=False, soft_wrap=True)
        return 1
    return 0
