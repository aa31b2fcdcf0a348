"""What v1 and v2 of Pipedrive's webhooks have in common, and the Event that becomes of either."""

from typing import Any

from msgspec import Struct

from service.errors import Malformed
from service.model import Event, Origin
from service.sources.keys import digest
from service.sources.payload import identifier

_VERBS = {
    **dict.fromkeys(("create", "added"), "created"),
    **dict.fromkeys(("change", "updated"), "updated"),
    **dict.fromkeys(("delete", "deleted"), "deleted"),
    "merged": "merged",
}
"""Pipedrive's action (v2, v1) -> our verb; any other action is its own verb."""


class Change(Struct, frozen=True, kw_only=True):
    """One webhook of either version."""

    entity: str
    """Pipedrive's word: `deal`, `person`, `activityType`."""
    action: str
    account: str
    object_id: str
    occurred_at: int
    attempt: int
    user_id: Any
    """Who did it."""
    webhook_id: Any
    values: dict[str, Any]
    """The object as it is now; for a deletion, as it was last."""
    before: dict[str, Any] = {}
    changed: tuple[str, ...] = ()
    identity: tuple[Any, ...]
    """What tells this fact from others of the same object and action."""
    told: dict[str, Any]
    """The rest of what the webhook says, by Pipedrive's own keys."""
    merged_ids: list[str] = []
    """The records that went up in this one."""


def event(change: Change) -> Event:
    """The webhook's id is part of the delivery key only: three webhooks on one account tell each fact three times."""
    entity, verb = change.entity, _verb(change)
    values = {**change.values, f"{entity}.id": change.object_id}
    if change.merged_ids:
        values[f"{entity}.merged_ids"] = change.merged_ids
    values |= {f"pipedrive.{key}": value for key, value in change.told.items()}
    fact_key = digest("pipedrive", change.account, entity, change.object_id, change.action, *change.identity)
    return Event(
        source="pipedrive",
        account=change.account,
        type=f"{entity}.{verb}",
        object_id=change.object_id,
        occurred_at=change.occurred_at,
        fact_key=fact_key,
        delivery_key=digest(fact_key, change.webhook_id),
        values=values,
        before=change.before,
        changed=change.changed if verb in {"updated", "merged"} else (),
        actor=_actor(change.user_id),
        origin=_origin(change.told),
        attempt=change.attempt,
    )


def _verb(change: Change) -> str:
    """A user is deleted by a change of `active_flag` to false, a v2 merge is a change with `merged_from_id`."""
    verb = _VERBS.get(change.action, change.action)
    if verb == "updated" and change.merged_ids:
        return "merged"
    flag = "user.active_flag"
    if verb == "updated" and change.before.get(flag) is True and change.values.get(flag) is False:
        return "deleted"
    return verb


def _actor(user_id: Any) -> str:
    try:
        return f"user:{identifier(user_id, 'user_id')}"
    except Malformed:
        return ""


def _origin(told: dict[str, Any]) -> Origin:
    """Only v1 marks an import (`pipedrive_service_name`); in v2 nothing tells it from a person's work in the app."""
    if told.get("pipedrive_service_name") == "Import":
        return "import"
    match told.get("change_source"):
        case "api":
            return "app"
        case "app":
            return "user"
    return "system"


def object_id(ids: dict[str, Any]) -> str:
    """The first id that is given; `ids` says where each stands, the usual place first."""
    where = next((where for where, value in ids.items() if value not in (None, "")), next(iter(ids)))
    return identifier(ids[where], where)
