"""What the steps of a rule would call for an event, as far as that is known before anything has been called."""

from typing import Any

import msgspec
from msgspec import Struct

from service.engine.condition import Condition, Leaf, Not, evaluate, paths
from service.engine.filters import FILTERS
from service.engine.rule import Rule, Step
from service.engine.scope import EventScope
from service.engine.template import Expression, Joined, Tree, fetch
from service.engine.values import to_json
from service.errors import Permanent
from service.model import Event


class Preview(Struct, frozen=True, kw_only=True):
    """What one step would do."""

    step: int
    """0-based."""
    do: str
    applies: bool | None
    """The answer of its `if`; None if that is not known, or depends on what an earlier step finds."""
    args: Any = None
    """Its arguments; None if there are none. What comes from an earlier step stands as the template that fetches it.
    May be personal data."""
    problem: str = ""
    """Why there are no arguments: the path that has no usable value, never the value."""


def preview(rule: Rule, event: Event, now_ms: int) -> tuple[Preview, ...]:
    """What each step of a rule would do for an event. `now_ms`: the time that conditions on dates are seen from."""
    scope = EventScope(event)
    return tuple(_preview_step(step, scope, now_ms) for step in rule.steps)


def same_steps(one: Rule, other: Rule) -> bool:
    """Whether two versions of a rule have the same steps, wherever these stand in their files."""
    return [_shape(step) for step in one.steps] == [_shape(step) for step in other.steps]


def same_calls(one: Rule, other: Rule, event: Event, now_ms: int) -> bool:
    """Whether two versions of a rule would call the same for an event, whatever their steps find."""
    return preview(one, event, now_ms) == preview(other, event, now_ms) and _open(one) == _open(other)


def _preview_step(step: Step, scope: EventScope, now_ms: int) -> Preview:
    waits = not step.results.isdisjoint(paths(step.if_))
    try:
        applies = None if waits else evaluate(step.if_, scope, now_ms)
        args = _sketch(step.with_, step.results, scope)
    except Permanent as fault:
        return Preview(step=step.index, do=step.do, applies=applies, problem=str(fault))
    except Exception as fault:  # noqa: BLE001  # as in plan: the text of the error may hold values of the event
        return Preview(step=step.index, do=step.do, applies=None, problem=type(fault).__name__)
    return Preview(step=step.index, do=step.do, applies=applies, args=args)


def _sketch(tree: Tree, later: frozenset[str], scope: EventScope) -> Any:
    """Fill a step's `with` as `template.fill` does, but leave what comes from earlier steps as it is written."""
    if isinstance(tree, Expression):
        return _spelled(tree) if tree.path in later else fetch(tree, scope)
    if isinstance(tree, Joined):
        parts = (part if isinstance(part, str) else _sketch(part, later, scope) for part in tree.parts)
        return "".join(part if isinstance(part, str) else to_json(part) for part in parts)
    if isinstance(tree, dict):
        return {name: _sketch(child, later, scope) for name, child in tree.items()}
    if isinstance(tree, tuple):
        return [_sketch(child, later, scope) for child in tree]
    return tree


def _spelled(expression: Expression) -> str:
    calls = (
        call.filter + ("" if call.argument == FILTERS[call.filter].without else f"({call.argument})")
        for call in expression.filters
    )
    return f"${{{' | '.join((expression.path, *calls))}}}"


def _shape(step: Step) -> tuple[Any, ...]:
    return step.do, step.name, step.with_, _without_places(step.if_)


def _open(rule: Rule) -> list[Condition | None]:
    """The conditions of steps that only what earlier steps find can answer."""
    return [None if step.results.isdisjoint(paths(step.if_)) else _without_places(step.if_) for step in rule.steps]


def _without_places(condition: Condition) -> Condition:
    if isinstance(condition, Leaf):
        return msgspec.structs.replace(condition, line=0, column=0)
    if isinstance(condition, Not):
        return Not(_without_places(condition.part), 0, 0)
    return msgspec.structs.replace(condition, parts=tuple(map(_without_places, condition.parts)), line=0, column=0)
