"""What may stand after an operator, and the form in which its test takes it."""

import re
from collections.abc import Callable, Hashable
from typing import Any

from msgspec import Struct

from service.engine.pattern import InvalidPatternError, RiskyPatternError, compile_pattern
from service.engine.values import DURATION_HINT, canonical, duration_ms, instant, iso_instant, number, text_of


class OperandError(Exception):
    """The operand does not suit the operator. `code` is a problem code, the hint says what would suit."""

    def __init__(self, message: str, hint: str, code: str = "R303") -> None:
        super().__init__(message)
        self.message, self.hint, self.code = message, hint, code


class Bounds(Struct, frozen=True):
    """The operand of a comparison: numbers, or instants in milliseconds since the epoch."""

    read: Callable[[Any], float | None]
    """Reads an event's value in the terms of the bounds."""
    low: float
    high: float
    """For an operator with one bound the same as `low`."""


def one(value: Any) -> Hashable:
    """A scalar, in the form that values are compared in."""
    if isinstance(value, dict | list):
        raise OperandError("this takes one value", "a text, number, true, false or null; a list goes with `in`")
    return canonical(value)


def several(value: Any) -> frozenset[Hashable]:
    """A list of scalars."""
    if not isinstance(value, list) or not value:
        raise OperandError("this takes a list of values", "for instance `[customer, lead]`")
    return frozenset(one(item) for item in value)


def one_or_several(value: Any) -> frozenset[Hashable]:
    """A scalar or a list of scalars."""
    return several(value) if isinstance(value, list) else frozenset((one(value),))


def yes_or_no(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise OperandError("this takes true or false", "without quotes")
    return value


def some_text(value: Any) -> str:
    """A text that is not empty; a number or boolean stands for its text."""
    text = text_of(value)
    if not text:
        raise OperandError("this takes one text", "for several texts use `any` with one condition each")
    return text


def pattern(value: Any) -> re.Pattern[str]:
    """A regular expression."""
    if not isinstance(value, str):
        raise OperandError("this takes a regular expression", "a text in single quotes")
    try:
        return compile_pattern(value)
    except InvalidPatternError as fault:
        raise OperandError(f"this is not a regular expression: {fault}", "Python's syntax", "R304") from None
    except RiskyPatternError as fault:
        hint = "repeat single characters or one class of them: `[a-z]+`, not `([a-z]+)*`"
        raise OperandError(f"this pattern could take very long: {fault}", hint, "R305") from None


def bound(value: Any) -> Bounds:
    """A number, or an ISO date or date-time."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Bounds(number, value, value)
    moment = iso_instant(value) if isinstance(value, str) else None
    if moment is None:
        hint = "a number without quotes, a date `2026-01-31`, or a date-time `2026-01-31T12:30:00Z`"
        raise OperandError("this takes a number or a date", hint)
    return Bounds(instant, moment, moment)


def two_bounds(value: Any) -> Bounds:
    """A list of the least and the greatest value, both numbers or both dates."""
    if not isinstance(value, list) or len(value) != 2:
        raise OperandError("this takes the least and the greatest value", "for instance `[1, 10]`")
    low, high = bound(value[0]), bound(value[1])
    if low.read is not high.read:
        raise OperandError("one bound is a number, the other a date", "use two numbers or two dates")
    if low.low > high.high:
        raise OperandError("the first bound is greater than the second", "the least value comes first")
    return Bounds(low.read, low.low, high.high)


def duration(value: Any) -> int:
    """A span of time, in milliseconds."""
    span = duration_ms(value)
    if span is None:
        raise OperandError("this takes a span of time", DURATION_HINT)
    return span
