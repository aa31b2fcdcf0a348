"""Fields of Pipedrive's objects as flat paths. A list is one value; an object is its parts."""

import re
from collections.abc import Callable
from typing import Any

from service.sources.payload import leaves

_CONTACT_LISTS = {"emails": "email", "phones": "phone"}
"""v2 `person.emails` is `[{label, value, primary}, …]`; the primary value also stands at `person.email`."""
_V1_CONTACT_LISTS = {"email": "emails", "phone": "phones"}
_V1_CUSTOM = re.compile(r"([0-9a-f]{40})(?:_(.+))?")
"""`<hash>` and what belongs to it: `<hash>_currency`, `<hash>_until`, `<hash>_timezone_id`, …"""


def fields(entity: str, data: dict[str, Any]) -> dict[str, Any]:
    """Path -> value of a v2 object's fields: `deal.stage_id`, `lead.value.amount`, `deal.custom_fields.<hash>`."""
    found: dict[str, Any] = {}
    for key, value in data.items():
        if key == "custom_fields" and type(value) is dict:
            for name, shape in value.items():
                found |= _custom(f"{entity}.custom_fields.{name}", shape)
        elif key in _CONTACT_LISTS and type(value) is list:
            found[f"{entity}.{key}"] = value
            if _CONTACT_LISTS[key] not in data:
                found[f"{entity}.{_CONTACT_LISTS[key]}"] = _primary(value)
        else:
            found |= leaves(f"{entity}.{key}", value)
    return found


def v1_fields(entity: str, data: dict[str, Any]) -> dict[str, Any]:
    """The same paths for a v1 object, whose custom fields stand flat among the others and have no type."""
    found: dict[str, Any] = {}
    for key, value in data.items():
        if custom := _V1_CUSTOM.fullmatch(key):
            path = f"{entity}.custom_fields.{custom[1]}"
            found |= leaves(f"{path}.{custom[2]}" if custom[2] else path, value)
        elif key in _V1_CONTACT_LISTS and type(value) is list:
            found[f"{entity}.{key}"] = _primary(value)
            found[f"{entity}.{_V1_CONTACT_LISTS[key]}"] = value
        else:
            found |= leaves(f"{entity}.{key}", value)
    return found


def _primary(items: list[Any]) -> str | None:
    """The primary address or number, else the first; None if there is none (a cleared one has an empty value)."""
    filled = [item for item in items if type(item) is dict and type(item.get("value")) in {str, int} and item["value"]]
    chosen = next((item for item in filled if item.get("primary") is True), filled[0] if filled else None)
    return None if chosen is None else str(chosen["value"])


def _custom(path: str, shape: Any) -> dict[str, Any]:
    """A custom field: its natural value at `path`, every other key of its shape below it (`.type`, `.currency`, …).

    A shape that we do not know is kept whole. The sixteen shapes:
    https://pipedrive.readme.io/docs/webhooks-v2-migration-guide
    """
    try:
        value, used = _NATURAL[shape["type"]](shape)
    except (KeyError, TypeError):
        return {path: shape}
    return {path: value} | dict(leaves(path, {key: item for key, item in shape.items() if key not in used}))


def _value(shape: dict[str, Any]) -> tuple[Any, set[str]]:
    return shape["value"], {"value"}


def _id(shape: dict[str, Any]) -> tuple[Any, set[str]]:
    return shape["id"], {"id"}


def _ids(shape: dict[str, Any]) -> tuple[Any, set[str]]:
    """Options come as `[{"id": 13}, …]`: ids only, whose labels are known to the API alone."""
    options = shape["values"]
    return [option["id"] for option in options], {"values"} if all(len(option) == 1 for option in options) else set()


def _range(shape: dict[str, Any]) -> tuple[Any, set[str]]:
    return {"from": shape["from"], "until": shape["until"]}, set()


_NATURAL: dict[str, Callable[[dict[str, Any]], tuple[Any, set[str]]]] = {
    **dict.fromkeys(("varchar", "text", "varchar_auto", "double", "phone", "date", "time"), _value),
    **dict.fromkeys(("monetary", "address"), _value),
    **dict.fromkeys(("people", "org", "user", "enum"), _id),
    "set": _ids,
    **dict.fromkeys(("timerange", "daterange"), _range),
}
"""Type of a custom field -> (its value, the keys that are thereby told)."""
