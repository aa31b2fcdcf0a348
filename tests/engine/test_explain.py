"""Explanations can be acted on: answer the question that they name the other way, and the verdict follows."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis.strategies import booleans

from service.engine import explain
from service.engine.condition import All, Condition, Leaf, Not
from service.engine.explain import ConditionVerdict, GroupVerdict, LeafVerdict
from service.engine.index import build_index
from service.engine.rule_set import RuleSet
from service.model import Event
from tests.engine.examples import NOW, event, rule, rules_of
from tests.engine.test_plan import EVENTS, WHEN

YES = All((), 0, 0)
NO = Not(YES, 0, 0)


def leaves(condition: Condition) -> int:
    if isinstance(condition, Leaf):
        return 1
    return leaves(condition.part) if isinstance(condition, Not) else sum(map(leaves, condition.parts))


def way_to(named: LeafVerdict, verdict: ConditionVerdict) -> list[int] | None:
    """Where a question stands in the tree of its rule's conditions."""
    if verdict is named:
        return []
    for number, part in enumerate(verdict.parts if isinstance(verdict, GroupVerdict) else ()):
        way = way_to(named, part)
        if way is not None:
            return [number, *way]
    return None


def flipped(condition: Condition, way: list[int], wanted: bool = True) -> Condition:
    """The same condition with the question at the end of the way answered so that it no longer stands in the way."""
    if not way:
        return YES if wanted else NO
    if isinstance(condition, Not):
        return Not(flipped(condition.part, way[1:], not wanted), condition.line, 0)
    assert not isinstance(condition, Leaf)
    parts = list(condition.parts)
    parts[way[0]] = flipped(parts[way[0]], way[1:], wanted)
    return msgspec.structs.replace(condition, parts=tuple(parts))


def with_condition(rule_set: RuleSet, when: Condition) -> RuleSet:
    rules = (msgspec.structs.replace(rule_set.rules[0], when=when),)
    return msgspec.structs.replace(rule_set, rules=rules, index=build_index(rules))


def flips_until_it_fires(rule_set: RuleSet, seen: Event, *, last: bool = False) -> int:
    """How many named questions must be answered otherwise until the rule fires, each time the first, or the last, of them."""
    for number in range(leaves(rule_set.rules[0].when) + 1):
        (verdict,) = explain(rule_set, seen, NOW)
        if verdict.matched:
            return number
        assert isinstance(verdict.stopped_by, tuple)
        assert verdict.conditions is not None
        way = way_to(verdict.stopped_by[-1 if last else 0], verdict.conditions)
        assert way is not None
        rule_set = with_condition(rule_set, flipped(rule_set.rules[0].when, way))
    raise AssertionError("the questions that were named did not stop it")


@pytest.mark.no_cover
@settings(max_examples=300)
@given(WHEN, EVENTS, booleans())
def test_answering_what_stopped_a_rule_the_other_way_makes_it_fire(when: str, seen: Event, last: bool) -> None:
    rule_set = rules_of(rule(when, event="[contact.updated, contact.created, deal.updated]"))
    flips_until_it_fires(rule_set, seen, last=last)


def test_where_only_one_question_is_wrong_one_flip_is_enough() -> None:
    good: dict[str, Any] = {"contact.a": 1, "contact.b": 2, "contact.c": 3}
    rule_set = rules_of(rule("{ contact.a: 1, any: [{ contact.b: 2 }], not: { contact.c: { ne: 3 } } }"))
    assert flips_until_it_fires(rule_set, event(good)) == 0
    for path in good:
        assert flips_until_it_fires(rule_set, event({**good, path: 9})) == 1
        assert flips_until_it_fires(rule_set, event({name: value for name, value in good.items() if name != path})) == 1
