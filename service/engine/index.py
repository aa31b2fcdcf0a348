"""Which rules could match an event, without asking them all.

Every rule that has one is filed under one equality that must hold for it to match (path -> value -> rules); the others
are asked for every event of their types. Of several equalities a rule is filed under the one it shares with fewest.
"""

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence

from msgspec import Struct

from service.engine.condition import All, Condition, Leaf
from service.engine.paths import FACTS
from service.engine.rule import Rule
from service.engine.scope import EventScope
from service.engine.values import MISSING, canonical
from service.model import Event

Key = tuple[str, Hashable]
"""A path and a value in canonical form."""


class TypeIndex(Struct, frozen=True):
    """The rules for one event type, by their positions in the rule set."""

    by_path: dict[str, dict[Hashable, tuple[int, ...]]]
    """Path -> canonical value -> rules that need this value there."""
    facts: frozenset[str]
    """Those of the paths that are facts of the event."""
    always: tuple[int, ...]
    """Rules without such an equality."""


_FACTS = frozenset(FACTS)

Index = dict[str, TypeIndex]
"""Event type -> its rules."""


def build_index(rules: Sequence[Rule]) -> Index:
    """The index of a rule set; rules in `mode: off` are not in it."""
    choices = {position: list(_equalities(rule.when)) for position, rule in enumerate(rules) if rule.mode != "off"}
    by_type: dict[str, list[int]] = {}
    for position in choices:
        for event_type in set(rules[position].events):
            by_type.setdefault(event_type, []).append(position)
    return {event_type: _index_type(positions, choices) for event_type, positions in by_type.items()}


def candidates(index: Index, event: Event) -> list[int]:
    """Positions of the rules that could match, ascending."""
    found = index.get(event.type)
    if found is None:
        return []
    scope = EventScope(event)
    positions = set(found.always)
    # Python walks the smaller side: a rule set may know thousands of paths, and a Pipedrive event may carry hundreds.
    for path in found.by_path.keys() & event.values.keys() | found.facts:
        value = scope.get(path)
        if value is not MISSING:
            positions.update(found.by_path[path].get(canonical(value), ()))
    return sorted(positions)


def _equalities(condition: Condition) -> Iterator[list[Key]]:
    """For every condition that must hold and allows only certain values: those values."""
    if isinstance(condition, All):
        for part in condition.parts:
            yield from _equalities(part)
    elif isinstance(condition, Leaf) and condition.operator == "eq":
        yield [(condition.path, condition.test)]
    elif isinstance(condition, Leaf) and condition.operator in ("in", "changed_to"):
        yield [(condition.path, value) for value in condition.test]


def _index_type(positions: list[int], choices: dict[int, list[list[Key]]]) -> TypeIndex:
    crowd = Counter(key for position in positions for keys in choices[position] for key in keys)
    by_path: dict[str, dict[Hashable, list[int]]] = {}
    always = []
    for position in positions:
        if not choices[position]:
            always.append(position)
            continue
        for path, value in min(choices[position], key=lambda keys: sum(crowd[key] for key in keys)):
            by_path.setdefault(path, {}).setdefault(value, []).append(position)
    frozen = {path: {value: tuple(at) for value, at in values.items()} for path, values in by_path.items()}
    return TypeIndex(frozen, _FACTS & frozen.keys(), tuple(always))
