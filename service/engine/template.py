"""Templates: `${path | filter | filter(argument)}` in the values of a step's `with`. They fetch and format, no more.

A value that is one whole template keeps the type of what it fetches; in a longer text it becomes text. `$${` stands for
a literal `${`.
"""

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from service.engine.filters import FILTERS, ArgumentError
from service.engine.paths import is_path
from service.engine.problem import near
from service.engine.scope import Lookup
from service.engine.values import MISSING, to_json
from service.engine.yaml_scalars import plain_scalar
from service.errors import Permanent

_LITERAL = re.compile(r"(?:[^$]|\$(?!\$?\{))+")
_NAME = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*")
_ARGUMENT = re.compile(r"""\((?:\s*"([^"]*)"\s*|\s*'([^']*)'\s*|([^()"'{}|]*))\)\s*""")
_PATH = re.compile(r"[^|{}]*")


class TemplateError(Exception):
    """A template that cannot be read. `offset`: characters from the start of the text."""

    def __init__(self, code: str, offset: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.offset, self.message, self.hint = code, offset, message, hint


class Call(Struct, frozen=True):
    """One filter with its argument."""

    filter: str
    argument: Any = None


class Expression(Struct, frozen=True):
    """What stands between `${` and `}`."""

    path: str
    filters: tuple[Call, ...] = ()

    @property
    def needs_value(self) -> bool:
        """Whether a missing value stops the step."""
        return all(call.filter != "default" for call in self.filters)


class Joined(Struct, frozen=True):
    """A text with templates in it."""

    parts: tuple[str | Expression, ...]


Tree = Any
"""A step's `with`, compiled: Expression, Joined, scalars, tuples of trees, and dicts of trees."""


def parse_template(text: str) -> str | Expression | Joined:
    """A text of a rule file: literal, one whole template, or a mixture. Raises TemplateError."""
    parts: list[str | Expression] = []
    position = 0
    while position < len(text):
        if text.startswith("$${", position):
            part: str | Expression = "${"
            position += 3
        elif text.startswith("${", position):
            part, position = _expression(text, position)
        else:
            literal = _LITERAL.match(text, position)
            part = literal[0] if literal else "$"
            position += len(part)
        parts.append(part)
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return parts[0]
    if any(isinstance(part, Expression) for part in parts):
        return Joined(tuple(parts))
    return "".join(str(part) for part in parts)


def _expression(text: str, start: int) -> tuple[Expression, int]:
    match = _PATH.match(text, start + 2)
    path, position = (match[0].strip(), match.end()) if match else ("", start + 2)
    if not is_path(path):
        hint = "a path like `contact.email`, or a fact of the event like `occurred_at`"
        message = f"`{path}` is not a path" if path else "this template names no path"
        raise TemplateError("R401", start, message, hint)
    calls = []
    while text.startswith("|", position):
        call, position = _call(text, position + 1)
        calls.append(call)
    if not text.startswith("}", position):
        raise TemplateError(
            "R401", start, "this template is not closed", "`${path | filter}`; write `$${` for a literal `${`"
        )
    return Expression(path, tuple(calls)), position + 1


def _call(text: str, position: int) -> tuple[Call, int]:
    name = _NAME.match(text, position)
    if name is None:
        raise TemplateError("R401", position, "the name of a filter is expected here", near("", FILTERS))
    if name[1] not in FILTERS:
        raise TemplateError("R402", name.start(1), f"there is no filter `{name[1]}`", near(name[1], FILTERS))
    check, without = FILTERS[name[1]].argument, FILTERS[name[1]].without
    given = _ARGUMENT.match(text, name.end())
    if check is None:
        if text.startswith("(", name.end()):
            raise TemplateError("R403", name.start(1), f"the filter `{name[1]}` takes no argument")
        return Call(name[1]), name.end()
    if given is None and without is not None and not text.startswith("(", name.end()):
        return Call(name[1], without), name.end()
    if given is None:
        raise TemplateError("R403", name.start(1), f"the filter `{name[1]}` takes one argument", f"`{name[1]}(…)`")
    double, single, bare = given.groups()
    quoted = double if double is not None else single
    try:
        return Call(name[1], check(plain_scalar(bare.strip()) if quoted is None else quoted)), given.end()
    except ArgumentError as fault:
        raise TemplateError(
            "R403", name.start(1), f"the filter `{name[1]}` cannot use this argument", str(fault)
        ) from None


def fill(tree: Tree, scope: Lookup) -> Any:
    """The values of a step's `with`. Raises Permanent: missing_value, bad_phone, bad_date, bad_value."""
    if isinstance(tree, Expression):
        return fetch(tree, scope)
    if isinstance(tree, Joined):
        return "".join(part if isinstance(part, str) else _as_text(part, scope) for part in tree.parts)
    if isinstance(tree, dict):
        return {name: fill(child, scope) for name, child in tree.items()}
    if isinstance(tree, tuple):
        return [fill(child, scope) for child in tree]
    return tree


def fetch(expression: Expression, scope: Lookup) -> Any:
    """The value of one template. Raises Permanent as `fill` does."""
    value = scope.get(expression.path)
    for call in expression.filters:
        if call.filter == "default" or (value is not MISSING and value is not None):
            value = _apply(call, value, expression.path)
    if value is MISSING:
        raise Permanent("missing_value", f"there is no value for {expression.path}")
    return value


def _apply(call: Call, value: Any, path: str) -> Any:
    try:
        return FILTERS[call.filter].apply(value, call.argument)
    except Permanent as fault:
        raise Permanent(fault.reason, f"{path}: {fault}") from None


def _as_text(expression: Expression, scope: Lookup) -> str:
    value = fetch(expression, scope)
    if value is None:
        raise Permanent("missing_value", f"{expression.path} is null")
    return value if isinstance(value, str) else to_json(value)


def expressions(tree: Tree) -> Iterator[Expression]:
    """Every template of a tree."""
    if isinstance(tree, Expression):
        yield tree
    elif isinstance(tree, Joined):
        yield from (part for part in tree.parts if isinstance(part, Expression))
    elif isinstance(tree, dict | tuple):
        for child in tree.values() if isinstance(tree, dict) else tree:
            yield from expressions(child)
