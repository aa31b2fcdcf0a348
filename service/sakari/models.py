"""What Sakari's answers are read into.

Only what Sluice itself asks of an answer has a type; the answer as it came stays beside it, in `raw`. The vendor's examples
carry placeholders and its pages contradict one another, so reading is lenient: every field is optional, and one of another
type than documented is left out instead of making the whole page unreadable.
Field names: the examples of "Fetch executions for dripcampaigns" on developer.sakari.io.
"""

from typing import Any, TypeVar, get_args

import msgspec
from msgspec import Struct

T = TypeVar("T", bound=Struct)


class Mobile(Struct, frozen=True):
    country: str | None = None
    number: str | int | None = None
    """International (`+13471234567`) or national with `country` beside it; the vendor's pages show both."""


class CrmRecord(Struct, frozen=True):
    """The contact's record in a CRM. Documented with a number `id`; the vendor's webhook example has text and `vid`."""

    id: int | str | None = None
    vid: int | str | None = None


class Contact(Struct, frozen=True):
    """Who a contact is: all that is asked of one here."""

    id: str | int | None = None
    email: str | None = None
    mobile: Mobile | None = None
    hubspot: CrmRecord | None = None
    pipedrive: CrmRecord | None = None


class Execution(Struct, frozen=True):
    """One contact's way through one drip campaign."""

    id: str | int | None = None
    entered: str | None = None
    """ISO 8601 instant."""
    contact: Contact | None = None
    raw: dict[str, Any] = {}


SEEN = ("id", "status", "entered", "contact")
"""What a rule can see of an execution, as Sakari names it."""


class Pagination(Struct, frozen=True, rename="camel"):
    has_next: bool | None = None


def execution(raw: dict[str, Any]) -> Execution:
    try:
        found = msgspec.convert(raw, Execution)  # as documented: a hundredth of the time
    except msgspec.ValidationError:
        found = lenient(Execution, raw)
    return msgspec.structs.replace(found, raw=raw)


def lenient(kind: type[T], raw: dict[str, Any]) -> T:
    """An instance of `kind` with those fields of `raw` that have the documented type."""
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.encode_name not in raw:
            continue
        try:
            found[field.name] = _field(field.type, raw[field.encode_name])
        except msgspec.ValidationError:
            continue
    return kind(**found)


def _field(kind: Any, value: Any) -> Any:
    record = next((k for k in get_args(kind) if isinstance(k, type) and issubclass(k, Struct)), None)
    if record is Mobile and isinstance(value, str):
        return Mobile(number=value)  # seen in the wild: the number in place of the documented object
    if record is not None and isinstance(value, dict):
        return lenient(record, value)
    return msgspec.convert(value, kind)
