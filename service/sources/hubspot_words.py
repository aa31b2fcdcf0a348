"""HubSpot's words and ours: objects, verbs, and who caused a change."""

from typing import Any

from service.errors import Malformed
from service.model import Origin
from service.sources.payload import identifier

OBJECTS = {"0-1": "contact", "0-2": "company", "0-3": "deal", "0-5": "ticket", "0-7": "product", "0-8": "line_item"}
"""`objectTypeId` -> word; any other id (`2-12345`, a custom object) is its own word."""

VERBS = {
    "creation": "created",
    "propertyChange": "updated",
    "deletion": "deleted",
    "merge": "merged",
    "restore": "restored",
    "associationChange": "associated",
    "privacyDeletion": "erased",
    "newMessage": "messaged",
}

_ORIGINS: dict[Any, Origin] = {
    "IMPORT": "import",
    **dict.fromkeys(("INTEGRATION", "API"), "app"),
    **dict.fromkeys(("WORKFLOW", "WORKFLOWS", "AUTOMATION_PLATFORM"), "workflow"),
    **dict.fromkeys(("CRM_UI", "USER", "CRM", "SALES", "MOBILE_IOS", "MOBILE_ANDROID"), "user"),
}
"""`changeSource` is an open list; what is not here is the CRM's own doing."""


def object_word(type_id: Any) -> str:
    """The word of an `objectTypeId`; `object` without one. Raises Malformed if it cannot name a lane."""
    if type(type_id) is not str:
        return "object"
    return OBJECTS.get(type_id) or identifier(type_id, "objectTypeId")


def subject(spelled: str, type_id: Any) -> tuple[str, str]:
    """A `subscriptionType` as (object, verb); the verb is empty where it is none of ours.

    The generic `object.*` subscriptions name their object by `objectTypeId`: `object.creation` with `0-1` is the same
    as `contact.creation`.
    """
    word, _, verb = spelled.rpartition(".")
    verb = VERBS.get(verb, "") if word else ""
    if word == "object" and verb:
        word = object_word(type_id)
    return word, verb


def origin(change_source: Any) -> Origin:
    return _ORIGINS.get(change_source, "system") if type(change_source) is str else "system"


def actor(change_source: Any, source_id: Any) -> str:
    """`user:<id>` or `app:<id>`, or empty where HubSpot does not say."""
    user = type(source_id) is str and source_id.startswith("userId:")
    if not user and change_source != "INTEGRATION":
        return ""
    try:
        who = identifier(source_id, "sourceId")
    except Malformed:
        return ""
    return f"user:{who[7:]}" if user else f"app:{who}"
