"""`not` over a path that may be missing: its author expects "no value" to count as "no", and it counts as unknown."""

from collections.abc import Iterator, Mapping

from service.engine.condition import All, Condition, Leaf, Not
from service.engine.paths import FACTS, head
from service.engine.places import place_of, within
from service.engine.problem import Report
from service.engine.properties import STANDARD
from service.engine.rule import Step
from service.engine.yaml_nodes import Node

_ALWAYS_THERE = frozenset(FACTS) - {"actor"}


def check_absence(
    sources: tuple[str, ...], when: Condition, steps: tuple[Step, ...], nodes: Mapping[str, Node], report: Report
) -> None:
    """Warn of every question under a `not` that has no answer if its path is missing. `sources`: of the rule's events."""
    if "when" in nodes:
        _check(when, nodes["when"], sources, frozenset(), report)
    known = frozenset(_required(when))
    results = frozenset[str]()
    for step in steps:
        if step.conditional:
            node = within(nodes["then"], step.index, "if")
            _check(step.if_, node, sources, known | results, report)
        results |= {step.name} if step.name else frozenset()


def _check(condition: Condition, node: Node, sources: tuple[str, ...], known: frozenset[str], report: Report) -> None:
    asked = known | {leaf.path for leaf in _leaves(condition) if leaf.operator == "exists"} | set(_required(condition))
    told = set[str]()
    for leaf in _negated(condition):
        if leaf.path not in asked | told and not _is_certain(leaf.path, sources, known):
            told.add(leaf.path)
            message = f"where there is no `{leaf.path}`, this `not` is unknown and does not hold"
            hint = f"put `{leaf.path}: {{ exists: true, … }}` into the `not`, and no value counts as no"
            report.add("R316", place_of(node, leaf), message, hint, "warning")


def _is_certain(path: str, sources: tuple[str, ...], known: frozenset[str]) -> bool:
    """Whether every event carries it. Pipedrive sends whole objects; a step's result has its first words always."""
    if path in _ALWAYS_THERE or path.endswith(".id"):
        return True
    word, _, rest = path.partition(".")
    if word in known:
        return "." not in rest
    return sources == ("pipedrive",) and rest in STANDARD["pipedrive"].get(head(path), ())


def _leaves(condition: Condition) -> Iterator[Leaf]:
    if isinstance(condition, Leaf):
        yield condition
    else:
        for part in (condition.part,) if isinstance(condition, Not) else condition.parts:
            yield from _leaves(part)


def _negated(condition: Condition) -> Iterator[Leaf]:
    """The questions under a `not`."""
    if isinstance(condition, Not):
        yield from _leaves(condition.part)
    elif not isinstance(condition, Leaf):
        for part in condition.parts:
            yield from _negated(part)


def _required(condition: Condition) -> Iterator[str]:
    """Paths that have a value wherever the condition holds (or are asked for their absence)."""
    if isinstance(condition, Leaf):
        yield condition.path
    elif isinstance(condition, All):
        for part in condition.parts:
            yield from _required(part)
