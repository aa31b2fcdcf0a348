"""The operators of conditions: one table; the docstring of each test is its entry in the documentation.

A test answers True, False, or None for unknown. Every operator but `exists` is unknown on a missing path, and only
`eq`, `ne`, `in`, `not_in` and their `changed_` kin can say anything about null.
"""

import re
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, Final

from msgspec import Struct

from service.engine.operands import (
    Bounds,
    bound,
    duration,
    one,
    one_or_several,
    pattern,
    several,
    some_text,
    two_bounds,
    yes_or_no,
)
from service.engine.pattern import LOOKED_AT
from service.engine.values import MISSING, canonical, instant, text_of


class Seen(Struct, frozen=True):
    """What is known about one path when a condition is tested."""

    value: Any
    before: Any
    changed: bool | None
    now_ms: int


class Operator(Struct, frozen=True):
    """One word of the language of conditions."""

    name: str
    operand: Callable[[Any], Any]
    """Plain value from the file -> what `test` takes. Raises OperandError."""
    test: Callable[[Seen, Any], bool | None]
    asks_for_change: bool = False
    """Whether it needs the event itself, not just values; such an operator has no meaning in a step's `if`."""


def eq(seen: Seen, operand: Hashable) -> bool | None:
    """The value is this one.

    Text, numbers and booleans are compared by their text: `5`, `5.0` and `"5"` are equal, `"0123"` and `123` are not.
    Upper and lower case differ.
    """
    return None if seen.value is MISSING else canonical(seen.value) == operand


def ne(seen: Seen, operand: Hashable) -> bool | None:
    """The value is there and is not this one."""
    return None if seen.value is MISSING else canonical(seen.value) != operand


def in_(seen: Seen, operand: frozenset[Hashable]) -> bool | None:
    """The value is one of these."""
    return None if seen.value is MISSING else canonical(seen.value) in operand


def not_in(seen: Seen, operand: frozenset[Hashable]) -> bool | None:
    """The value is there and is none of these."""
    return None if seen.value is MISSING else canonical(seen.value) not in operand


def exists(seen: Seen, operand: bool) -> bool:
    """`true`: there is a value; `false`: there is none.

    No value: the path is missing, null, or an empty text, which is what HubSpot sends for a property that was cleared.
    """
    return (seen.value is not MISSING and seen.value is not None and seen.value != "") is operand


def contains(seen: Seen, operand: str) -> bool | None:
    """A text holds this text; a list has this item."""
    if isinstance(seen.value, list | tuple):
        return any(canonical(item) == operand for item in seen.value)
    text = text_of(seen.value)
    return None if text is None else operand in text


def starts_with(seen: Seen, operand: str) -> bool | None:
    """A text begins with this text."""
    text = text_of(seen.value)
    return None if text is None else text.startswith(operand)


def ends_with(seen: Seen, operand: str) -> bool | None:
    """A text ends with this text."""
    text = text_of(seen.value)
    return None if text is None else text.endswith(operand)


def matches(seen: Seen, operand: re.Pattern[str]) -> bool | None:
    """The regular expression is found somewhere in the text.

    Python's syntax; `^` and `$` tie it to the ends. Only the first 1,000 characters are looked at.
    """
    text = text_of(seen.value)
    return None if text is None else operand.search(text[:LOOKED_AT]) is not None


def gt(seen: Seen, operand: Bounds) -> bool | None:
    """Greater than a number, or later than a date. A value that is not a number (not a date) is unknown."""
    value = operand.read(seen.value)
    return None if value is None else value > operand.low


def gte(seen: Seen, operand: Bounds) -> bool | None:
    """Greater than or equal to a number; at or after a date."""
    value = operand.read(seen.value)
    return None if value is None else value >= operand.low


def lt(seen: Seen, operand: Bounds) -> bool | None:
    """Less than a number, or earlier than a date."""
    value = operand.read(seen.value)
    return None if value is None else value < operand.low


def lte(seen: Seen, operand: Bounds) -> bool | None:
    """Less than or equal to a number; at or before a date."""
    value = operand.read(seen.value)
    return None if value is None else value <= operand.low


def between(seen: Seen, operand: Bounds) -> bool | None:
    """From the first to the second number or date, both included. A date means its first moment, in UTC."""
    value = operand.read(seen.value)
    return None if value is None else operand.low <= value <= operand.high


def changed(seen: Seen, operand: bool) -> bool | None:
    """`true`: this event says that the property changed. `false`: the event carries it, unchanged."""
    return None if seen.changed is None else seen.changed is operand


def changed_to(seen: Seen, operand: frozenset[Hashable]) -> bool | None:
    """The property changed, and is now this value (or one of these)."""
    return in_(seen, operand) if seen.changed else seen.changed


def changed_from(seen: Seen, operand: frozenset[Hashable]) -> bool | None:
    """The property changed, and was this value (or one of these) before.

    HubSpot does not tell the value before, so this is never true there.
    """
    if not seen.changed:
        return seen.changed
    return None if seen.before is MISSING else canonical(seen.before) in operand


def older_than(seen: Seen, operand: int) -> bool | None:
    """The date lies further back than this span of time, seen from now."""
    moment = instant(seen.value)
    return None if moment is None else moment < seen.now_ms - operand


def newer_than(seen: Seen, operand: int) -> bool | None:
    """The date lies less far back than this span of time, or in the future."""
    moment = instant(seen.value)
    return None if moment is None else moment > seen.now_ms - operand


_asking_for_change = partial(Operator, asks_for_change=True)

OPERATORS: Final[dict[str, Operator]] = {
    operator.name: operator
    for operator in (
        Operator("eq", one, eq),
        Operator("ne", one, ne),
        Operator("in", several, in_),
        Operator("not_in", several, not_in),
        Operator("exists", yes_or_no, exists),
        Operator("contains", some_text, contains),
        Operator("starts_with", some_text, starts_with),
        Operator("ends_with", some_text, ends_with),
        Operator("matches", pattern, matches),
        Operator("gt", bound, gt),
        Operator("gte", bound, gte),
        Operator("lt", bound, lt),
        Operator("lte", bound, lte),
        Operator("between", two_bounds, between),
        _asking_for_change("changed", yes_or_no, changed),
        _asking_for_change("changed_to", one_or_several, changed_to),
        _asking_for_change("changed_from", one_or_several, changed_from),
        Operator("older_than", duration, older_than),
        Operator("newer_than", duration, newer_than),
    )
}
