"""Whether questions about one path can all be answered as wanted by one value.

Careful in one direction: where we are not sure, it is possible.
"""

from collections.abc import Hashable, Iterable, Iterator
from itertools import pairwise
from typing import Any, Final

from msgspec import Struct

from service.engine.condition import Leaf
from service.engine.operands import Bounds
from service.engine.operators import OPERATORS, Seen
from service.engine.values import MISSING, number


class Ask(Struct, frozen=True):
    """A question, and the answer that it must have for the condition to hold."""

    leaf: Leaf
    wanted: bool


_EXACT: Final = {"eq": True, "in": True, "changed_to": True, "ne": False, "not_in": False}
"""Operators that leave only the values of their operand if the answer is this one."""
_OF_THE_EVENT: Final = ("changed", "changed_to", "changed_from", "older_than", "newer_than")
"""Operators whose answer a value alone does not decide."""
_LOWER, _UPPER = ("gt", "gte", "between"), ("lt", "lte", "between")
_OPPOSITE: Final = {"gt": "lte", "gte": "lt", "lt": "gte", "lte": "gt"}
_NOTHING: Final = (None, "", MISSING)
"""What counts as no value."""


def possible(asks: Iterable[Ask], closed: Iterable[Hashable] | None) -> bool:
    """Whether some value answers all of them. `closed`: every value that the path can have, if that is known."""
    asks = list(asks)
    if len(set(_changes(asks))) > 1:
        return False
    allowed = [set(closed)] if closed is not None else []
    allowed += [values for ask in asks if (values := exact(ask)) is not None]
    if allowed:
        values = set.intersection(*allowed)
        return any(all(_fits(ask, value) for ask in asks) for known in values for value in _forms(known))
    return _bounds_meet(asks) and _ages_meet(asks) and _ends_agree(asks)


def _changes(asks: list[Ask]) -> Iterator[bool]:
    """Whether the path must have changed."""
    for ask in asks:
        if ask.leaf.operator == "changed":
            yield ask.leaf.test is ask.wanted
        elif ask.leaf.operator in ("changed_to", "changed_from") and ask.wanted:
            yield True


def exact(ask: Ask) -> set[Hashable] | None:
    """The only values that give the wanted answer, if these can be counted."""
    operator, test = ask.leaf.operator, ask.leaf.test
    if operator == "exists":
        return set(_NOTHING) if test is not ask.wanted else None
    if _EXACT.get(operator) is not ask.wanted:
        return None
    return set(test) if isinstance(test, frozenset) else {test}


def _forms(value: Any) -> Iterator[Any]:
    """A value in canonical form may have been text or a number."""
    yield value
    if isinstance(value, str) and (counted := number(value)) is not None:
        yield counted


def _fits(ask: Ask, value: Any) -> bool:
    if ask.leaf.operator in _OF_THE_EVENT:
        return True
    return OPERATORS[ask.leaf.operator].test(Seen(value, MISSING, None, 0), ask.leaf.test) is ask.wanted


def _bounds_meet(asks: list[Ask]) -> bool:
    """Whether a number (or date) lies within all bounds."""
    given = [(_direction(ask), ask.leaf.test) for ask in asks if isinstance(ask.leaf.test, Bounds)]
    for read in {bounds.read for _, bounds in given}:
        known = [(name, bounds) for name, bounds in given if bounds.read is read]
        low = max(((bounds.low, name == "gt") for name, bounds in known if name in _LOWER), default=None)
        high = min(((bounds.high, name != "lt") for name, bounds in known if name in _UPPER), default=None)
        if low and high and (low[0] > high[0] or (low[0] == high[0] and (low[1] or not high[1]))):
            return False
    return True


def _direction(ask: Ask) -> str:
    """The operator that is really asked: not greater is less or equal. What has no opposite bounds nothing."""
    return ask.leaf.operator if ask.wanted else _OPPOSITE.get(ask.leaf.operator, "")


def _ages_meet(asks: list[Ask]) -> bool:
    """Whether a date can be older than the one span and newer than the other."""
    older = [ask.leaf.test for ask in asks if ask.wanted and ask.leaf.operator == "older_than"]
    newer = [ask.leaf.test for ask in asks if ask.wanted and ask.leaf.operator == "newer_than"]
    return not older or not newer or max(older) < min(newer)


def _ends_agree(asks: list[Ask]) -> bool:
    """Whether one text can begin (or end) with all of these."""
    heads = [ask.leaf.test for ask in asks if ask.wanted and ask.leaf.operator == "starts_with"]
    tails = [ask.leaf.test for ask in asks if ask.wanted and ask.leaf.operator == "ends_with"]
    return all(long.startswith(short) for short, long in pairwise(sorted(heads, key=len))) and all(
        long.endswith(short) for short, long in pairwise(sorted(tails, key=len))
    )
