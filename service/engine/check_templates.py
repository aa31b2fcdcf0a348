"""Values of a step's `with` -> trees with compiled templates."""

from service.engine.check_paths import Words, check_path
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
    if isinstance(node.value, str) and "${" in node.value:
        return _compile_text(node, node.value, words, report)
    return node.value


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
