"""Conditions that can never hold: questions about one path that contradict one another, or ask for what never comes."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from msgspec import Struct

from service.engine.condition import All, Condition, Either, Leaf, Not
from service.engine.contradiction import Ask, exact, possible
from service.engine.paths import FACTS, SOURCES, head
from service.engine.places import place_of, within
from service.engine.problem import Report
from service.engine.rule import Step
from service.engine.yaml_nodes import Node
from service.model import Origin

_CHANGES: Final = ("updated", "merged")
"""Verbs of events that say what has changed."""


class World(Struct, frozen=True):
    """What is known about the events that a rule is asked for."""

    events: tuple[str, ...]
    sources: tuple[str, ...]
    """Those that can send one that fires the rule."""

    def closed(self, path: str) -> tuple[str, ...] | None:
        """Every value that the path can have, if that is known."""
        return {"source": SOURCES, "origin": get_args(Origin), "type": self.events}.get(path)


def check_never(
    world: World, when: Condition, steps: tuple[Step, ...], nodes: Mapping[str, Node], report: Report
) -> bool:
    """Warn of conditions that never hold, in `when` and in the steps' `if`. Gives whether there is one in `when`."""
    clashes = list(_clashes(when, True, [], world))
    for asks, reason in clashes:
        _warn(asks, reason, nodes["when"], report)
    known = [] if clashes else list(_needed(when, True))
    for step in steps:
        if step.conditional:
            node = within(nodes["then"], step.index, "if")
            for asks, reason in _clashes(step.if_, True, known, world):
                _warn(asks, reason, node, report)
    return bool(clashes)


Clash = tuple[list[Ask], str]
"""The questions that cannot go together, the offending one last, and why not."""


def _clashes(condition: Condition, wanted: bool, context: list[Ask], world: World) -> Iterator[Clash]:
    """What can never be as wanted where `context` holds too: the condition, or one branch of an `any` in it."""
    asks = list(_needed(condition, wanted))
    clash = _clash(context, asks, world)
    if clash is not None:
        yield clash
        return
    for choice in _choices(condition, wanted):
        parts, part_wanted = (choice.parts, True) if isinstance(choice, Either) else (choice.parts, False)
        found = [next(_clashes(part, part_wanted, [*context, *asks], world), None) for part in parts]
        # `not: { a: 1, b: 2 }` beside `a: 1` is a way to say "b is not 2"; a branch of `any` that never holds is a slip.
        told = [clash for clash in found if clash is not None]
        if isinstance(choice, Either):
            yield from told
        elif len(told) == len(found):
            yield from told[:1]


def _needed(condition: Condition, wanted: bool) -> Iterator[Ask]:
    """The questions that must all be answered so."""
    if isinstance(condition, Leaf):
        yield Ask(condition, wanted)
    elif isinstance(condition, Not):
        yield from _needed(condition.part, not wanted)
    elif isinstance(condition, All) is wanted:
        for part in condition.parts:
            yield from _needed(part, wanted)


def _choices(condition: Condition, wanted: bool) -> Iterator[All | Either]:
    """The parts of which one branch is enough: an `any` that must hold, an `all` that must not."""
    if isinstance(condition, Not):
        yield from _choices(condition.part, not wanted)
    elif isinstance(condition, All | Either):
        if isinstance(condition, All) is wanted:
            for part in condition.parts:
                yield from _choices(part, wanted)
        else:
            yield condition


def _clash(context: list[Ask], asks: list[Ask], world: World) -> Clash | None:
    for ask in asks:
        reason = _alone(ask, world)
        if reason:
            return [ask], reason
    for path in dict.fromkeys(ask.leaf.path for ask in asks):
        about = [ask for ask in [*context, *asks] if ask.leaf.path == path]
        closed = world.closed(path)
        if closed and path != "type" and any((exact(ask) or set()) - set(closed) for ask in about):
            continue  # a value that is none of these has been told of already
        if (len(about) > 1 or closed) and not possible(about, closed):
            return _fewest(about, closed), ""
    return None


def _alone(ask: Ask, world: World) -> str:
    """Why this question is never answered so, whatever else is asked."""
    leaf, operator = ask.leaf, ask.leaf.operator
    changes = (operator == "changed" and leaf.test is ask.wanted) or operator in ("changed_to", "changed_from")
    if not changes or (operator != "changed" and not ask.wanted):
        return ""
    if leaf.path in FACTS or head(leaf.path) in SOURCES or leaf.path.endswith(".id"):
        return "only the properties of an object change"
    if not any(event.rpartition(".")[2] in _CHANGES for event in world.events):
        return f"{' or '.join(f'`{event}`' for event in world.events)} does not say what has changed"
    if operator == "changed_from" and world.sources == ("hubspot",):
        return "HubSpot does not tell what a value was before"
    return ""


def _fewest(asks: list[Ask], closed: tuple[str, ...] | None) -> list[Ask]:
    """One question or a pair that cannot be, if there is one; else all of them."""
    alone = [[ask] for ask in asks if not possible([ask], closed)]
    pairs = ([first, second] for at, second in enumerate(asks) for first in asks[:at])
    return next((few for few in [*alone, *pairs] if not possible(few, closed)), asks)


def _warn(asks: list[Ask], reason: str, node: Node, report: Report) -> None:
    last = asks[-1].leaf
    told = " and ".join(_spelled(ask) for ask in asks)
    if reason or len(asks) == 1:
        message, hint = f"`{last.path}` can never be {told}", reason
    else:
        message = f"`{last.path}` can never be {told} at once"
        hint = "all keys of a mapping must hold; for a choice use a list of values, or `any`"
    report.add("R315", place_of(node, last), message, hint, "warning")


def _spelled(ask: Ask) -> str:
    return f"{'' if ask.wanted else 'not '}`{ask.leaf.operator}: {_operand(ask.leaf.operand)}`"


def _operand(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_operand(item) for item in value)}]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)
