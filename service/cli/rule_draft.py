"""The text of a new rule, made from an action's example."""

import re
from textwrap import indent
from typing import Final

from service.actions import Action
from service.engine.paths import OBJECTS_OF, has_object
from service.engine.properties import STANDARD, meant

_PATH: Final = re.compile(r"\$\{contact\.(\w+)")
_PEOPLE: Final = {"hubspot": "contact", "pipedrive": "person"}
"""Source -> its word for the object that is a contact in Sakari."""
_RECORDS: Final = ("deal", "ticket")
"""Objects of HubSpot's that Sakari keeps attributes of, under their own ids."""


class Unsuited(Exception):
    """Events of this object cannot be used for this action; the message says why, and what can."""


def draft(rule_id: str, event: str, source: str, action: Action) -> str:
    """A rule in `mode: shadow` for events of one source, as an item of `rules` without indentation. Raises Unsuited.

    The examples of actions are written for HubSpot's contacts: paths and identities become those of `source` and of the
    event's object. A step's first property is asked for in `when`, the others may be missing.
    """
    word = event.rpartition(".")[0]
    names = dict.fromkeys(name for name in _PATH.findall(action.example) if name != "id")
    properties = [_property(source, word, name, action) for name in names]
    record = source == "hubspot" and word in _RECORDS and "type: contacts" in action.example
    identity = f"{word}.id" if record else _person(source, word, action)
    step = action.example.replace("${contact.id}", f"${{{identity}}}").replace("hubspot:", f"{source}:")
    for name, theirs in zip(names, properties, strict=True):
        optional = "" if theirs == properties[0] else " | default('')"
        step = step.replace(f"${{contact.{name}", f"${{{word}.{theirs}{optional}")
    if record:
        step = step.replace("type: contacts", f"type: {word}s")
    asked = [f"{word}.{name}" for name in properties[:1]]
    if identity == f"{word}.person_id":  # many a deal has no person
        asked.append(identity)
    lines = [
        f"- id: {rule_id}",
        "  description: Say in one sentence what this rule is for.",
        f"  event: {event}",
        "  mode: shadow  # decides and records, calls nothing; remove this line to go live",
        "  when:",
        f"    source: {source}",
        *(f"    {path}: {{ exists: true }}" for path in asked),
        "  then:",
        indent(f"- {indent(step.strip(), '  ').strip()}", "    "),
    ]
    return "\n".join(lines) + "\n"


def _person(source: str, word: str, action: Action) -> str:
    """The path of the id of the person that Sakari is told of: no other object's id stands for a person's."""
    if "person_id" in STANDARD[source].get(word, ()):
        return f"{word}.person_id"
    if has_object(source, word) and word != _PEOPLE[source]:
        raise Unsuited(f"`{action.name}` needs a person, and events of `{word}` do not say whose: {_instead(source)}")
    return f"{word}.id"


def _property(source: str, word: str, name: str, action: Action) -> str:
    """What the source calls a property of HubSpot's contacts."""
    theirs = meant(source, word, name) or name
    if word in OBJECTS_OF[source] and theirs not in STANDARD[source].get(word, ()):
        raise Unsuited(f"`{action.name}` needs `{name}`, and events of `{word}` do not carry it: {_instead(source)}")
    return theirs


def _instead(source: str) -> str:
    return f"use events of `{_PEOPLE[source]}`, such as {_PEOPLE[source]}.updated"
