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

OBJECTS: Final = frozenset({
    "contact", "company", "deal", "ticket", "product", "line_item", "conversation",
    "activity", "lead", "note", "organization", "person", "pipeline", "stage", "user",
})  # fmt: skip
"""The CRMs' common words for objects (custom objects have others). A step must not take one as its name."""

EVENT_NAME: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+")

_SEGMENT = r"[^\s.|{}]+(?: [^\s.|{}]+)*"
_PATH = re.compile(rf"{_SEGMENT}(?:\.{_SEGMENT})+")


def is_path(text: str) -> bool:
    """Whether this is spelled as a path: a fact, or words with dots between them."""
    return text in FACTS or _PATH.fullmatch(text) is not None


def head(path: str) -> str:
    """The first word of a path: an object, a source, a step's name, or the fact itself."""
    return path.partition(".")[0]
