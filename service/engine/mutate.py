"""Small changes to a rule, each of which a good test notices: what a slip of the author would have made of it.

Every condition is left out and turned round, every bound is moved, every value of a list is taken out, `any` and `all`
change places, `not` goes, every event and every step is left out. Changes that could make no difference are not made.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from msgspec import Struct, structs

from service.engine.check_reach import most_properties
from service.engine.condition import ALWAYS, All, Condition, Either, Leaf, Not
from service.engine.mutate_leaf import describe, leaf_changes
from service.engine.paths import SOURCES, head, sources_of
from service.engine.rule import Rule, Step, used_by
from service.engine.yaml_nodes import Position

_DECISIVE: Final = "a case in which it alone decides"
_FIRES: Final = "a case in which only this alternative holds, and the rule fires"
_SILENT: Final = "a case in which only this alternative holds, and the rule stays silent"
_TURNED: Final = {_FIRES: _SILENT, _SILENT: _FIRES}
"""What is wanted of an alternative -> the same, below a `not`."""


class Mutant(Struct, frozen=True):
    """A rule with one change."""

    rule: Rule
    at: Position
    """Line and column of what was changed, in the rule's file."""
    part: str
    """What was changed: `` `origin` in [import, workflow] ``."""
    change: str
    """How: `left out`."""
    wanted: str
    """The case that would notice it."""


class _Changed(Struct, frozen=True):
    """A condition after one change; None: it is gone."""

    condition: Condition | None
    at: Position
    part: str
    change: str
    wanted: str


def mutants(rule: Rule) -> Iterator[Mutant]:
    """Every change of one rule."""
    for found in _changes(rule.when, _needless(rule)):
        changed = structs.replace(rule, when=found.condition or ALWAYS)
        yield Mutant(changed, found.at, found.part, found.change, found.wanted)
    if len(rule.events) > 1:
        for event in rule.events:
            rest = tuple(other for other in rule.events if other != event)
            changed = structs.replace(rule, events=rest)
            at = rule.line, rule.column
            yield Mutant(changed, at, f"`event` {event}", "left out", f"a case of {event} that expects the rule")
    for place, step in enumerate(rule.steps):
        yield from _step_mutants(rule, place, step)


def _step_mutants(rule: Rule, place: int, step: Step) -> Iterator[Mutant]:
    before, after = rule.steps[:place], rule.steps[place + 1 :]
    what = f"step {step.index + 1} ({step.do})"
    without = _with_steps(rule, before + after)
    yield Mutant(without, (step.line, step.column), what, "left out", "a case that lists the rule's calls")
    for found in _changes(step.if_, ()):
        changed = structs.replace(step, if_=found.condition or ALWAYS)
        mutant = _with_steps(rule, (*before, changed, *after))
        wanted = f"{found.wanted}, with the calls it makes then"
        yield Mutant(mutant, found.at, f"`if` of {what}: {found.part}", found.change, wanted)


def _with_steps(rule: Rule, steps: tuple[Step, ...]) -> Rule:
    return structs.replace(rule, steps=steps, uses=used_by(steps))


def _needless(rule: Rule) -> tuple[Leaf, ...]:
    """Conditions without which the rule is the same: `source: hubspot` where no other source could fire it anyway."""
    sources = {source for event in rule.events for source in sources_of(event.rpartition(".")[0])}
    asked = [leaf for leaf in _conjuncts(rule.when) if (leaf.operator, leaf.test) != ("exists", False)]
    return tuple(
        leaf
        for leaf in asked
        if (leaf.path, leaf.operator) == ("source", "eq")
        and not any(_could_come_from(source, rule, asked) for source in sources - {leaf.test})
    )


def _could_come_from(source: str, rule: Rule, asked: Sequence[Leaf]) -> bool:
    """Whether one event of this source can have an answer to all that is asked."""
    if any(head(leaf.path) in SOURCES and head(leaf.path) != source for leaf in asked):
        return False
    if source != "hubspot":
        return True
    return any(_brings(event, asked) for event in rule.events)


def _brings(event: str, asked: Sequence[Leaf]) -> bool:
    """Whether HubSpot brings all the properties that are asked for."""
    word, most = event.rpartition(".")[0], most_properties(event)
    properties = {leaf.path for leaf in asked if head(leaf.path) == word} - {f"{word}.id"}
    return most is None or len(properties) <= most


def _conjuncts(condition: Condition) -> Iterator[Leaf]:
    if isinstance(condition, Leaf):
        yield condition
    elif isinstance(condition, All):
        for part in condition.parts:
            yield from _conjuncts(part)


def _changes(condition: Condition, needless: tuple[Leaf, ...], decisive: str = _DECISIVE) -> Iterator[_Changed]:
    """Every condition that one change makes of this one. `decisive`: the case in which this condition makes the difference."""
    if isinstance(condition, Leaf):
        yield from _leaf_changes(condition, needless, decisive)
    elif isinstance(condition, Not):
        yield from _not_changes(condition, needless, decisive)
    else:
        yield from _group_changes(condition, needless)


def _leaf_changes(leaf: Leaf, needless: tuple[Leaf, ...], decisive: str) -> Iterator[_Changed]:
    at, part = (leaf.line, leaf.column), describe(leaf)
    if leaf not in needless:
        yield _Changed(None, at, part, "left out", decisive)
    yield _Changed(Not(leaf, *at), at, part, "turned round", decisive)
    for other, change, wanted in leaf_changes(leaf):
        yield _Changed(other, at, part, change, wanted)


def _not_changes(condition: Not, needless: tuple[Leaf, ...], decisive: str) -> Iterator[_Changed]:
    at, single = (condition.line, condition.column), isinstance(condition.part, Leaf)
    for found in _changes(condition.part, needless, decisive if single else _DECISIVE):
        part = found.part if found.part.startswith("`not`") else f"`not` {found.part}"
        wrapped = None if found.condition is None else Not(found.condition, *at)
        wanted = found.wanted if single else _TURNED.get(found.wanted, found.wanted)
        yield structs.replace(found, condition=wrapped, part=part, wanted=wanted)
    if not single:  # of a single question that is the same as turning it round
        yield _Changed(condition.part, at, "`not`", "taken away", decisive)
        yield _Changed(None, at, "`not` as a whole", "left out", decisive)


def _group_changes(group: All | Either, needless: tuple[Leaf, ...]) -> Iterator[_Changed]:
    kind, word, other = (All, "all", "any") if isinstance(group, All) else (Either, "any", "all")
    at = group.line, group.column
    if len(group.parts) > 1 and not _same_when_swapped(group, needless):
        swapped = Either(group.parts, *at) if kind is All else All(group.parts, *at)
        wanted = "a case in which one of them holds and another does not"
        yield _Changed(swapped, at, f"`{word}` of {len(group.parts)} conditions", f"read as `{other}`", wanted)
    for place, part in enumerate(group.parts):
        rest = (*group.parts[:place], *group.parts[place + 1 :])
        for found in _part_changes(part, rest, needless, _DECISIVE if kind is All else _FIRES):
            left = (
                rest if found.condition is None else (*group.parts[:place], found.condition, *group.parts[place + 1 :])
            )
            yield structs.replace(found, condition=kind(left, *at) if left else None)


def _part_changes(
    part: Condition, rest: Sequence[Condition], needless: tuple[Leaf, ...], decisive: str
) -> Iterator[_Changed]:
    for found in _changes(part, needless, decisive):
        if found.condition is not None or not _is_implied(part, rest):
            yield found
    if isinstance(part, All | Either) and len(part.parts) > 1:
        word = "all" if isinstance(part, All) else "any"
        at = part.line, part.column
        yield _Changed(None, at, f"`{word}` as a whole", "left out", decisive)


def _same_when_swapped(group: Any, needless: tuple[Leaf, ...]) -> bool:
    """Of two conditions of which one always holds, `any` says nothing that leaving out the other does not say."""
    return len(group.parts) == 2 and any(part in needless for part in group.parts if isinstance(part, Leaf))


_NEED_A_VALUE: Final = frozenset(
    ("contains", "starts_with", "ends_with", "matches", "gt", "gte", "lt", "lte", "between", "older_than", "newer_than")
)


def _is_implied(part: Condition, rest: Sequence[Condition]) -> bool:
    """`exists: true` beside a question that only a value can answer with yes."""
    return (
        isinstance(part, Leaf)
        and part.operator == "exists"
        and part.test is True
        and any(isinstance(leaf, Leaf) and leaf.path == part.path and _needs_a_value(leaf) for leaf in rest)
    )


def _needs_a_value(leaf: Leaf) -> bool:
    if leaf.operator == "eq":
        return leaf.test not in (None, "")
    if leaf.operator in ("in", "changed_to"):
        return not leaf.test & {None, ""}
    return leaf.operator in _NEED_A_VALUE
