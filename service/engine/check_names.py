"""Paths whose property is almost, but not quite, one that the CRM has. Every other property is allowed."""

from collections.abc import Iterable, Mapping

from service.engine.condition import Condition, paths
from service.engine.places import mentions
from service.engine.problem import Report
from service.engine.properties import STANDARD, meant
from service.engine.rule import Step
from service.engine.yaml_nodes import Node

_TITLES = {"hubspot": "HubSpot", "pipedrive": "Pipedrive"}


def check_names(
    sources: Iterable[str], when: Condition, steps: tuple[Step, ...], nodes: Mapping[str, Node], report: Report
) -> None:
    """Warn of each path that is probably misspelt, once. `sources`: those that can send the rule's events."""
    asked = set[str](paths(when)).union(*(step.uses for step in steps))
    for path in sorted(asked):
        word, _, rest = path.partition(".")
        name = rest.partition(".")[0]
        if not name or any(name in STANDARD[source].get(word, ()) for source in sources):
            continue
        known = [(source, found) for source in sources if (found := meant(source, word, name)) is not None]
        if known:
            source, found = known[0]
            nodes_with_paths = [nodes[field] for field in ("when", "then") if field in nodes]
            at = next((at for node in nodes_with_paths for at in mentions(node, path)), nodes["then"].at)
            theirs = f"{word}.{found}{rest[len(name) :]}"
            message = f"`{path}` is almost `{theirs}`, which is {_TITLES[source]}'s own"
            hint = f"did you mean `{theirs}`? a property of yours that is really called so is fine"
            report.add("R314", at, message, hint, "warning")
