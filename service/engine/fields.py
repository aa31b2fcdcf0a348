"""Reading the fields of a mapping in a rule file; each function notes what is wrong and gives None for it."""

from collections.abc import Collection

from service.engine.problem import Report, near, one_of
from service.engine.yaml_nodes import Node


def kind(node: Node) -> str:
    """What a person would call this value."""
    value = node.value
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, tuple):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    return "text" if isinstance(value, str) else "a number"


def fields(
    node: Node, report: Report, what: str, *, required: Collection[str], optional: Collection[str] = ()
) -> dict[str, Node] | None:
    """The fields of a mapping, those that are known; None if it is no mapping. `what`: its name in messages."""
    if not isinstance(node.value, dict):
        report.add(
            "R201", node.at, f"{what} is {kind(node)}, not a mapping", f"its keys: {', '.join([*required, *optional])}"
        )
        return None
    known = [*required, *optional]
    for name, child in node.value.items():
        if name not in known:
            report.add("R202", child.key_at, f"{what} has no key `{name}`", near(name, known))
    for name in required:
        if name not in node.value:
            report.add("R203", node.at, f"{what} has no `{name}`", f"required: {', '.join(required)}")
    return {name: child for name, child in node.value.items() if name in known}


def text(node: Node | None, report: Report, what: str, hint: str = "") -> str | None:
    """A text that is not blank."""
    if node is None:
        return None
    if isinstance(node.value, str) and node.value.strip():
        return node.value
    if isinstance(node.value, int | float) and not isinstance(node.value, bool):
        hint = f'quote it: "{node.value}"'
    report.add("R201", node.at, f"{what} is {'blank' if node.value == '' else kind(node)}, not text", hint)
    return None


def items(node: Node | None, report: Report, what: str, hint: str = "") -> tuple[Node, ...] | None:
    """A list with something in it."""
    if node is None:
        return None
    if not isinstance(node.value, tuple):
        report.add("R201", node.at, f"{what} is {kind(node)}, not a list", hint)
        return None
    if not node.value:
        report.add("R213", node.at, f"{what} is an empty list", hint)
        return None
    return node.value


def choice(node: Node, report: Report, what: str, allowed: Collection[str]) -> str | None:
    """One of some words."""
    if isinstance(node.value, str) and node.value in allowed:
        return node.value
    given = f"`{node.value}`" if isinstance(node.value, str) else kind(node)
    report.add("R209", node.at, f"{what} cannot be {given}", one_of(str(node.value), allowed))
    return None
