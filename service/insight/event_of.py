"""An event from JSON, as a person gives it."""

from typing import Any

import msgspec

from service.errors import Malformed
from service.model import Event
from service.sources.payload import instant


def event_of(given: dict[str, Any]) -> Event:
    """An event of its fields by name. Raises Malformed that names the field that is missing, unknown or of the wrong kind."""
    fields = {field.name: field for field in msgspec.structs.fields(Event)}
    unknown = [name for name in given if name not in fields]
    missing = [name for name, field in fields.items() if field.required and name not in given]
    if unknown or missing:
        raise Malformed(f"this is no event: {f'no field `{missing[0]}`' if missing else f'it has no `{unknown[0]}`'}")
    try:
        instant(given["occurred_at"], "occurred_at")
        values = {name: msgspec.convert(given[name], field.type) for name, field in fields.items() if name in given}
    except (msgspec.ValidationError, Malformed) as error:
        raise Malformed(f"this is no event: {error}") from None
    return Event(**values)
