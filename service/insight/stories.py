"""Finding events, and telling what came of them under the rules of their day."""

import asyncio
from collections import OrderedDict

import msgspec
from msgspec import Struct

from service.actions import ACTIONS
from service.engine import Preview, RuleSet, load, preview
from service.insight.masking import hiding
from service.insight.verdicts import Explanation, explained, masked_event
from service.store import Store, dead, journal, rulesets
from service.store.journal import Story
from service.store.records import DeadLetter

_PAGE = 500
_MOST_RULE_SETS = 4


class Sought(Struct, frozen=True, kw_only=True):
    """Which events are meant; what is empty does not restrict."""

    object: str = ""
    """The end of the lane: an object's id (`123`), or its type and id (`contact/123`)."""
    rule: str = ""
    """A rule that matched, in whatever mode."""
    outcome: str = ""
    """What came of it, for one of its rules (that one, if `rule` is given): a run's state, `shadow`, `failed`; `none`: no
    rule matched."""
    since: int = 0
    """Accepted at this instant (ms) or later."""

    def fits(self, story: Story) -> bool:
        """Tell whether a story is one of those that are meant (its time aside)."""
        states = story.states
        outcomes = [states.get(self.rule, "")] if self.rule else list(states.values()) or ["none"]
        return (
            (not self.object or f"/{story.entry.event.lane}".endswith(f"/{self.object}"))
            and (not self.rule or self.rule in states)
            and (not self.outcome or self.outcome in outcomes)
        )


class Search(Struct, frozen=True, kw_only=True):
    """What a search found, and how far it looked."""

    stories: list[Story]
    """Newest first."""
    looked: int
    """How many events it looked at."""
    until: str
    """Id of the oldest event that it looked at; empty if there was none."""
    more: bool
    """Whether there may be others: search again with `before` = `until`."""


async def search(store: Store, sought: Sought, *, before: str = "", most: int = 50, look: int = 5000) -> Search:
    """Look through the journal from an event id (by default the end) backwards, until `most` are found or `look` read.

    Raises redis.exceptions.RedisError.
    """
    found: list[Story] = []
    looked, until = 0, before
    while looked < look:
        page = await journal.back(store, before=until, since=sought.since, most=min(_PAGE, look - looked))
        for story in await journal.stories(store, page):
            looked, until = looked + 1, story.id
            found += [story] if sought.fits(story) else []
            if len(found) == most:
                return Search(stories=found, looked=looked, until=until, more=True)
        if len(page) < min(_PAGE, look):
            return Search(stories=found, looked=looked, until=until, more=False)
    return Search(stories=found, looked=looked, until=until, more=True)


async def story_of_letter(store: Store, letter: DeadLetter) -> Story | None:
    """The story that a dead letter is part of; None if it has no event, or the journal does not hold it any more."""
    event_id = letter.event_id or await journal.id_of(store, letter.run_key.rpartition("/")[0])
    event = await journal.read(store, event_id) if event_id else None
    return await journal.story(store, event) if event else None


async def letters_of_event(store: Store, event_id: str) -> list[DeadLetter]:
    """The dead letters of an event, newest first; none if that is no event id."""
    try:
        event = await journal.read(store, event_id)
    except ValueError:
        return []
    fact = event.entry.event.fact_key if event else None
    found = [letter async for letter in dead.find(store)]
    return [one for one in found if one.event_id == event_id or one.run_key.rpartition("/")[0] == fact]


def masked_story(story: Story) -> Story:
    """The same story, with the people in its event hidden, and in why rules could not be planned; its runs are left alone."""
    entry, hidden = story.entry, hiding(story.entry.event)
    failures = tuple(msgspec.structs.replace(one, message=hidden(one.message)) for one in entry.failures)
    shown = msgspec.structs.replace(entry, event=masked_event(entry.event), failures=failures)
    return msgspec.structs.replace(story, entry=shown)


class RuleSets:
    """Rule sets by their versions, as far as Redis keeps them; the last few stay compiled."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._compiled: OrderedDict[str, RuleSet] = OrderedDict()

    async def of_version(self, version: str) -> RuleSet | None:
        """The rules of a version; None if Redis does not have it any more."""
        if version not in self._compiled:
            files = await rulesets.read(self._store, version)
            if files is None:
                return None
            loaded = await asyncio.to_thread(load, {name: text.encode() for name, text in files.items()}, ACTIONS)
            self._compiled[version] = loaded.rule_set
        self._compiled.move_to_end(version)
        while len(self._compiled) > _MOST_RULE_SETS:
            self._compiled.popitem(last=False)
        return self._compiled[version]


async def explain_story(rule_sets: RuleSets, story: Story, *, masked: bool = True) -> Explanation | None:
    """What every rule of its day makes of an event; None if those rules are not kept any more."""
    rule_set = await rule_sets.of_version(story.entry.ruleset)
    return None if rule_set is None else story_under(rule_set, story, masked=masked)


def story_under(rule_set: RuleSet, story: Story, *, masked: bool = True) -> Explanation:
    """What every rule of a set makes of an event."""
    entry = story.entry
    return explained(rule_set, entry.event, entry.received_at, event_id=story.id, masked=masked)


def would(story: Story, rule_set: RuleSet | None) -> dict[str, tuple[Preview, ...]]:
    """What the rules in `mode: shadow` would have called, as far as the rule set of that day is still kept."""
    if rule_set is None:
        return {}
    entry = story.entry
    matched = (rule_set.by_id[rule] for rule in story.shadowed if rule in rule_set.by_id)
    return {rule.id: preview(rule, entry.event, entry.received_at) for rule in matched}
