"""The text of a new rule, made from an action's example."""

import re
from textwrap import indent

from service.actions import Action
from service.engine.properties import STANDARD, meant

_PATH = re.compile(r"\$\{contact\.(\w+)")


def draft(rule_id: str, event: str, source: str, action: Action) -> str:
    """A rule in `mode: shadow` for events of one source, as an item of `rules` without indentation.

    The examples of actions are written for HubSpot's contacts: paths and identities become those of `source` and of the
    event's object. A step's first property is asked for in `when`, the others may be missing.
    """
    word = event.rpartition(".")[0]
    names = dict.fromkeys(name for name in _PATH.findall(action.example) if name != "id")
    properties = [_property(source, word, name) for name in names]
    step = action.example.replace("${contact.id}", f"${{{_identity(source, word)}}}").replace("hubspot:", f"{source}:")
    for name, theirs in zip(names, properties, strict=True):
        optional = "" if theirs == properties[0] else " | default('')"
        step = step.replace(f"${{contact.{name}", f"${{{word}.{theirs}{optional}")
    if source == "hubspot" and word in ("deal", "ticket"):
        step = step.replace("type: contacts", f"type: {word}s")
    lines = [
        f"- id: {rule_id}",
        "  description: Say in one sentence what this rule is for.",
        f"  event: {event}",
        "  mode: shadow  # decides and records, calls nothing; remove this line to go live",
        "  when:",
        f"    source: {source}",
        *(f"    {word}.{name}: {{ exists: true }}" for name in properties[:1]),
        "  then:",
        indent(f"- {indent(step.strip(), '  ').strip()}", "    "),
    ]
    return "\n".join(lines) + "\n"


def _identity(source: str, word: str) -> str:
    """The path of the id of the person that Sakari is told of."""
    linked = "person_id" in STANDARD.get(source, {}).get(word, ())
    return f"{word}.person_id" if linked else f"{word}.id"


def _property(source: str, word: str, name: str) -> str:
    """What the source calls a property of HubSpot's contacts."""
    return meant(source, word, name) or name
