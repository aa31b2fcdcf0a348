"""Where in a rule something stands, for messages that are written after the nodes have become conditions and templates."""

from collections.abc import Iterator

from service.engine.condition import Leaf
from service.engine.yaml_nodes import Node, Position, to_plain


def within(node: Node, *keys: str | int) -> Node:
    """The value that these keys and positions lead to; as far as they lead."""
    for key in keys:
        value = node.value
        if isinstance(value, dict) and isinstance(key, str):
            node = value.get(key, node)
        elif isinstance(value, tuple) and isinstance(key, int):
            node = value[key]
    return node


def mentions(node: Node, path: str) -> Iterator[Position]:
    """Where a path stands: as a key, or in a text."""
    if isinstance(node.value, dict):
        for name, child in node.value.items():
            if name == path:
                yield child.key_at
            yield from mentions(child, path)
    elif isinstance(node.value, tuple):
        for child in node.value:
            yield from mentions(child, path)
    elif isinstance(node.value, str) and path in node.value:
        yield node.at


def first_mention(node: Node, path: str) -> Position:
    """Where a path stands first; where the node itself stands if the path is not in it."""
    return next(mentions(node, path), node.at)


def place_of(node: Node, leaf: Leaf) -> Position:
    """Where a question of the condition `node` stands: its operator, or its path where that has a plain value."""
    return next((at for at in _questions(node, leaf) if at[0] == leaf.line), first_mention(node, leaf.path))


def _questions(node: Node, leaf: Leaf) -> Iterator[Position]:
    if isinstance(node.value, tuple):
        for child in node.value:
            yield from _questions(child, leaf)
    if not isinstance(node.value, dict):
        return
    for name, child in node.value.items():
        if name != leaf.path:
            yield from _questions(child, leaf)
        elif isinstance(child.value, dict):
            asked = (operand for operator, operand in child.value.items() if operator == leaf.operator)
            yield from (operand.key_at for operand in asked if to_plain(operand) == leaf.operand)
        elif to_plain(child) == leaf.operand:
            yield child.key_at
