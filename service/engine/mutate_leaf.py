"""Other operands and neighbouring operators for one question: where its line is drawn, and what is on its list."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from service.engine.condition import All, Condition, Leaf
from service.engine.operators import OPERATORS
from service.engine.values import EPOCH, canonical, to_json

LeafChange = tuple[Condition, str, str]
"""What takes the question's place, what was changed, and the case that would notice it."""

_NEIGHBOURS: Final = {"gt": "gte", "gte": "gt", "lt": "lte", "lte": "lt"}
_MOVED: Final = {"gt": 1, "gte": -1, "lt": -1, "lte": 1}
"""Which way a bound is moved, so that the neighbour and the moved bound frame the real one."""
_ON_A_LIST: Final = ("in", "not_in", "changed_to", "changed_from")
_SPANS: Final = (("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000))


def describe(leaf: Leaf) -> str:
    """The question as the file has it."""
    operand = leaf.operand if isinstance(leaf.operand, str) else to_json(leaf.operand)
    return f"`{leaf.path}` {leaf.operator} {operand}"


def leaf_changes(leaf: Leaf) -> Iterator[LeafChange]:
    """Every other operand or operator that a test should tell from the real one."""
    if leaf.operator in _NEIGHBOURS:
        yield from _bound_changes(leaf)
    elif leaf.operator == "between":
        yield from _range_changes(leaf)
    elif leaf.operator in ("older_than", "newer_than"):
        yield from _span_changes(leaf)
    elif leaf.operator in _ON_A_LIST and isinstance(leaf.operand, list) and len(leaf.operand) > 1:
        for meaning in dict.fromkeys(map(canonical, leaf.operand)):
            same = [item for item in leaf.operand if canonical(item) == meaning]
            rest = [item for item in leaf.operand if canonical(item) != meaning]
            if rest:
                wanted = f"a case in which `{leaf.path}` is {same[0]}"
                yield _asking(leaf, leaf.operator, rest), f"without {to_json(same[0])}", wanted


def _bound_changes(leaf: Leaf) -> Iterator[LeafChange]:
    neighbour, moved = _NEIGHBOURS[leaf.operator], _shifted(leaf.operand, _MOVED[leaf.operator])
    exact = f"a case in which `{leaf.path}` is exactly {leaf.operand}"
    yield _asking(leaf, neighbour, leaf.operand), f"read as {neighbour}", exact
    if moved is not None:
        wanted = _between(leaf, leaf.operand, moved, _MOVED[leaf.operator])
        yield _asking(leaf, leaf.operator, moved), f"read as {moved}", wanted


def _range_changes(leaf: Leaf) -> Iterator[LeafChange]:
    low, high = leaf.operand
    below, above = _asking(leaf, "gte", low), _asking(leaf, "lte", high)
    for part, other, exclusive, way in ((below, above, "gt", -1), (above, below, "lt", 1)):
        changed = All((_asking(leaf, exclusive, part.operand), other), leaf.line, leaf.column)
        yield changed, f"{part.operand} not included", f"a case in which `{leaf.path}` is exactly {part.operand}"
        moved = _shifted(part.operand, way)
        if moved is not None:
            wider = All((_asking(leaf, part.operator, moved), other), leaf.line, leaf.column)
            yield wider, f"{part.operand} read as {moved}", _between(leaf, part.operand, moved, way)


def _span_changes(leaf: Leaf) -> Iterator[LeafChange]:
    for span in (leaf.test * 2, leaf.test // 2):
        if span != leaf.test:
            text = _span(span)
            changed = Leaf(leaf.path, leaf.operator, text, span, leaf.line, leaf.column)
            wanted = _between(leaf, leaf.operand, text, span - leaf.test)
            yield changed, f"read as {text}", f"{wanted} before `now`"


def _between(leaf: Leaf, bound: Any, moved: Any, way: int) -> str:
    """The case that tells a bound from a moved one, the lesser of them first. `way`: negative if it was moved down."""
    low, high = (moved, bound) if way < 0 else (bound, moved)
    return f"a case in which `{leaf.path}` lies between {low} and {high}"


def _asking(leaf: Leaf, operator: str, operand: Any) -> Leaf:
    test = OPERATORS[operator].operand(operand)
    return Leaf(leaf.path, operator, operand, test, leaf.line, leaf.column)


def _shifted(bound: Any, way: int) -> Any:
    """A bound nearby: a tenth of a number away and at least 1 of a whole one; a day away from a date.

    None where the calendar ends.
    """
    if isinstance(bound, int):
        return bound + way * max(1, abs(bound) // 10)
    if isinstance(bound, float):
        return bound + way * (abs(bound) / 10 or 0.1)
    try:
        moved = EPOCH + timedelta(milliseconds=OPERATORS["gt"].operand(bound).low) + timedelta(days=way)
    except OverflowError:
        return None
    return moved.date().isoformat() if len(bound) == len("2026-01-31") else moved.isoformat().replace("+00:00", "Z")


def _span(milliseconds: int) -> str:
    """As the language writes it, with the largest unit that needs no fraction."""
    fitting = (f"{milliseconds // size}{unit}" for unit, size in _SPANS if milliseconds % size == 0)
    return next(fitting, f"{milliseconds} ms")
