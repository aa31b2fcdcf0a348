"""Conditions: trees that answer True, False or None for unknown, as Kleene's logic has it. Only True fires a rule."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from msgspec import Struct

from service.engine.operators import OPERATORS, Seen
from service.engine.scope import Lookup


class Leaf(Struct, frozen=True):
    """One question about one path."""

    path: str
    operator: str
    """A key of OPERATORS."""
    operand: Any
    """As the file has it: plain lists and scalars."""
    test: Any
    """The operand in the form that the operator's test takes."""
    line: int
    column: int


class All(Struct, frozen=True):
    """True if every part is; true if there is none."""

    parts: "tuple[Condition, ...]"
    line: int
    column: int


class Either(Struct, frozen=True):
    """True if one part is."""

    parts: "tuple[Condition, ...]"
    line: int
    column: int


class Not(Struct, frozen=True):
    """True if the part is false: not knowing stays not knowing."""

    part: "Condition"
    line: int
    column: int


Condition = Leaf | All | Either | Not

ALWAYS: Final = All((), 0, 0)


def evaluate(condition: Condition, lookup: Lookup, now_ms: int) -> bool | None:
    """The answer of a condition. `now_ms`: milliseconds since the epoch."""
    if isinstance(condition, Leaf):
        return test_leaf(condition, lookup, now_ms)
    if isinstance(condition, Not):
        return negate(evaluate(condition.part, lookup, now_ms))
    answers = (evaluate(part, lookup, now_ms) for part in condition.parts)
    return conjunction(answers) if isinstance(condition, All) else disjunction(answers)


def test_leaf(leaf: Leaf, lookup: Lookup, now_ms: int) -> bool | None:
    """The answer of one question."""
    path = leaf.path
    seen = Seen(lookup.get(path), lookup.before(path), lookup.changed(path), now_ms)
    return OPERATORS[leaf.operator].test(seen, leaf.test)


def conjunction(answers: Iterable[bool | None]) -> bool | None:
    """False if one is false, else unknown if one is unknown, else true."""
    verdict: bool | None = True
    for answer in answers:
        if answer is False:
            return False
        if answer is None:
            verdict = None
    return verdict


def disjunction(answers: Iterable[bool | None]) -> bool | None:
    """True if one is true, else unknown if one is unknown, else false."""
    verdict: bool | None = False
    for answer in answers:
        if answer is True:
            return True
        if answer is None:
            verdict = None
    return verdict


def negate(answer: bool | None) -> bool | None:
    """The opposite; unknown has none."""
    return None if answer is None else not answer


def paths(condition: Condition) -> frozenset[str]:
    """Every path that the condition asks about."""
    return frozenset(leaf.path for leaf in leaves(condition))


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Every question of the condition, in order."""
    if isinstance(condition, Leaf):
        yield condition
    elif isinstance(condition, Not):
        yield from leaves(condition.part)
    else:
        for part in condition.parts:
            yield from leaves(part)
