"""Regular expressions of rules, refused at load when a value of a CRM could make them run for ages.

Python's engine backtracks: `(a+)+$` takes longer than the universe on forty letters. It has no time limit, so the guard
is on the pattern: what is repeated often has one fixed length and no alternatives, and few things are optional.
"""

import re
import warnings
from collections.abc import Iterator
from math import prod
from re import _constants, _parser  # the compiler's own view of a pattern
from typing import Any, Final

LONGEST_PATTERN: Final = 500
LOOKED_AT: Final = 1_000
"""Characters of a value that `matches` looks at."""

_FREE = 10
"""A repeat of more than this many counts as free."""
_MOST_LOOPS = 3
"""Free repeats within each other's reach, the search for a beginning included: 1,000 characters cost half a second."""
_MOST_WAYS = 10_000

_REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT)


class InvalidPatternError(Exception):
    """Not a regular expression that Python understands; the message says why."""


class RiskyPatternError(Exception):
    """A regular expression that could run for very long; the message says which part."""


def compile_pattern(text: str) -> re.Pattern[str]:
    """The compiled pattern. Raises InvalidPatternError or RiskyPatternError."""
    if len(text) > LONGEST_PATTERN:
        raise InvalidPatternError(f"it is longer than {LONGEST_PATTERN} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what Python only warns about will mean something else one day
            tree = _parser.parse(text)
            pattern = re.compile(text)
    except (re.error, OverflowError, RecursionError, Warning) as fault:
        raise InvalidPatternError(str(fault)) from None
    _check_free_repeats(tree)
    if _ways(tree) > _MOST_WAYS:
        raise RiskyPatternError("its optional parts and alternatives go together in too many ways")
    return pattern


def _check_free_repeats(tree: Any) -> None:
    many = [(low, high, body) for low, high, body in _repeats(tree) if high > _FREE]
    if any(_is_ambiguous(body) for _, _, body in many):
        raise RiskyPatternError("what is repeated without a limit has alternatives or repeats of its own")
    loops = sum(low != high for low, high, _ in many) + (not _is_anchored(tree))
    if loops > _MOST_LOOPS:
        raise RiskyPatternError("it has too many repeats without a limit")


def _is_ambiguous(body: Any) -> bool:
    """Whether one text could be an instance of this part in more than one way."""
    branches = any(operation is _constants.BRANCH for operation, _ in _parts(body))
    return branches or any(low != high for low, high, _ in _repeats(body))


def _is_anchored(tree: Any) -> bool:
    beginnings = (_constants.AT_BEGINNING, _constants.AT_BEGINNING_STRING)
    return any(operation is _constants.AT and argument in beginnings for operation, argument in tree[:1])


def _ways(tree: Any) -> int:
    """In how many ways the limited repeats and the alternatives can go together, counted up to the limit."""
    ways = 1
    for operation, argument in tree:
        if operation in _REPEATS:
            low, high, body = argument
            ways *= (high - low + 1) * _ways(body) ** high if high <= _FREE else 1
        elif operation is _constants.BRANCH:
            ways *= sum(_ways(body) for body in argument[1])
        else:
            ways *= prod(_ways(body) for body in _bodies(argument))
        ways = min(ways, _MOST_WAYS + 1)
    return ways


def _repeats(tree: Any) -> Iterator[tuple[int, int, Any]]:
    for operation, argument in _parts(tree):
        if operation in _REPEATS:
            yield argument


def _parts(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every operation of a parsed pattern with its argument, however deep."""
    for operation, argument in tree:
        yield operation, argument
        for body in _bodies(argument):
            yield from _parts(body)


def _bodies(argument: Any) -> Iterator[Any]:
    """The patterns within an operation."""
    if isinstance(argument, _parser.SubPattern):
        yield argument
    elif isinstance(argument, tuple | list):
        for part in argument:
            yield from _bodies(part)
