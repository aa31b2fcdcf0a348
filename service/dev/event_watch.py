"""`sluice dev` while it stays up: events, what comes of them at once and later on, and deliveries that made no sense."""

import asyncio
import time

from rich.console import Console

from service.dev import view
from service.insight.nearest import unmatched
from service.insight.stories import RuleSets, explain_story
from service.store import Store, dead, journal
from service.store.dead import Which
from service.store.journal import Journalled, Story

_SETTLED_S = 30.0
_LOOK_S = 0.5
_OPEN = 1000
"""How many stories that may go on are looked at again; the oldest are let go of first."""
_MISFITS = Which(kind="delivery")


async def watch_events(store: Store, after: str, console: Console) -> None:
    """Show every event after that id when it has ended, and once more if a person then retries or drops its runs."""
    rule_sets = RuleSets(store)
    going_on: dict[str, Story] = {}

    async def follow(event: Journalled) -> None:
        story = await settled(store, event)
        await show(rule_sets, story, console)
        _keep(going_on, story)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_watch_later(store, rule_sets, going_on, console))
        async for event in journal.follow(store, after=after):
            tasks.create_task(follow(event))


async def _watch_later(store: Store, rule_sets: RuleSets, going_on: dict[str, Story], console: Console) -> None:
    """Show again what has changed since it was shown, as soon as it has ended."""
    while True:
        await asyncio.sleep(_LOOK_S)
        for story in await journal.stories(store, [Journalled(one.id, one.entry) for one in going_on.values()]):
            shown = going_on.get(story.id)
            if shown and story.ended and story.runs != shown.runs:
                del going_on[story.id]
                await show(rule_sets, story, console)
                _keep(going_on, story)


def _keep(going_on: dict[str, Story], story: Story) -> None:
    if not story.ended or any(run.state == "dead" for run in story.runs.values()):
        going_on[story.id] = story
    if len(going_on) > _OPEN:
        del going_on[next(iter(going_on))]


async def settled(store: Store, event: Journalled) -> Story:
    """Follow an event until nothing more will happen to it, or for as long as a person would look."""
    until = time.monotonic() + _SETTLED_S
    story = await journal.story(store, event)
    while not story.ended and time.monotonic() < until:
        await asyncio.sleep(0.02)
        story = await journal.story(store, event)
    return story


async def show(rule_sets: RuleSets, story: Story, console: Console) -> None:
    """Print an event, and what came of it or why nothing did."""
    why = "" if story.states else unmatched(await explain_story(rule_sets, story, masked=False))
    for line in view.lines(story, masked=False, unmatched=why):
        console.print(line, highlight=False, soft_wrap=True)


async def watch_misfits(store: Store, console: Console) -> None:
    """Show deliveries that made no sense as they come."""
    known = set(await dead.ids(store, _MISFITS))
    while True:
        for letter in await dead.newest(store, 100, _MISFITS):
            if letter.id not in known:
                known.add(letter.id)
                console.print(
                    f"[red]✗[/] a delivery of {letter.source} made no sense: {letter.message}", highlight=False
                )
                console.print(f"    kept as a dead letter: sluice dead show {letter.id}", style="dim")
        await asyncio.sleep(_LOOK_S)
