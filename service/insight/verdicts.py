"""What rules make of an event: every question, its answer, and the one that stopped a rule."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from service.engine import Preview, Rule, RuleSet, RuleVerdict, explain, preview
from service.engine.explain import ConditionVerdict, LeafVerdict
from service.insight.masking import hide, hiding
from service.model import Event
from service.store.bounds import bounded

_ACTUAL_BYTES, _ARGS_BYTES = 1000, 4096
"""Of a value that a question was asked about, and of a step's arguments: more is cut. The event has them whole."""

Show = Callable[[Any, str], Any]
"""What is shown of a value that stands under a name."""


class Explained(Struct, frozen=True, kw_only=True):
    """What one rule makes of an event: its verdict, and what it would call."""

    verdict: RuleVerdict
    steps: tuple[Preview, ...] = ()
    """Of a rule that matched."""

    @property
    def near(self) -> bool:
        """Whether the rule is for events of this type at all."""
        return self.verdict.stopped_by != "event type"


class Explanation(Struct, frozen=True, kw_only=True):
    """What a rule set makes of an event; personal data may be masked."""

    id: str
    """The event's id in the journal, if it is there."""
    event: Event
    at: int
    """When it came in (ms): what conditions on dates were seen from."""
    ruleset: str
    rules: tuple[Explained, ...]


def explained(rule_set: RuleSet, event: Event, at: int, *, event_id: str = "", masked: bool = True) -> Explanation:
    """Ask every rule of a set about an event; those that matched come first, then those for its type, then the others."""
    found = [_explained(rule_set.by_id[verdict.rule], verdict, event, at) for verdict in explain(rule_set, event, at)]
    found.sort(key=lambda one: (not one.verdict.matched, not one.near))
    show = _hidden(event) if masked else _as_it_is
    rules = tuple(_shown(one, show) if one.near else one for one in found)
    shown = masked_event(event) if masked else event
    return Explanation(id=event_id, event=shown, at=at, ruleset=rule_set.version, rules=rules)


def masked_event(event: Event) -> Event:
    """The same event, with the people in it hidden: in its values, as what it is about, and as who caused it."""
    told = {name: getattr(event, name) for name in ("values", "before", "object_id", "account", "actor")}
    return msgspec.structs.replace(event, **hide(told, event))


def masked_steps(steps: Sequence[Preview], event: Event) -> tuple[Preview, ...]:
    """The same steps, with the people in the event that they are for hidden."""
    return tuple(msgspec.structs.replace(step, args=hide(step.args, event)) for step in steps)


def _explained(rule: Rule, verdict: RuleVerdict, event: Event, at: int) -> Explained:
    return Explained(verdict=verdict, steps=preview(rule, event, at) if verdict.matched else ())


def _as_it_is(value: Any, _: str) -> Any:
    return value


def _hidden(event: Event) -> Show:
    hidden = hiding(event)
    return lambda value, name: hidden({name: value})[name]


def _shown(one: Explained, show: Show) -> Explained:
    """The same, cut to lengths that a person reads. What is asked of one path is worked out once, however often it is asked."""
    actuals: dict[str, Any] = {}

    def leaf_shown(leaf: LeafVerdict) -> LeafVerdict:
        if leaf.path not in actuals:
            actual = leaf.actual
            actuals[leaf.path] = UNSET if actual is UNSET else bounded(show(actual, leaf.path), _ACTUAL_BYTES)
        return msgspec.structs.replace(leaf, actual=actuals[leaf.path], expected=show(leaf.expected, ""))

    def condition_shown(verdict: ConditionVerdict) -> ConditionVerdict:
        if isinstance(verdict, LeafVerdict):
            return leaf_shown(verdict)
        return msgspec.structs.replace(verdict, parts=tuple(map(condition_shown, verdict.parts)))

    verdict, stopped, failure = one.verdict, one.verdict.stopped_by, one.verdict.failure
    verdict = msgspec.structs.replace(
        verdict,
        conditions=verdict.conditions and condition_shown(verdict.conditions),
        stopped_by=tuple(map(leaf_shown, stopped)) if isinstance(stopped, tuple) else stopped,
        failure=failure and msgspec.structs.replace(failure, message=show(failure.message, "message")),
    )
    steps = tuple(msgspec.structs.replace(step, args=bounded(show(step.args, ""), _ARGS_BYTES)) for step in one.steps)
    return Explained(verdict=verdict, steps=steps)
