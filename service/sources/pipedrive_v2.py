"""Pipedrive webhooks v2: `{data, previous, meta}` (https://pipedrive.readme.io/docs/guide-for-webhooks-v2).

A change has in `previous` only the fields that changed; a deletion has `data: null` and the last state in `previous`.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from service.errors import Malformed
from service.model import Event
from service.sources.payload import as_object, count, identifier, instant
from service.sources.pipedrive_change import Change, object_id
from service.sources.pipedrive_change import event as event_of
from service.sources.pipedrive_fields import fields

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TAKEN = {"action", "entity", "entity_id", "company_id", "user_id", "timestamp", "merged_to_id", "merged_from_id"}
_ABSENT = object()


def event(raw: dict[str, Any], meta: dict[str, Any]) -> Event:
    """Raises Malformed."""
    entity = identifier(meta.get("entity"), "meta.entity")
    data, previous = _state(raw, "data"), _state(raw, "previous")
    now, was = fields(entity, data or {}), fields(entity, previous or {})
    values, before = (was, {}) if data is None else (now, was)
    if meta.get("merged_to_id") is not None:
        values[f"{entity}.merged_to_id"] = identifier(meta["merged_to_id"], "meta.merged_to_id")
    attempt = count(meta.get("attempt"))
    return event_of(
        Change(
            entity=entity,
            action=identifier(meta.get("action"), "meta.action"),
            account=identifier(meta.get("company_id"), "meta.company_id"),
            object_id=object_id({"meta.entity_id": meta.get("entity_id"), "data.id": values.get(f"{entity}.id")}),
            occurred_at=_occurred_at(meta.get("timestamp")),
            attempt=max((attempt or 1) - 1, 0),
            user_id=meta.get("user_id"),
            webhook_id=meta.get("webhook_id"),
            values=values,
            before=before,
            changed=_changed(before, values),
            identity=_identity(entity, meta, data, previous),
            told=_told(raw, meta),
            merged_ids=_merged_ids(meta.get("merged_from_id")),
        )
    )


def _state(raw: dict[str, Any], key: str) -> dict[str, Any] | None:
    return None if raw.get(key) is None else as_object(raw[key], key)


def _occurred_at(timestamp: Any) -> int:
    """ISO 8601 with milliseconds; for `user` it was whole seconds until June 2025, which some relays send as text."""
    if type(timestamp) is str and timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 20:
        timestamp = int(timestamp)
    if type(timestamp) is int:
        return instant(timestamp * 1000, "meta.timestamp")
    if type(timestamp) is not str:
        return instant(timestamp, "meta.timestamp")
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        raise Malformed("meta.timestamp: expected ISO 8601 or seconds since 1970") from None
    since = moment.replace(tzinfo=moment.tzinfo or UTC) - _EPOCH
    return instant(since // timedelta(milliseconds=1), "meta.timestamp")


def _identity(entity: str, meta: dict[str, Any], data: Any, previous: Any) -> tuple[Any, ...]:
    """The event's id and time.

    For a user `meta.id` is the user's, and the time was whole seconds: then, and without an id, the content has to tell
    two facts apart.
    """
    known = (meta.get("id"), meta.get("timestamp"))
    return (*known, data, previous) if entity == "user" or not meta.get("id") else known


def _changed(before: dict[str, Any], values: dict[str, Any]) -> tuple[str, ...]:
    """The paths of `previous` that differ now.

    Where an object took the place of null (or null that of an object), also the paths below (or above) it: after
    `due_time: null` came `due_time: {value, timezone_id}`, and both `due_time` and `due_time.value` have changed.
    """
    differing = {path for path, value in before.items() if values.get(path, _ABSENT) != value}
    for path in [path for path in differing if path not in values]:
        differing |= {below for below in values if below.startswith(f"{path}.")}
        above = path.rpartition(".")[0]
        if values.get(above, _ABSENT) is None:
            differing.add(above)
    return tuple(sorted(differing))


def _merged_ids(merged_from: Any) -> list[str]:
    if merged_from is None:
        return []
    each = merged_from if type(merged_from) is list else [merged_from]
    return [identifier(merged, "meta.merged_from_id") for merged in each]


def _told(raw: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
    taken = _TAKEN if count(meta.get("attempt")) is None else {*_TAKEN, "attempt"}
    told = {key: value for key, value in meta.items() if key not in taken}
    return told | {key: value for key, value in raw.items() if key not in {"data", "previous", "meta"}}
