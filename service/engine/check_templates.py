"""Values of a step's `with` -> trees with compiled templates."""

import re
from typing import Final

from service.engine.check_paths import Words, check_path
from service.engine.paths import OBJECTS, SOURCES, head
from service.engine.problem import Report
from service.engine.template import Expression, Joined, TemplateError, Tree, expressions, parse_template
from service.engine.yaml_nodes import Node, Position

_UNREADABLE = Expression("")
"""Stands for a template that cannot be read: it fits every argument, so that one mistake is told once."""


def compile_tree(node: Node, words: Words, report: Report) -> Tree:
    """The value with its templates compiled; what cannot be read is in the report."""
    if isinstance(node.value, dict):
        return {name: _compile_entry(name, child, words, report) for name, child in node.value.items()}
    if isinstance(node.value, tuple):
        return tuple(compile_tree(child, words, report) for child in node.value)
    if isinstance(node.value, str):
        _warn_of_other_spelling(node, node.value, words, report)
    if isinstance(node.value, str) and "${" in node.value:
        return _compile_text(node, node.value, words, report)
    return node.value


_ELSEWHERE: Final = re.compile(r"\{\{\s*(\w[\w-]*(?:\.\w+)+)\s*(?:\|[^{}]*)?\}\}|(?<![$\w])\$(\w[\w-]*(?:\.\w+)+)")
"""`{{contact.phone}}` and `$contact.phone`: templates of other languages."""


def _warn_of_other_spelling(node: Node, text: str, words: Words, report: Report) -> None:
    """Only of paths that could be meant: a text may well speak of `$5.50`."""
    for found in _ELSEWHERE.finditer(text):
        path = found[1] or found[2]
        if head(path) in OBJECTS.union(SOURCES, words.objects, words.steps):
            message = f"`{found[0]}` is sent as it stands"
            report.add(
                "R406", _place(node, text, found.start(), report), message, f"did you mean `${{{path}}}`?", "warning"
            )


def _compile_entry(name: str, node: Node, words: Words, report: Report) -> Tree:
    if "${" in name:
        report.add("R401", node.key_at, "a key cannot hold a template", "write the key out")
    return compile_tree(node, words, report)


def _compile_text(node: Node, text: str, words: Words, report: Report) -> str | Expression | Joined:
    try:
        compiled = parse_template(text)
    except TemplateError as fault:
        report.add(fault.code, _place(node, text, fault.offset, report), fault.message, fault.hint)
        return _UNREADABLE
    for expression in expressions(compiled):
        check_path(expression.path, _place(node, text, text.find(expression.path), report), words, report)
    return compiled


def _place(node: Node, text: str, offset: int, report: Report) -> Position:
    """Where a character of a text stands, if the text stands in its line as it is; else where the text begins."""
    line, column = node.at
    source = report.source_line(line)
    for quote in (0, 1):
        if source.startswith(text, column - 1 + quote):
            return line, column + quote + offset
    return node.at
