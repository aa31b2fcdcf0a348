"""What rules make of an event: every question, its answer, and the one that stopped a rule."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Struct

from service.engine import Preview, Rule, RuleSet, RuleVerdict, explain, preview
from service.engine.explain import ConditionVerdict, LeafVerdict
from service.insight.masking import hide, known_ids
from service.model import Event
from service.observe.mask import mask


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
    rules = tuple(_masked(one, event) for one in found) if masked else tuple(found)
    shown = _masked_event(event) if masked else event
    return Explanation(id=event_id, event=shown, at=at, ruleset=rule_set.version, rules=rules)


def _explained(rule: Rule, verdict: RuleVerdict, event: Event, at: int) -> Explained:
    return Explained(verdict=verdict, steps=preview(rule, event, at) if verdict.matched else ())


def masked_steps(steps: Sequence[Preview], event: Event) -> tuple[Preview, ...]:
    """The same steps, with the people in the event that they are for hidden."""
    return tuple(msgspec.structs.replace(step, args=hide(step.args, event)) for step in steps)


def _masked(one: Explained, event: Event) -> Explained:
    if not one.near:
        return one
    verdict = one.verdict
    ids = known_ids(event)
    conditions = verdict.conditions and _masked_condition(verdict.conditions, ids)
    stopped = verdict.stopped_by
    if isinstance(stopped, LeafVerdict):
        stopped = _masked_leaf(stopped, ids)
    verdict = msgspec.structs.replace(verdict, conditions=conditions, stopped_by=stopped)
    return Explained(verdict=verdict, steps=masked_steps(one.steps, event))


def _masked_condition(verdict: ConditionVerdict, ids: frozenset[str]) -> ConditionVerdict:
    if isinstance(verdict, LeafVerdict):
        return _masked_leaf(verdict, ids)
    return msgspec.structs.replace(verdict, parts=tuple(_masked_condition(part, ids) for part in verdict.parts))


def _masked_leaf(leaf: LeafVerdict, ids: frozenset[str]) -> LeafVerdict:
    actual = UNSET if leaf.actual is UNSET else mask(leaf.actual, leaf.path, ids)
    return msgspec.structs.replace(leaf, actual=actual, expected=mask(leaf.expected, "", ids))


def _masked_event(event: Event) -> Event:
    ids = known_ids(event)
    return msgspec.structs.replace(event, values=mask(event.values, "", ids), before=mask(event.before, "", ids))
