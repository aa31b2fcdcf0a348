"""The words of events: which facts they carry, which paths may name their values, how event types are spelled."""

import re
from typing import Final

FACTS: Final = ("source", "account", "type", "origin", "actor", "occurred_at", "attempt", "object_id")
"""The event's own facts: paths without a dot. Those that are empty in an event are missing."""

SOURCES: Final = ("hubspot", "pipedrive")
"""Heads of the paths under which a delivery's own details stand, in the CRM's spelling."""

VERBS: Final = (
    "created", "updated", "deleted", "merged", "restored", "associated", "erased", "messaged", "enrolled",
)  # fmt: skip

OBJECTS_OF: Final = {
    "hubspot": ("contact", "company", "deal", "ticket", "product", "line_item", "conversation"),
    "pipedrive": (
        "activity", "activityType", "board", "deal", "deal_installment", "deal_product", "lead", "note", "organization",
        "person", "phase", "pipeline", "product", "project", "stage", "task", "user",
    ),
}  # fmt: skip
"""Source -> its words for objects. HubSpot's custom objects go by their type id besides; Pipedrive's are those of webhooks
v2 and v1 (https://pipedrive.readme.io/docs/guide-for-webhooks-v2)."""

VERBS_OF: Final = {
    "hubspot": VERBS,
    "pipedrive": ("created", "updated", "deleted", "merged"),
}
"""Source -> the verbs of its events. HubSpot's depend on the object besides, see `_ONLY`."""

_ONLY: Final = {
    "erased": frozenset(("contact", "conversation")),
    "messaged": frozenset(("conversation",)),
}
"""Verbs that HubSpot has for these objects only (`subscriptionType` in its webhooks API, version 2026-03)."""

OBJECTS: Final = frozenset(word for words in OBJECTS_OF.values() for word in words)
"""A step must not take one as its name."""

_TYPE_ID = re.compile(r"[0-9]+-[0-9]+")

EVENT_NAME: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+")

_SEGMENT = r"[^\s.|{}]+(?: [^\s.|{}]+)*"
PATH: Final = re.compile(rf"{_SEGMENT}(?:\.{_SEGMENT})+")


def is_path(text: str) -> bool:
    """Whether this is spelled as a path: a fact, or words with dots between them."""
    return text in FACTS or PATH.fullmatch(text) is not None


def has_object(source: str, word: str) -> bool:
    """Whether we know that the source has an object of this name."""
    return word in OBJECTS_OF[source] or (source == "hubspot" and _TYPE_ID.fullmatch(word) is not None)


def sources_of(word: str) -> tuple[str, ...]:
    """The sources that have an object of this name; all of them if we do not know."""
    return tuple(source for source in SOURCES if has_object(source, word)) or SOURCES


def event_sources(event: str) -> tuple[str, ...]:
    """The sources that have this event; those of its object if we do not know the verb."""
    word, _, verb = event.rpartition(".")
    if verb not in VERBS:
        return sources_of(word)
    lacks_it = verb in _ONLY and word in OBJECTS and word not in _ONLY[verb]
    return tuple(
        source for source in sources_of(word) if verb in VERBS_OF[source] and not (source == "hubspot" and lacks_it)
    )


def head(path: str) -> str:
    """The first word of a path: an object, a source, a step's name, or the fact itself."""
    return path.partition(".")[0]
