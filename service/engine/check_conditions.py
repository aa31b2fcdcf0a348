"""Nodes of `when` and `if` -> conditions."""

import re
from collections.abc import Callable
from typing import Final, get_args

from service.engine.check_paths import Words, check_path
from service.engine.condition import All, Condition, Either, Leaf, Not
from service.engine.fields import items, kind
from service.engine.operands import OperandError
from service.engine.operators import OPERATORS
from service.engine.paths import SOURCES
from service.engine.problem import Report, near, one_of
from service.engine.yaml_nodes import Node, to_plain
from service.model import Origin


def compile_condition(node: Node, words: Words, report: Report) -> Condition | None:
    """A mapping of conditions that must all hold; None where the report says why not."""
    if not isinstance(node.value, dict):
        report.add("R201", node.at, f"a condition is a mapping, not {kind(node)}", "`contact.lifecyclestage: customer`")
        return None
    if not node.value:
        report.add("R307", node.at, "this condition is empty", "leave it out, or say what must hold")
        return None
    parts: list[Condition | None] = []
    for key, value in node.value.items():
        if key in _COMBINE:
            parts.append(_COMBINE[key](value, words, report))
        else:
            parts += _compile_path(key, value, words, report)
    good = tuple(part for part in parts if part is not None)
    return good[0] if len(good) == 1 else All(good, *node.at)


def _compile_all(node: Node, words: Words, report: Report) -> Condition | None:
    return All(_compile_list(node, "all", words, report), *node.key_at)


def _compile_any(node: Node, words: Words, report: Report) -> Condition | None:
    return Either(_compile_list(node, "any", words, report), *node.key_at)


def _compile_not(node: Node, words: Words, report: Report) -> Condition | None:
    if isinstance(node.value, tuple):  # none of them
        return Not(Either(_compile_list(node, "not", words, report), *node.key_at), *node.key_at)
    part = compile_condition(node, words, report)
    return None if part is None else Not(part, *node.key_at)


_COMBINE: dict[str, Callable[[Node, Words, Report], Condition | None]] = {
    "all": _compile_all,
    "any": _compile_any,
    "not": _compile_not,
}


def _compile_list(node: Node, key: str, words: Words, report: Report) -> tuple[Condition, ...]:
    nodes = items(node, report, f"`{key}`", "a list of conditions, each a mapping") or ()
    parts = [compile_condition(child, words, report) for child in nodes]
    return tuple(part for part in parts if part is not None)


def _compile_path(path: str, node: Node, words: Words, report: Report) -> list[Condition | None]:
    """The questions about one path: a scalar means `eq`, a list `in`, a mapping names its operators."""
    if not check_path(path, node.key_at, words, report):
        return []
    if isinstance(node.value, dict):
        if not node.value:
            report.add("R307", node.at, "this condition is empty", "`{ exists: true }`, for instance")
        return [_compile_leaf(path, name, operand, words, report) for name, operand in node.value.items()]
    if node.value is None:
        message = f"`{path}` is compared with null"
        hint = "for a value that is not there write `{ exists: false }`; if null is meant, `{ eq: null }`"
        report.add("R309", node.key_at, message, hint, severity="warning")
    if isinstance(node.value, str):
        _warn_of_comparison(path, node.value, node, report)
    return [_compile_leaf(path, "in" if isinstance(node.value, tuple) else "eq", node, words, report)]


_COMPARISON: Final = re.compile(r"(?:(==?|!=?|<>|>=?|<=?|=>|=<)\s*|(not)\s+)([^\s=<>!].*)", re.IGNORECASE)
_OPERATOR: Final = {
    **dict.fromkeys(("not", "!=", "!", "<>"), "ne"),
    **dict.fromkeys((">=", "=>"), "gte"),
    **dict.fromkeys(("<=", "=<"), "lte"),
    ">": "gt",
    "<": "lt",
}


def _warn_of_comparison(path: str, value: str, node: Node, report: Report) -> None:
    """A plain value is compared as it stands, and no country is called `!= NO`."""
    found = _COMPARISON.fullmatch(value.strip())
    if found is None:
        return
    sign, word, rest = found.groups()
    operator = _OPERATOR.get(sign or word.lower())
    meant = f"{path}: {{ {operator}: {rest} }}" if operator else f"{path}: {rest}"
    message = f"`{path}` is compared with the text `{value}`"
    hint = f"did you mean `{meant}`? if this very text is meant, write `{{ eq: … }}`"
    report.add("R317", node.at, message, hint, severity="warning")


def _compile_leaf(path: str, name: str, node: Node, words: Words, report: Report) -> Condition | None:
    operator = OPERATORS.get(name)
    if operator is None:
        report.add("R302", node.key_at, f"there is no operator `{name}`", near(name, OPERATORS))
        return None
    if operator.asks_for_change and words.in_step:
        hint = "ask in the rule's `when`: a step knows the values of the event, not what they were before"
        report.add("R306", node.key_at, f"`{name}` cannot be asked in a step's `if`", hint)
        return None
    operand = to_plain(node)
    try:
        test = operator.operand(operand)
    except OperandError as fault:
        report.add(fault.code, node.at, f"`{name}`: {fault.message}", fault.hint)
        return None
    if path in _CLOSED and name in _EQUALITIES:
        _check_values(node, path, report)
    return Leaf(path, name, operand, test, *node.key_at)


_CLOSED: Final = {"source": SOURCES, "origin": get_args(Origin)}
"""Facts whose every value is known."""
_EQUALITIES: Final = ("eq", "ne", "in", "not_in")


def _check_values(node: Node, path: str, report: Report) -> None:
    for item in node.value if isinstance(node.value, tuple) else (node,):
        if item.value is not None and item.value not in _CLOSED[path]:
            report.add("R310", item.at, f"`{path}` is never `{item.value}`", one_of(str(item.value), _CLOSED[path]))
