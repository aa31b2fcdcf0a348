"""Phone numbers among a step's arguments: Sakari knows a contact by `+15551234567`, and a CRM holds `(555) 123-4567`."""

import re
from collections.abc import Iterator

from msgspec import inspect

from service.engine.check_scalars import bare
from service.engine.places import within
from service.engine.problem import Report
from service.engine.template import Expression, Tree
from service.engine.yaml_nodes import Node

FORMAT = "e164"
"""An argument that is a phone number has this as the `format` of its JSON Schema."""

_E164 = re.compile(r"\+[1-9][0-9]{4,14}")


def phone_places(args: inspect.Type) -> tuple[tuple[str, ...], ...]:
    """Where phone numbers stand among the arguments: the keys that lead to each."""
    return tuple(_places(args, ()))


def _places(wanted: inspect.Type, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(wanted, inspect.Metadata) and (wanted.extra_json_schema or {}).get("format") == FORMAT:
        yield above
        return
    if isinstance(wanted, inspect.Metadata):
        yield from _places(wanted.type, above)
    elif isinstance(wanted, inspect.UnionType):
        for member in wanted.types:
            yield from _places(member, above)
    elif isinstance(wanted := bare(wanted), inspect.StructType) and len(above) < _DEEPEST:
        for field in wanted.fields:
            yield from _places(field.type, (*above, field.encode_name))


_DEEPEST = 10
"""A type may contain itself."""


def check_phones(node: Node, tree: Tree, places: tuple[tuple[str, ...], ...], report: Report) -> None:
    """Warn of phone numbers that Sakari may not recognise. `tree`: the node with its templates compiled."""
    for place in places:
        value = tree
        for word in place:
            value = value.get(word) if isinstance(value, dict) else None
        if value is not None:
            _check(place[-1], within(node, *place), value, report)


def _check(name: str, node: Node, value: Tree, report: Report) -> None:
    if isinstance(value, Expression) and value.path and not any(call.filter == FORMAT for call in value.filters):
        hint = f"`${{{value.path} | e164}}` takes out blanks, brackets and dashes"
        report.add("R405", node.at, f"`{name}` is a phone number as the CRM has it", hint, "warning")
    elif isinstance(value, str) and value.strip() and not _E164.fullmatch(value):
        hint = "`+`, the country code and the number, without blanks: `+15551234567`"
        report.add("R507", node.at, f"`{name}` is not an international phone number", hint, "warning")
