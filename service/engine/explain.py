"""Why did this event fire these rules and not those: a verdict with its reasons for every rule of a set."""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from service.engine.condition import (
    All,
    Condition,
    Leaf,
    Not,
    conjunction,
    disjunction,
    negate,
    test_leaf,
)
from service.engine.plan import missing, rule_error
from service.engine.rule import Mode, Rule
from service.engine.rule_set import RuleSet
from service.engine.scope import EventScope
from service.model import Event, PlanFailure


class LeafVerdict(Struct, frozen=True, tag="leaf"):
    """How one question was answered."""

    path: str
    operator: str
    expected: Any
    """The operand as the file has it."""
    verdict: bool | None
    line: int
    actual: Any | UnsetType = UNSET
    """The event's value; unset if the path is missing. May be personal data."""


class GroupVerdict(Struct, frozen=True, tag="group"):
    """How a combination of questions was answered."""

    combines: Literal["all", "any", "not"]
    parts: "tuple[LeafVerdict | GroupVerdict, ...]"
    verdict: bool | None
    line: int


ConditionVerdict = LeafVerdict | GroupVerdict

StoppedBy = tuple[LeafVerdict, ...] | Literal["event type", "error"] | None


class RuleVerdict(Struct, frozen=True, kw_only=True):
    """What one rule made of an event."""

    rule: str
    mode: Mode
    file: str
    line: int
    matched: bool
    """Whether event type and conditions fit, in whatever mode."""
    conditions: ConditionVerdict | None = None
    """None if the event is not of the rule's types, or the rule broke."""
    stopped_by: StoppedBy = None
    """What kept the rule from matching: the first question that was not answered with yes (under a `not`: with no), or, where
    one of several would have done, those of each."""
    failure: PlanFailure | None = None
    """Why a live rule that matched gives no run."""


def explain(rule_set: RuleSet, event: Event, now_ms: int) -> tuple[RuleVerdict, ...]:
    """The verdict of every rule, in the order of the set; agrees with `plan`. It asks every question: no shortcuts."""
    scope = EventScope(event)
    return tuple(_explain_rule(rule, scope, now_ms) for rule in rule_set.rules)


def _explain_rule(rule: Rule, scope: EventScope, now_ms: int) -> RuleVerdict:
    def verdict(
        *,
        matched: bool = False,
        conditions: ConditionVerdict | None = None,
        stopped_by: StoppedBy = None,
        failure: PlanFailure | None = None,
    ) -> RuleVerdict:
        return RuleVerdict(
            rule=rule.id,
            mode=rule.mode,
            file=rule.file,
            line=rule.line,
            matched=matched,
            conditions=conditions,
            stopped_by=stopped_by,
            failure=failure,
        )

    if scope.event.type not in rule.events:
        return verdict(stopped_by="event type")
    try:
        conditions = _explain_condition(rule.when, scope, now_ms)
        failure = missing(rule, scope) if conditions.verdict is True and rule.mode == "live" else None
    except Exception as fault:  # noqa: BLE001  # as in plan: the fault of one rule is told, not spread
        return verdict(stopped_by="error", failure=rule_error(rule, fault))
    matched = conditions.verdict is True
    stopped_by = None if matched else _decisive(conditions, wanted=True)
    return verdict(matched=matched, conditions=conditions, stopped_by=stopped_by, failure=failure)


def _explain_condition(condition: Condition, scope: EventScope, now_ms: int) -> ConditionVerdict:
    if isinstance(condition, Leaf):
        actual = scope.get(condition.path)
        answer = test_leaf(condition, scope, now_ms)
        return LeafVerdict(condition.path, condition.operator, condition.operand, answer, condition.line, actual)
    if isinstance(condition, Not):
        part = _explain_condition(condition.part, scope, now_ms)
        return GroupVerdict("not", (part,), negate(part.verdict), condition.line)
    parts = tuple(_explain_condition(part, scope, now_ms) for part in condition.parts)
    answers = (part.verdict for part in parts)
    if isinstance(condition, All):
        return GroupVerdict("all", parts, conjunction(answers), condition.line)
    return GroupVerdict("any", parts, disjunction(answers), condition.line)


def _decisive(verdict: ConditionVerdict, *, wanted: bool) -> tuple[LeafVerdict, ...]:
    """The questions that kept an answer from being the one that is wanted."""
    if isinstance(verdict, LeafVerdict):
        return (verdict,)
    if verdict.combines == "not":
        return _decisive(verdict.parts[0], wanted=not wanted)
    if (verdict.combines == "any") is wanted:  # one part would have done: none did
        return tuple(leaf for part in verdict.parts for leaf in _decisive(part, wanted=wanted))
    return _decisive(next(part for part in verdict.parts if part.verdict is verdict.verdict), wanted=wanted)
