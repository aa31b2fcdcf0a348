"""Plain values as YAML that a person would write: flow style where it fits into a line, quotes where they are needed."""

import json
import re
from collections.abc import Iterator
from typing import Any

from service.engine import plain_scalar

_WIDTH = 110
_BARE = re.compile(r"[\w+(](?:[\w .+()/-]*[\w.)/-])?")
"""Texts that YAML reads as they stand, inside brackets too."""
_READ_OTHERWISE = frozenset(("yes", "no", "on", "off", "y", "n"))
"""Texts here, but not to every reader of YAML."""


def scalar(value: Any) -> str:
    """One text, number, boolean or null."""
    if isinstance(value, str) and _BARE.fullmatch(value) and plain_scalar(value) == value and not _needs_quotes(value):
        return value
    quoted = json.dumps(value, ensure_ascii=False)  # as YAML has it, but for what cannot be printed
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in quoted)


def flow(value: Any) -> str:
    """Anything in one line."""
    if isinstance(value, dict):
        inner = ", ".join(f"{scalar(name)}: {flow(child)}" for name, child in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(flow(child) for child in value)}]"
    return scalar(value)


def entry(name: str, value: Any, indent: int) -> Iterator[str]:
    """The lines of `name: value`."""
    yield from _lines(f"{' ' * indent}{scalar(name)}:", value, indent + 2)


def _lines(head: str, value: Any, indent: int) -> Iterator[str]:
    line = f"{head} {flow(value)}"
    if len(line) <= _WIDTH or not value or not isinstance(value, dict | list | tuple):
        yield line
        return
    yield head
    if isinstance(value, dict):
        for name, child in value.items():
            yield from entry(name, child, indent)
        return
    for child in value:
        if isinstance(child, dict) and child:
            first, *rest = (line for name, inner in child.items() for line in entry(name, inner, indent + 2))
            yield f"{' ' * indent}- {first.lstrip()}"
            yield from rest
        else:
            yield f"{' ' * indent}- {flow(child)}"


def _needs_quotes(text: str) -> bool:
    return text[0] in "+-.0123456789" or text.lower() in _READ_OTHERWISE
