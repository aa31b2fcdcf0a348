"""One value of a step's `with` against its type: kind, choice, length, range; and the words for all of these."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, inspect

from service.engine.fields import kind
from service.engine.problem import one_of
from service.engine.yaml_nodes import Node, Position

Fault = tuple[str, Position, str, str]
"""Code, place, message, hint."""

_INSTANT_HINT: Final = "an instant with its offset from UTC, such as `2026-11-07T05:31:56Z`"


def bare(wanted: inspect.Type) -> inspect.Type:
    """The type without its description."""
    while isinstance(wanted, inspect.Metadata):
        wanted = wanted.type
    return wanted


def choice_faults(node: Node, wanted: inspect.LiteralType | inspect.EnumType, what: str) -> Iterable[Fault]:
    """One of some values."""
    allowed = _choices(wanted)
    if isinstance(node.value, dict | tuple) or node.value not in allowed:
        given = kind(node) if isinstance(node.value, dict | tuple) else f"`{node.value}`"
        yield "R505", node.at, f"{what} cannot be {given}", one_of(str(node.value), [str(value) for value in allowed])


def scalar_faults(node: Node, wanted: inspect.Type, what: str) -> Iterable[Fault]:
    """A text, number, boolean, instant or null. Of a type of the action's own it decides when it runs."""
    value = node.value
    fits = _FITS.get(type(wanted))
    if fits is None:
        return
    if not fits(value):
        yield wrong_kind(node, wanted, what)
    elif isinstance(wanted, inspect.StrType) and isinstance(value, str):
        yield from length_faults(node, wanted, what, len(value), "characters")
        if wanted.pattern is not None and not re.search(wanted.pattern, value):
            yield "R505", node.at, f"{what} does not match what the action takes", f"pattern: {wanted.pattern}"
    elif isinstance(wanted, inspect.DateTimeType) and not _is_instant(value, wanted):
        yield "R505", node.at, f"{what} cannot be `{value}`", _INSTANT_HINT
    elif isinstance(wanted, inspect.IntType | inspect.FloatType) and isinstance(value, int | float):
        yield from _range_faults(node, wanted, what, value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_instant(value: object, wanted: inspect.DateTimeType) -> bool:
    try:
        msgspec.convert(value, Annotated[datetime, Meta(tz=wanted.tz)])
    except msgspec.ValidationError:
        return False
    return True


_FITS: dict[type[inspect.Type], Callable[[object], bool]] = {
    inspect.StrType: _is_text,
    inspect.IntType: lambda value: _is_number(value) and isinstance(value, int),
    inspect.FloatType: _is_number,
    inspect.BoolType: lambda value: isinstance(value, bool),
    inspect.NoneType: lambda value: value is None,
    inspect.DateTimeType: _is_text,
}


def length_faults(node: Node, wanted: Any, what: str, length: int, unit: str) -> Iterable[Fault]:
    """Too short or too long; `unit`: what is counted."""
    low, high = wanted.min_length or 0, wanted.max_length
    if length < low or (high is not None and length > high):
        limit = f"at least {low}" if length < low else f"at most {high}"
        yield "R505", node.at, f"{what} has {length} {unit}", f"{limit} {unit}"


def _range_faults(node: Node, wanted: Any, what: str, value: float) -> Iterable[Fault]:
    limits: list[tuple[str, float | None, Callable[[float], bool]]] = [
        ("greater than", wanted.gt, lambda limit: value > limit),
        ("at least", wanted.ge, lambda limit: value >= limit),
        ("less than", wanted.lt, lambda limit: value < limit),
        ("at most", wanted.le, lambda limit: value <= limit),
        ("a multiple of", wanted.multiple_of, lambda limit: value % limit == 0),
    ]
    for words, limit, holds in limits:
        if limit is not None and not holds(limit):
            yield "R505", node.at, f"{what} cannot be {value}", f"{words} {limit}"


def wrong_kind(node: Node, wanted: inspect.Type, what: str) -> Fault:
    """A text where a number should be, and the like."""
    hint = ""
    if isinstance(wanted, inspect.StructType):
        hint = f"its keys: {', '.join(field.encode_name for field in wanted.fields)}"
    elif isinstance(wanted, inspect.DateTimeType):
        hint = _INSTANT_HINT
    elif _is_number(node.value) and "text" in _describe(wanted):
        hint = f'quote it: "{node.value}"'
    elif isinstance(node.value, str) and node.value and "number" in _describe(wanted):
        hint = "a number is written without quotes"
    return "R504", node.at, f"{what} is {kind(node)}, not {_describe(wanted)}", hint


def _choices(wanted: inspect.LiteralType | inspect.EnumType) -> tuple[Any, ...]:
    if isinstance(wanted, inspect.LiteralType):
        return tuple(wanted.values)
    return tuple(member.value for member in wanted.cls)


def _describe(wanted: inspect.Type) -> str:
    wanted = bare(wanted)
    if isinstance(wanted, inspect.UnionType):
        return " or ".join(dict.fromkeys(_describe(member) for member in wanted.types))
    return _WORDS.get(type(wanted), "what the action takes")


_WORDS: dict[type[inspect.Type], str] = {
    inspect.StrType: "text",
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.BoolType: "true or false",
    inspect.NoneType: "null",
    inspect.DateTimeType: "an instant",
    inspect.StructType: "a mapping",
    inspect.DictType: "a mapping",
    inspect.ListType: "a list",
    inspect.VarTupleType: "a list",
    inspect.SetType: "a list",
    inspect.FrozenSetType: "a list",
}
