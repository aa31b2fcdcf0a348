"""Whether a rule can ever fire and be carried out: whether any of its events can bring what the rule asks for.

What a delivery of HubSpot's carries: one property with a change, none with a creation, a deletion, a restore or an
erasure; the object's id always (https://developers.hubspot.com/docs/api-reference/legacy/webhooks/guide). What a
workflow sends, and what Pipedrive sends, may carry everything.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from service.engine.condition import All, Condition, Leaf, Not, paths
from service.engine.operators import OPERATORS, Seen
from service.engine.paths import OBJECTS_OF, SOURCES, head, sources_of
from service.engine.problem import Report
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
    property: str | None
    """The one property that it carries; empty: none that the rule speaks of; None: it may carry all of them."""

    def carries(self, path: str) -> bool:
        return self.property is None or path == self.property or not _is_property(path, self.event)


def check_reach(
    events: Mapping[str, Position], when: Condition, steps: tuple[Step, ...], nodes: Mapping[str, Node], report: Report
) -> None:
    """Warn of a rule that cannot fire, or whose steps never get what they need. `nodes`: the fields of the rule."""
    fitting = [source for source in SOURCES if can_be(when, True, _answers_from(source))]
    for event, at in events.items():
        if fitting and not set(fitting) & set(sources_of(_object(event))):
            objects = "; ".join(f"{source} has {', '.join(OBJECTS_OF[source])}" for source in fitting)
            report.add("R311", at, f"`{event}` never comes from {' or '.join(fitting)}", objects, "warning")
    possible = [event for event in events if set(fitting) & set(sources_of(_object(event)))]
    needed = [path for step in steps if not step.conditional for path in sorted(step.needs)]
    ways = [way for event in possible for way in _ways(event, when, needed, fitting)]
    if possible and not ways:
        _warn_of_conditions(possible, when, nodes, report)
    elif ways and not any(all(way.carries(path) for path in needed) for way in ways):
        _warn_of_templates(ways, needed, nodes, report)


def can_be(condition: Condition, wanted: bool, answers: Answers) -> bool:
    """Whether the condition can come out so, if its questions can be answered so, each for itself."""
    if isinstance(condition, Leaf):
        return wanted in answers(condition)
    if isinstance(condition, Not):
        return can_be(condition.part, not wanted, answers)
    every = all if isinstance(condition, All) is wanted else any
    return every(can_be(part, wanted, answers) for part in condition.parts)


def _ways(event: str, when: Condition, needed: list[str], sources: list[str]) -> Iterator[Way]:
    verb = event.rpartition(".")[2]
    if verb not in _CARRIES or any(source != "hubspot" and source in sources_of(_object(event)) for source in sources):
        yield Way(event, None)
        return
    spoken_of = [path for path in sorted({*paths(when), *needed}) if _is_property(path, event)]
    for path in ["", *(spoken_of if _CARRIES[verb] else [])]:
        way = Way(event, path)
        if can_be(when, True, _answers_of(way)):
            yield way


def _answers_from(source: str) -> Answers:
    return lambda leaf: _answers(leaf, source) if leaf.path == "source" else _OPEN


def _answers_of(way: Way) -> Answers:
    from_hubspot = _answers_from("hubspot")
    return lambda leaf: from_hubspot(leaf) if way.carries(leaf.path) else _answers(leaf, MISSING)


def _answers(leaf: Leaf, value: object) -> frozenset[bool]:
    answer = OPERATORS[leaf.operator].test(Seen(value, MISSING, None, 0), leaf.test)
    return frozenset() if answer is None else frozenset((answer,))


def _is_property(path: str, event: str) -> bool:
    return head(path) == _object(event) and path != f"{_object(event)}.id"


def _object(event: str) -> str:
    return event.rpartition(".")[0]


def _warn_of_conditions(events: list[str], when: Condition, nodes: Mapping[str, Node], report: Report) -> None:
    asked = [path for path in paths(when) if any(_is_property(path, event) for event in events)]
    places = sorted(next(_mentions(nodes["when"], path)) for path in asked)
    message = f"this rule can never fire: {_what_comes(events)}, and `when` asks for more"
    report.add("R312", places[min(1, len(places) - 1)], message, _WORKFLOW.format(_object(events[0])), "warning")


def _warn_of_templates(ways: list[Way], needed: list[str], nodes: Mapping[str, Node], report: Report) -> None:
    events = list(dict.fromkeys(way.event for way in ways))
    lacking = [path for path in needed if not all(way.carries(path) for way in ways)]
    message = f"no event that fires this rule brings all that its steps need: {_what_comes(events)}"
    needs = f"they need {', '.join(dict.fromkeys(lacking))}"
    hint = f"{needs}; {_WORKFLOW.format(_object(events[0]))}; or give a `default(…)`"
    report.add("R313", next(_mentions(nodes["then"], lacking[0])), message, hint, "warning")


def _what_comes(events: list[str]) -> str:
    most = max(_CARRIES[event.rpartition(".")[2]] for event in events)
    return f"HubSpot brings {'one property' if most else 'no property but the id'} with {' or '.join(events)}"


def _mentions(node: Node, path: str) -> Iterator[Position]:
    """Where a path stands: as a key, or in a text."""
    if isinstance(node.value, dict):
        for name, child in node.value.items():
            if name == path:
                yield child.key_at
            yield from _mentions(child, path)
    elif isinstance(node.value, tuple):
        for child in node.value:
            yield from _mentions(child, path)
    elif isinstance(node.value, str) and path in node.value:
        yield node.at
