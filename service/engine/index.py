"""Which rules could match an event, without asking them all.

Every rule that has one is filed under one equality that must hold for it to match (path -> value -> rules), else under one
path that must be there; the others are asked for every event of their types. Of several equalities or paths a rule is
filed under the one it shares with fewest; under its CRM or its event's type only if it has nothing else.
"""

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence

from msgspec import Struct

from service.engine.condition import All, Condition, Leaf
from service.engine.paths import FACTS
from service.engine.rule import Rule
from service.engine.scope import EventScope
from service.engine.values import MISSING, canonical

Equality = tuple[str, tuple[Hashable, ...]]
"""A path, and the values in canonical form of which it must have one."""


class _Choices(Struct, frozen=True):
    """What a rule could be filed under."""

    equalities: list[Equality]
    needed: set[str]
    """Paths that must be there."""


class TypeIndex(Struct, frozen=True):
    """The rules for one event type, by their positions in the rule set."""

    by_path: dict[str, dict[Hashable, tuple[int, ...]]]
    """Path -> canonical value -> rules that need this value there."""
    facts: frozenset[str]
    """Those of the paths that are facts of the event."""
    by_presence: dict[str, tuple[int, ...]]
    """Path -> rules that cannot match unless the event says something of it."""
    always: tuple[int, ...]
    """Rules that have neither."""


_FACTS = frozenset(FACTS)
_COMMON = frozenset(("source", "type"))
"""Facts that most events of a type have in common: a rule that is filed there is asked for nearly all of them."""

Index = dict[str, TypeIndex]
"""Event type -> its rules."""


def build_index(rules: Sequence[Rule]) -> Index:
    """The index of a rule set; rules in `mode: off` are not in it."""
    choices = {
        position: _Choices(list(_equalities(rule.when)), set(_needed(rule.when)))
        for position, rule in enumerate(rules)
        if rule.mode != "off"
    }
    by_type: dict[str, list[int]] = {}
    for position in choices:
        for event_type in set(rules[position].events):
            by_type.setdefault(event_type, []).append(position)
    return {event_type: _index_type(positions, choices) for event_type, positions in by_type.items()}


def candidates(index: Index, scope: EventScope) -> list[int]:
    """Positions of the rules that could match, ascending."""
    event = scope.event
    found = index.get(event.type)
    if found is None:
        return []
    positions = set(found.always)
    # Python walks the smaller side: a rule set may know thousands of paths, and a Pipedrive event may carry hundreds.
    for path in found.by_path.keys() & event.values.keys() | found.facts:
        value = scope.get(path)
        if value is not MISSING:
            positions.update(found.by_path[path].get(canonical(value), ()))
    if found.by_presence:
        said = event.values.keys() | event.before.keys() | set(event.changed)
        for path in found.by_presence.keys() & said:
            positions.update(found.by_presence[path])
    return sorted(positions)


def _equalities(condition: Condition) -> Iterator[Equality]:
    """Everything that must hold and allows only certain values."""
    if isinstance(condition, All):
        for part in condition.parts:
            yield from _equalities(part)
    elif isinstance(condition, Leaf) and condition.operator == "eq":
        yield condition.path, (condition.test,)
    elif isinstance(condition, Leaf) and condition.operator in ("in", "changed_to"):
        yield condition.path, tuple(condition.test)


def _needed(condition: Condition) -> Iterator[str]:
    """Paths that must be there: every operator but `exists: false` is unknown, or false, on one that is not."""
    if isinstance(condition, All):
        for part in condition.parts:
            yield from _needed(part)
    elif isinstance(condition, Leaf) and _needs_a_value(condition) and _tells(condition.path):
        yield condition.path


def _tells(path: str) -> bool:
    """Whether events differ in having it: nearly all have facts, and the id of their object."""
    return path not in _FACTS and not path.endswith(".id")


def _needs_a_value(leaf: Leaf) -> bool:
    return leaf.operator != "exists" or leaf.test is True


def _index_type(positions: list[int], choices: dict[int, _Choices]) -> TypeIndex:
    crowd = Counter((path, value) for at in positions for path, values in choices[at].equalities for value in values)
    askers = Counter(path for position in positions for path in choices[position].needed)

    def crowded(equality: Equality) -> tuple[int, bool]:
        path, values = equality
        return sum(crowd[path, value] for value in values), path in _FACTS

    by_path: dict[str, dict[Hashable, list[int]]] = {}
    by_presence: dict[str, list[int]] = {}
    always = []
    for position in positions:
        equalities, needed = choices[position].equalities, choices[position].needed
        telling = [equality for equality in equalities if equality[0] not in _COMMON]
        if telling or (equalities and not needed):
            path, values = min(telling or equalities, key=crowded)
            for value in values:
                by_path.setdefault(path, {}).setdefault(value, []).append(position)
        elif needed:
            by_presence.setdefault(min(needed, key=lambda path: (askers[path], path)), []).append(position)
        else:
            always.append(position)
    frozen = {path: {value: tuple(at) for value, at in values.items()} for path, values in by_path.items()}
    present = {path: tuple(at) for path, at in by_presence.items()}
    return TypeIndex(frozen, _FACTS & frozen.keys(), present, tuple(always))
