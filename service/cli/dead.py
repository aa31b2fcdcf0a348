"""`sluice dead …`: what could not be done; look at it, try it again, drop it."""

from collections.abc import Callable
from typing import Any, Literal

import msgspec
import rich_click as click

from service.cli.command import ago, command, json_option, now_ms, opened, out
from service.dev import view
from service.insight.stories import letters_of_event, story_of_letter
from service.insight.told import ToldLetter, told_letter
from service.store import Store, dead
from service.store.dead import Which
from service.store.records import DeadLetter


@click.group("dead")
def dead_letters() -> None:
    """Look at what could not be done, retry it, drop it."""


def which_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which dead letters are meant."""
    for option in (
        click.option("--until", "until", metavar="AGO", help="Died before this long ago, e.g. 30m."),
        click.option("--since", "since", metavar="AGO", help="Died within this time, e.g. 2h or 7d."),
        click.option("--object", "object_id", default="", help="An object's id, or type/id."),
        click.option("--kind", type=click.Choice(["run", "rule", "delivery"]), help="What died."),
        click.option("--rule", default="", help="The rule's id."),
        click.option("--reason", default="", help="The reason, as the list shows it."),
    ):
        function = option(function)
    return function


def _which(reason: str, rule: str, kind: str | None, object_id: str, since: str | None, until: str | None) -> Which:
    return Which(
        reason=reason, rule=rule, kind=kind or "", object=object_id, since=ago(since) or 0, until=ago(until) or 0
    )


@dead_letters.command("list")
@which_options
@click.option("--most", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most.")
@json_option
@command
async def list_dead(most: int, as_json: bool, **which: Any) -> None:
    """List the newest dead letters that fit."""
    async with opened() as store:
        letters = await dead.newest(store, most, _which(**which))
        total = await dead.count(store)
    if as_json:
        click.echo(msgspec.json.encode([told_letter(letter) for letter in letters]))
        return
    for letter in letters:
        line = f"{view.day(letter.at)}  {letter.id}  {letter.rule or letter.kind}  {letter.reason}: {letter.message}"
        out.print(line, highlight=False, markup=False, soft_wrap=True)
    out.print(f"{len(letters)} shown, {total} in all." if total else "No dead letters.", style="dim")


@dead_letters.command("show")
@click.argument("letter_id")
@click.option("--unmasked", is_flag=True, help="Show the body of a delivery that made no sense, and what was sent.")
@json_option
@command
async def show_dead(letter_id: str, unmasked: bool, as_json: bool) -> None:
    """Show one dead letter: why it died, what was tried, and the event that it came from."""
    async with opened() as store:
        letter = await _letter(store, letter_id)
        story = await story_of_letter(store, letter)
    event_id = story.id if story else letter.event_id
    told = told_letter(msgspec.structs.replace(letter, event_id=event_id), masked=not unmasked)
    if as_json:
        click.echo(msgspec.json.encode(told))
        return
    for name, value in _facts(told).items():
        out.print(view.printable(f"{name:<12} {value}"), highlight=False, markup=False, soft_wrap=True)
    for line in view.lines(story, masked=not unmasked) if story else []:
        out.print(line, highlight=False, soft_wrap=True)
    out.print(f"    {told.advice}", style="dim", highlight=False, markup=False, soft_wrap=True)
    for verb in ("retry", "drop") if letter.kind == "run" else ("drop",):
        out.print(f"    sluice dead {verb} {letter.id}", style="dim", highlight=False, markup=False, soft_wrap=True)


@dead_letters.command("retry")
@click.argument("letter_ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All that fit the options below, instead of ids.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@which_options
@command
async def retry_dead(letter_ids: tuple[str, ...], everything: bool, yes: bool, **which: Any) -> int:
    """Try runs again, for another day. Steps that are done stay done."""
    return await _settle("retry", letter_ids, everything, yes, _which(**which))


@dead_letters.command("drop")
@click.argument("letter_ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All that fit the options below, instead of ids.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@which_options
@command
async def drop_dead(letter_ids: tuple[str, ...], everything: bool, yes: bool, **which: Any) -> int:
    """Forget dead letters; their runs are recorded as dropped."""
    return await _settle("drop", letter_ids, everything, yes, _which(**which))


async def _settle(
    what: Literal["retry", "drop"], letter_ids: tuple[str, ...], everything: bool, yes: bool, which: Which
) -> int:
    if bool(letter_ids) == everything:
        raise click.UsageError("give ids, or --all with options that say which")
    async with opened() as store:
        named = [(await _letter(store, letter_id)).id for letter_id in letter_ids]
        chosen = await dead.ids(store, which) if everything else named
        if everything and not yes:
            click.confirm(f"{what} {len(chosen)} dead letters?", abort=True)
        settled = await dead.settle(store, what, chosen, now=now_ms(), by="command line")
    back = "back in its lane" if settled.done == 1 else "back in their lanes"
    word = {"retry": back, "drop": "dropped"}[what]
    out.print(f"{settled.done} {word}.", highlight=False)
    if settled.gone:
        out.print(f"Taken care of already: {settled.gone}.", highlight=False)
    if settled.refused:
        out.print(f"Without a run that could be tried again: {settled.refused}; `sluice dead show` says what to do.")
    return 1 if settled.refused or (letter_ids and settled.gone) else 0


def _facts(told: ToldLetter) -> dict[str, str]:
    """What there is to say of a letter, line by line."""
    facts = msgspec.structs.asdict(told)
    del facts["advice"]
    facts |= {name: view.day(facts[name]) for name in ("at", "occurred_at") if facts[name]}
    if facts.pop("size") and not told.body:
        facts["body"] = f"{told.size} bytes (--unmasked shows them)"
    return {name: str(value) for name, value in facts.items() if value}


async def _letter(store: Store, given: str) -> DeadLetter:
    """The letter of an id; an event's id will do if it has just one letter."""
    letter = await dead.read(store, given)
    if letter is not None:
        return letter
    found = await letters_of_event(store, given)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(one.id for one in found)
        raise click.ClickException(f"{given} is an event with {len(found)} dead letters; name one: {names}")
    raise click.ClickException(f"there is no dead letter {given} (any more); see `sluice dead list`")
