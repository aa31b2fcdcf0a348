"""Whether a rule can ever fire and be carried out: whether any of its events can bring what the rule asks for.

What a delivery of HubSpot's carries: one property with a change, none with a creation, a deletion, a restore or an
erasure; the object's id always (https://developers.hubspot.com/docs/api-reference/legacy/webhooks/guide). What a
workflow sends, and what Pipedrive sends, may carry everything. What a source says of the delivery itself
(`pipedrive.is_bulk_edit`) no other source says.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from service.engine.condition import All, Condition, Leaf, Not, paths
from service.engine.operators import OPERATORS, Seen
from service.engine.paths import OBJECTS_OF, SOURCES, VERBS, VERBS_OF, event_sources, has_object, head
from service.engine.places import first_mention
from service.engine.problem import Report, nearest
from service.engine.rule import Step
from service.engine.values import MISSING
from service.engine.yaml_nodes import Node, Position

_CARRIES: Final = {"updated": 1, "created": 0, "deleted": 0, "restored": 0, "erased": 0}
"""Verb -> properties in an event of HubSpot's; of other verbs we do not say."""

_OPEN: Final = frozenset((True, False))
_WORKFLOW: Final = "a HubSpot workflow sends as many as you choose, as `{}.enrolled`"


def most_properties(event: str) -> int | None:
    """How many properties HubSpot brings with an event; None if it may be all of them."""
    return _CARRIES.get(event.rpartition(".")[2])


Answers = Callable[[Leaf], frozenset[bool]]
"""The answers that a question can get, apart from unknown."""


class Way(Struct, frozen=True):
    """A kind of event that fires the rule."""

    event: str
    source: str
    property: str | None
    """The one property that it carries; empty: none that the rule speaks of; None: it may carry all of them."""

    def carries(self, path: str) -> bool:
        if head(path) in SOURCES:
            return head(path) == self.source
        return self.property is None or path == self.property or not _is_property(path, self.event)


def fitting(when: Condition) -> tuple[str, ...]:
    """The sources that the condition lets through."""
    return tuple(source for source in SOURCES if can_be(when, True, _answers_from(source)))


def check_reach(
    events: Mapping[str, Position], when: Condition, steps: tuple[Step, ...], nodes: Mapping[str, Node], report: Report
) -> bool:
    """Warn of a rule that cannot fire, or whose steps never get what they need; True if there is nothing to warn of.

    `nodes`: the fields of the rule.
    """
    sources = fitting(when)
    for event, at in events.items():
        unknown = event.rpartition(".")[2] in VERBS and not any(
            has_object(source, _object(event)) for source in SOURCES
        )
        if sources and (unknown or not set(sources) & set(event_sources(event))):
            message = f"`{event}` never comes from {' or '.join(sources)}"
            report.add("R311", at, message, _what_they_have(event, sources), "warning")
    possible = [(event, source) for event in events for source in sources if source in event_sources(event)]
    needed = [path for step in steps if not step.conditional for path in sorted(step.needs)]
    ways = [way for event, source in possible for way in _ways(event, source, when, needed)]
    if possible and not ways:
        _warn_of_conditions(possible, when, nodes, report)
    elif ways and not any(all(way.carries(path) for path in needed) for way in ways):
        _warn_of_templates(ways, needed, nodes, report)
    else:
        return True
    return False


def can_be(condition: Condition, wanted: bool, answers: Answers) -> bool:
    """Whether the condition can come out so, if its questions can be answered so, each for itself."""
    if isinstance(condition, Leaf):
        return wanted in answers(condition)
    if isinstance(condition, Not):
        return can_be(condition.part, not wanted, answers)
    every = all if isinstance(condition, All) is wanted else any
    return every(can_be(part, wanted, answers) for part in condition.parts)


def _ways(event: str, source: str, when: Condition, needed: list[str]) -> Iterator[Way]:
    carried = _CARRIES.get(event.rpartition(".")[2]) if source == "hubspot" else None
    properties: list[str | None] = [None] if carried is None else [""]
    if carried:
        properties += [path for path in sorted({*paths(when), *needed}) if _is_property(path, event)]
    for path in properties:
        way = Way(event, source, path)
        if can_be(when, True, _answers_of(way)):
            yield way


def _answers_from(source: str) -> Answers:
    return lambda leaf: _answers(leaf, source) if leaf.path == "source" else _OPEN


def _answers_of(way: Way) -> Answers:
    from_source = _answers_from(way.source)
    return lambda leaf: from_source(leaf) if way.carries(leaf.path) else _answers(leaf, MISSING)


def _answers(leaf: Leaf, value: object) -> frozenset[bool]:
    answer = OPERATORS[leaf.operator].test(Seen(value, MISSING, None, 0), leaf.test)
    return frozenset() if answer is None else frozenset((answer,))


def _is_property(path: str, event: str) -> bool:
    return head(path) == _object(event) and path != f"{_object(event)}.id"


def _object(event: str) -> str:
    return event.rpartition(".")[0]


def _what_they_have(event: str, sources: tuple[str, ...]) -> str:
    """The objects of the sources, or the one that was meant; if they have this one, its verbs."""
    word = _object(event)
    having = [source for source in sources if has_object(source, word)]
    if having:
        return "; ".join(f"{source} has {word}.{f', {word}.'.join(_verbs(word, source))}" for source in having)
    if meant := nearest(word, [name for source in sources for name in OBJECTS_OF[source]]):
        return f"did you mean `{meant}{event[len(word) :]}`?"
    return "; ".join(f"{source} has {', '.join(OBJECTS_OF[source])}" for source in sources)


def _verbs(word: str, source: str) -> list[str]:
    return [verb for verb in VERBS_OF[source] if source in event_sources(f"{word}.{verb}")]


def _warn_of_conditions(
    possible: list[tuple[str, str]], when: Condition, nodes: Mapping[str, Node], report: Report
) -> None:
    events = list(dict.fromkeys(event for event, _ in possible))
    asked = sorted(paths(when))
    foreign = _foreign(asked, {source for _, source in possible})
    if foreign:
        message = f"this rule can never fire: no event that it is for carries `{foreign[0]}`"
        report.add("R312", first_mention(nodes["when"], foreign[0]), message, _only_from(foreign[0]), "warning")
        return
    places = sorted(
        first_mention(nodes["when"], path) for path in asked if any(_is_property(path, event) for event in events)
    )
    if not places:  # neither source is foreign, but no event has what only the one and what only the other sends
        message = "this rule can never fire: `when` asks for details of HubSpot's and of Pipedrive's deliveries at once"
        report.add("R312", nodes["when"].at, message, "make a rule for each of them", "warning")
        return
    message = f"this rule can never fire: {_what_comes(events)}, and `when` asks for more"
    report.add("R312", places[min(1, len(places) - 1)], message, _WORKFLOW.format(_object(events[0])), "warning")


def _warn_of_templates(ways: list[Way], needed: list[str], nodes: Mapping[str, Node], report: Report) -> None:
    events = list(dict.fromkeys(way.event for way in ways))
    lacking = [path for path in dict.fromkeys(needed) if not all(way.carries(path) for way in ways)]
    foreign = _foreign(lacking, {way.source for way in ways})
    at = first_mention(nodes["then"], (foreign or lacking)[0])
    if foreign:
        message = f"no event that fires this rule carries `{foreign[0]}`"
        report.add("R313", at, message, f"{_only_from(foreign[0])}; or give a `default(…)`", "warning")
        return
    message = f"no event that fires this rule brings all that its steps need: {_what_comes(events)}"
    needs = f"they need {', '.join(lacking)}"
    hint = f"{needs}; {_WORKFLOW.format(_object(events[0]))}; or give a `default(…)`"
    report.add("R313", at, message, hint, "warning")


def _foreign(asked: list[str], sources: set[str]) -> list[str]:
    """The paths in which a source tells of its delivery that does not send the events."""
    return [path for path in asked if head(path) in SOURCES and head(path) not in sources]


def _only_from(path: str) -> str:
    return f"`{head(path)}.…` stands in events from {head(path)} only"


def _what_comes(events: list[str]) -> str:
    most = max(_CARRIES.get(event.rpartition(".")[2], 0) for event in events)
    return f"HubSpot brings {'one property' if most else 'no property but the id'} with {' or '.join(events)}"
