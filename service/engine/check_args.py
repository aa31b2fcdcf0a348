"""A step's `with` against the Args type of its action: every field, however deep, with its own line."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import inspect

from service.engine.fields import kind
from service.engine.problem import Report, near
from service.engine.template import Expression, Joined, Tree, expressions
from service.engine.yaml_nodes import Node, Position, to_plain

Fault = tuple[str, Position, str, str]
"""Code, place, message, hint."""


def check_args(node: Node, tree: Tree, args: inspect.StructType, report: Report) -> None:
    """Note what the action would refuse. `tree`: the node with its templates compiled."""
    faults = list(_faults(node, tree, args, "`with`"))
    if not faults and not any(expressions(tree)):
        faults = list(_refusals(node, args))
    for code, at, message, hint in faults:
        report.add(code, at, message, hint)


def _refusals(node: Node, args: inspect.StructType) -> Iterable[Fault]:
    """What the type itself says when nothing is left open by templates (a Struct may check fields together)."""
    try:
        msgspec.convert(to_plain(node), args.cls)
    except msgspec.ValidationError as fault:
        yield "R506", node.key_at, f"the action refuses this: {fault}", ""


def _faults(node: Node, tree: Tree, wanted: inspect.Type, what: str) -> Iterable[Fault]:
    if isinstance(tree, Expression) or isinstance(wanted, inspect.AnyType):
        return
    if isinstance(wanted, inspect.UnionType):
        yield from _union_faults(node, tree, wanted, what)
    elif isinstance(wanted, inspect.StructType):
        yield from _struct_faults(node, tree, wanted, what)
    elif isinstance(wanted, inspect.DictType):
        yield from _dict_faults(node, tree, wanted, what)
    elif isinstance(wanted, inspect.ListType | inspect.VarTupleType | inspect.SetType | inspect.FrozenSetType):
        yield from _list_faults(node, tree, wanted, what)
    elif isinstance(tree, Joined):
        return
    elif isinstance(wanted, inspect.LiteralType | inspect.EnumType):
        yield from _choice_faults(node, wanted, what)
    else:
        yield from _scalar_faults(node, wanted, what)


def _union_faults(node: Node, tree: Tree, wanted: inspect.UnionType, what: str) -> Iterable[Fault]:
    """If no member fits: the complaints of the member that comes closest, or one that names them all."""
    tries = [list(_faults(node, tree, member, what)) for member in wanted.types]
    if all(tries):
        closest = [faults for faults in tries if faults[0][0] != "R504" or faults[0][1] != node.at]
        yield from min(closest, key=len) if closest else [_wrong_kind(node, wanted, what)]


def _struct_faults(node: Node, tree: Tree, wanted: inspect.StructType, what: str) -> Iterable[Fault]:
    if not isinstance(node.value, dict):
        yield _wrong_kind(node, wanted, what)
        return
    known = {field.encode_name: field for field in wanted.fields}
    for name, child in node.value.items():
        if name in known:
            yield from _faults(child, tree[name], known[name].type, f"`{name}`")
        elif name == wanted.tag_field:
            if child.value != wanted.tag:
                yield "R505", child.at, f"`{name}` cannot be `{child.value}`", f"allowed: {wanted.tag}"
        else:
            yield "R503", child.key_at, f"{what} has no argument `{name}`", near(name, known)
    for name, field in known.items():
        if field.required and name not in node.value:
            required = ", ".join(field.encode_name for field in wanted.fields if field.required)
            yield "R502", node.key_at, f"{what} has no `{name}`", f"required: {required}"


def _dict_faults(node: Node, tree: Tree, wanted: inspect.DictType, what: str) -> Iterable[Fault]:
    if not isinstance(node.value, dict):
        yield _wrong_kind(node, wanted, what)
        return
    yield from _length_faults(node, wanted, what, len(node.value), "keys")
    for name, child in node.value.items():
        yield from _faults(Node(name, child.key_at, child.key_at), name, wanted.key_type, f"the key `{name}`")
        yield from _faults(child, tree[name], wanted.value_type, f"`{name}`")


def _list_faults(node: Node, tree: Tree, wanted: Any, what: str) -> Iterable[Fault]:
    if not isinstance(node.value, tuple):
        yield _wrong_kind(node, wanted, what)
        return
    yield from _length_faults(node, wanted, what, len(node.value), "items")
    for child, subtree in zip(node.value, tree, strict=True):
        yield from _faults(child, subtree, wanted.item_type, f"an item of {what}")


def _choice_faults(node: Node, wanted: inspect.LiteralType | inspect.EnumType, what: str) -> Iterable[Fault]:
    allowed = _choices(wanted)
    if isinstance(node.value, dict | tuple) or node.value not in allowed:
        given = kind(node) if isinstance(node.value, dict | tuple) else f"`{node.value}`"
        yield "R505", node.at, f"{what} cannot be {given}", near(str(node.value), [str(value) for value in allowed])


def _scalar_faults(node: Node, wanted: inspect.Type, what: str) -> Iterable[Fault]:
    value = node.value
    fits = _FITS.get(type(wanted))
    if fits is None:  # a type of the action's own: it decides when it runs
        return
    if not fits(value):
        yield _wrong_kind(node, wanted, what)
    elif isinstance(wanted, inspect.StrType) and isinstance(value, str):
        yield from _length_faults(node, wanted, what, len(value), "characters")
        if wanted.pattern is not None and not re.search(wanted.pattern, value):
            yield "R505", node.at, f"{what} does not match what the action takes", f"pattern: {wanted.pattern}"
    elif isinstance(wanted, inspect.IntType | inspect.FloatType) and isinstance(value, int | float):
        yield from _range_faults(node, wanted, what, value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_FITS: dict[type[inspect.Type], Callable[[object], bool]] = {
    inspect.StrType: lambda value: isinstance(value, str),
    inspect.IntType: lambda value: _is_number(value) and isinstance(value, int),
    inspect.FloatType: _is_number,
    inspect.BoolType: lambda value: isinstance(value, bool),
    inspect.NoneType: lambda value: value is None,
}


def _length_faults(node: Node, wanted: Any, what: str, length: int, unit: str) -> Iterable[Fault]:
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


def _wrong_kind(node: Node, wanted: inspect.Type, what: str) -> Fault:
    hint = ""
    if isinstance(wanted, inspect.StructType):
        hint = f"its keys: {', '.join(field.encode_name for field in wanted.fields)}"
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
    if isinstance(wanted, inspect.UnionType):
        return " or ".join(dict.fromkeys(_describe(member) for member in wanted.types))
    return _WORDS.get(type(wanted), "what the action takes")


_WORDS: dict[type[inspect.Type], str] = {
    inspect.StrType: "text",
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.BoolType: "true or false",
    inspect.NoneType: "null",
    inspect.StructType: "a mapping",
    inspect.DictType: "a mapping",
    inspect.ListType: "a list",
    inspect.VarTupleType: "a list",
    inspect.SetType: "a list",
    inspect.FrozenSetType: "a list",
}
