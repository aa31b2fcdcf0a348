"""Pipedrive webhooks v1: `{v: 1, current, previous, meta, retry}` (https://pipedrive.readme.io/docs/guide-for-webhooks).

`previous` is the whole object, so only the paths that differ count; an update may differ in nothing but `update_time`.
"""

from typing import Any

from service.model import Event
from service.sources.payload import as_object, count, identifier, instant
from service.sources.pipedrive_change import Change, object_id
from service.sources.pipedrive_change import event as event_of
from service.sources.pipedrive_fields import v1_fields

_TAKEN = {"action", "object", "id", "company_id", "user_id", "timestamp"}
_ABSENT = object()


def event(raw: dict[str, Any], meta: dict[str, Any]) -> Event:
    """Raises Malformed."""
    entity = identifier(meta.get("object"), "meta.object")
    current, previous = _state(raw, "current"), _state(raw, "previous")
    now, was = v1_fields(entity, current or {}), v1_fields(entity, previous or {})
    differing = set() if current is None or previous is None else _differing(was, now)
    return event_of(
        Change(
            entity=entity,
            action=identifier(meta.get("action"), "meta.action"),
            account=identifier(meta.get("company_id"), "meta.company_id"),
            object_id=object_id({"meta.id": meta.get("id"), "current.id": (now or was).get(f"{entity}.id")}),
            occurred_at=_occurred_at(meta),
            attempt=count(raw.get("retry")) or 0,
            user_id=meta.get("user_id"),
            webhook_id=meta.get("webhook_id"),
            values=was if current is None else now,
            before={path: value for path, value in was.items() if path in differing},
            changed=tuple(sorted(differing)),
            identity=_identity(meta, current, previous),
            told=_told(raw, meta),
        )
    )


def _state(raw: dict[str, Any], key: str) -> dict[str, Any] | None:
    """Users come as a list of one."""
    state = raw.get(key)
    if type(state) is list:
        state = state[0] if state else None
    return None if state is None else as_object(state, key)


def _differing(was: dict[str, Any], now: dict[str, Any]) -> set[str]:
    return {path for path in was.keys() | now.keys() if was.get(path, _ABSENT) != now.get(path, _ABSENT)}


def _occurred_at(meta: dict[str, Any]) -> int:
    micro, seconds = meta.get("timestamp_micro"), meta.get("timestamp")
    if type(micro) is int:
        return instant(micro // 1000, "meta.timestamp_micro")
    return instant(seconds * 1000 if type(seconds) is int else seconds, "meta.timestamp")


def _identity(meta: dict[str, Any], current: Any, previous: Any) -> tuple[Any, ...]:
    """The microsecond; where only the second is known, the content tells two facts of it apart."""
    micro = meta.get("timestamp_micro")
    return (micro,) if type(micro) is int else (meta.get("timestamp"), current, previous)


def _told(raw: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
    """The keys of the body and of `meta`; where both have a key and do not agree, meta's is `meta.<key>`."""
    told = {key: value for key, value in raw.items() if key not in {"current", "previous", "meta"}}
    for state in ("current", "previous"):
        if type(raw.get(state)) is list and len(raw[state]) > 1:
            told[state] = raw[state][1:]
    for key, value in meta.items():
        if key not in _TAKEN:
            told[key if told.get(key, value) == value else f"meta.{key}"] = value
    return told
