"""The JSON Schema of what may stand after an operator, and the pattern of a text with templates."""

from typing import Any, Final

from service.engine.filters import FILTERS
from service.engine.operands import (
    bound,
    duration,
    one,
    one_or_several,
    pattern,
    several,
    some_text,
    two_bounds,
    yes_or_no,
)
from service.engine.operators import Operator
from service.engine.pattern import LONGEST_PATTERN

DURATION: Final = "(?!0+[smhdw])[0-9]{1,6}[smhdw]"
SCALAR: Final = {"type": ["string", "number", "boolean", "null"]}

_ARGUMENT: Final = r"""\((?:\s*"[^"]*"\s*|\s*'[^']*'\s*|[^()"'{}|]*)\)"""
_FILTERS: Final = "|".join(f"{entry.name}{_ARGUMENT if entry.argument else ''}" for entry in FILTERS.values())
TEMPLATE: Final = rf"^(?:[^$]|\$(?!\$?\{{)|\$\$\{{|\$\{{[^|{{}}]*[^|{{}}\s][^|{{}}]*(?:\|\s*(?:{_FILTERS})\s*)*\}})*$"

_BOUND: Final = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}"}]}
_SHAPES: Final[dict[Any, dict[str, Any]]] = {
    yes_or_no: {"type": "boolean"},
    some_text: {"type": ["string", "number", "boolean"], "minLength": 1},
    pattern: {"type": "string", "maxLength": LONGEST_PATTERN},
    bound: _BOUND,
    two_bounds: {"type": "array", "items": _BOUND, "minItems": 2, "maxItems": 2},
    duration: {"type": "string", "pattern": "^[0-9]{1,6}[smhdw]$"},
}


def operand_schema(operator: Operator, scalar: dict[str, Any]) -> dict[str, Any]:
    """The shape of an operator's operand. `scalar`: the shape of one value of the path."""
    items = {"type": "array", "minItems": 1, "items": scalar}
    of_values: dict[Any, dict[str, Any]] = {one: scalar, several: items, one_or_several: {"anyOf": [scalar, items]}}
    return of_values.get(operator.operand) or _SHAPES[operator.operand]
