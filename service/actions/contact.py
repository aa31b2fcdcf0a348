"""The contact that the two writing actions send: the documented request body, in which a typo is a lint error.

Source of the fields: the request example of `POST …/attributes/{attributeType}` on developer.sakari.io.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import FieldInfo

from service import phones
from service.actions.action import Target
from service.errors import Permanent

IDENTITIES = ("hubspot", "pipedrive", "activecampaign", "mobile", "email")
"""Fields that can say which record is meant; the first that is given names it."""

_LARGEST_NUMBER = 2**63 - 1

REGION_REMEDY = "write it with `+` and country code, or give `mobile.country`, `region:` or SLUICE_PHONE_REGION"

Region = Annotated[
    str,
    Meta(description="Country such as `NO`, of which a number is that has no country code and no country beside it."),
]
Instant = Annotated[datetime, Meta(tz=True, description="An instant such as `2026-11-07T05:31:56Z`.")]
Phone = Annotated[str, Meta(extra_json_schema={"format": "e164"})]
"""A phone number; lint asks for the filter of this name, or for a literal number in this form."""
Id = Annotated[int | str, Meta(description="The record's id in the CRM. Text of digits is sent as a number.")]


class _Part(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    pass


class Mobile(_Part, frozen=True):
    """A mobile phone number."""

    country: Annotated[
        str | UnsetType,
        Meta(description="ISO 3166 code of two letters, such as `US`; a national `number` is read by it."),
    ] = UNSET
    number: Annotated[
        Phone | UnsetType, Meta(description="Such as `+15551234567`; sent in that form, however it is given.")
    ] = UNSET
    verified: Annotated[Instant | UnsetType, Meta(description="When the number was verified.")] = UNSET
    valid: Annotated[bool | UnsetType, Meta(description="Whether the number can be texted.")] = UNSET
    line_type: Annotated[str | UnsetType, Meta(description="Kind of line, such as `mobile`.")] = UNSET


class ListSource(_Part, frozen=True):
    """Where a list is synchronised from."""

    id: Annotated[str | UnsetType, Meta(description="The list's id in the integration.")] = UNSET
    integration: Annotated[str | UnsetType, Meta(description="The integration's name.")] = UNSET
    last_synced: Annotated[str | UnsetType, Meta(description="When it was last synchronised.")] = UNSET


class DoubleOptIn(_Part, frozen=True):
    """The question that a contact must answer before the list may text."""

    enabled: Annotated[bool | UnsetType, Meta(description="Whether the question is asked.")] = UNSET
    prompt: Annotated[str | UnsetType, Meta(description="The question.")] = UNSET


class FilterAttribute(_Part, frozen=True):
    """One comparison of a list's filter."""

    attribute: Annotated[str | UnsetType, Meta(description="The attribute's name.")] = UNSET
    comparator: Annotated[str | UnsetType, Meta(description="How to compare.")] = UNSET
    value: Annotated[list[str] | UnsetType, Meta(description="What to compare with.")] = UNSET


class Filter(_Part, frozen=True):
    """Which contacts a list holds."""

    q: Annotated[str | UnsetType, Meta(description="Free text to look for.")] = UNSET
    attributes: Annotated[list[FilterAttribute] | UnsetType, Meta(description="Comparisons of attributes.")] = UNSET
    list_: Annotated[str | UnsetType, Meta(description="Another list to take contacts from.")] = msgspec.field(
        name="list", default=UNSET
    )
    valid: Annotated[bool | UnsetType, Meta(description="Take contacts with a valid number.")] = UNSET
    invalid: Annotated[bool | UnsetType, Meta(description="Take contacts with an invalid number.")] = UNSET
    blocked: Annotated[bool | UnsetType, Meta(description="Take blocked contacts.")] = UNSET
    unblocked: Annotated[bool | UnsetType, Meta(description="Take contacts that are not blocked.")] = UNSET
    opt_in: Annotated[bool | UnsetType, Meta(description="Take contacts that opted in.")] = UNSET


class ContactList(_Part, frozen=True):
    """A list that the contact belongs to."""

    name: Annotated[str | UnsetType, Meta(description="The list's name.")] = UNSET
    source: Annotated[ListSource | UnsetType, Meta(description="Where the list is synchronised from.")] = UNSET
    keyword: Annotated[str | UnsetType, Meta(description="The word that a person texts to join.")] = UNSET
    double_opt_in: Annotated[DoubleOptIn | UnsetType, Meta(description="The question before joining.")] = UNSET
    filter: Annotated[Filter | UnsetType, Meta(description="Which contacts the list holds.")] = UNSET
    opt_in_confirmation: Annotated[str | UnsetType, Meta(description="What is texted to who joins.")] = UNSET
    opt_in: Annotated[Instant | UnsetType, Meta(description="When the contact joined the list.")] = UNSET
    opt_out: Annotated[Instant | UnsetType, Meta(description="When the contact left the list.")] = UNSET


class CrmRecord(_Part, frozen=True):
    """The contact's record in a CRM."""

    id: Id


class ContactError(_Part, frozen=True):
    """What is wrong with the contact."""

    code: Annotated[str | UnsetType, Meta(description="A code such as `CONT-010`.")] = UNSET
    description: Annotated[str | UnsetType, Meta(description="What the code means.")] = UNSET


class SakariContact(_Part, frozen=True):
    """A contact as Sakari documents it. Fields that are left out are not sent."""

    email: Annotated[str | UnsetType, Meta(description="E-mail address.")] = UNSET
    first_name: Annotated[str | UnsetType, Meta(description="First name.")] = UNSET
    last_name: Annotated[str | UnsetType, Meta(description="Last name.")] = UNSET
    mobile: Annotated[Mobile | UnsetType, Meta(description="Mobile phone number.")] = UNSET
    lists: Annotated[list[ContactList] | UnsetType, Meta(description="Lists that the contact belongs to.")] = UNSET
    attributes: Annotated[
        dict[str, Any] | UnsetType, Meta(description="Custom attributes, name to value; they must exist in Sakari.")
    ] = UNSET
    opt_in: Annotated[Instant | UnsetType, Meta(description="When the contact opted in: an instant, no flag.")] = UNSET
    blocked: Annotated[Instant | UnsetType, Meta(description="When it was blocked: an instant, no flag.")] = UNSET
    activecampaign: Annotated[CrmRecord | UnsetType, Meta(description="The record in ActiveCampaign.")] = UNSET
    hubspot: Annotated[CrmRecord | UnsetType, Meta(description="The record in HubSpot.")] = UNSET
    pipedrive: Annotated[CrmRecord | UnsetType, Meta(description="The record in Pipedrive.")] = UNSET
    error: Annotated[ContactError | UnsetType, Meta(description="What is wrong with the contact.")] = UNSET


def body(contact: SakariContact) -> dict[str, Any]:
    """The contact as JSON types, without absent fields; digit text of CRM ids as the documented numbers."""
    sent: dict[str, Any] = msgspec.to_builtins(contact)
    for crm in ("activecampaign", "hubspot", "pipedrive"):
        if crm in sent:
            sent[crm] = {"id": _number_if_digits(sent[crm]["id"])}
    return sent


def reachable(contact: SakariContact, *regions: str) -> SakariContact:
    """The contact with its mobile number in E.164; read as one of `mobile.country`, else of the first of `regions` known.

    Raises Permanent("bad_phone") for a number that cannot exist.
    """
    mobile = contact.mobile
    if isinstance(mobile, UnsetType) or isinstance(mobile.number, UnsetType) or not mobile.number.strip():
        return contact
    country = "" if isinstance(mobile.country, UnsetType) else mobile.country
    number = e164(mobile.number, "contact.mobile.number", country, *regions)
    return msgspec.structs.replace(contact, mobile=msgspec.structs.replace(mobile, number=number))


def e164(number: str, where: str, *regions: str) -> str:
    """The number in E.164. Raises Permanent("bad_phone"), which says what is wrong with it and where it stands."""
    try:
        return phones.e164(number, *regions)
    except phones.NotAPhoneNumber as fault:
        remedy = "" if phones.is_international(number) else f"; {REGION_REMEDY}"
        raise Permanent("bad_phone", f"{where} is not a possible phone number: {fault}{remedy}") from None


def no_such_region(given: Mapping[str, Any]) -> tuple[str, str] | None:
    """What is wrong with the `region` of a step's `with` (see `Action.check`)."""
    region = given.get("region", "")
    if not isinstance(region, str) or region == "" or region.strip().upper() in phones.REGIONS:
        return None
    return "region", f"`{region}` is not a country: an ISO 3166 code of two letters is wanted, such as `NO`"


def named_by(contact: SakariContact, identities: tuple[str, ...] = IDENTITIES) -> tuple[str, str] | None:
    """The field that says which record is meant, and its value; None if the contact has none with a value."""
    for field in identities:
        given = getattr(contact, field)
        if given is UNSET:
            continue
        if isinstance(given, CrmRecord):
            value = str(given.id).strip()
        elif isinstance(given, Mobile):
            value = phones.digits(given.number or "")
        else:
            value = given.strip().lower()
        if value:
            return field, value
    return None


def names_nobody(contact: Any, identities: tuple[str, ...] = IDENTITIES) -> bool:
    """Whether `named_by` will find nothing, for a contact as a rule has it (see `Action.check`)."""
    return isinstance(contact, Mapping) and not any(_may_name(field, contact.get(field)) for field in identities)


def _may_name(field: str, value: Any) -> bool:
    if isinstance(value, Mapping):
        value = value.get("number" if field == "mobile" else "id")
    if isinstance(value, str):
        value = phones.digits(value) if field == "mobile" else value.strip()
    return value is not None and value != ""


def target(kind: str, contact: SakariContact, named: tuple[str, str]) -> Target:
    """The record `<kind>/<field>:<value>` that `named` says, and everything else that the contact sets.

    A contact that sets nothing else still says that the record exists: its identity is then the attribute. The record
    may hold a phone number or an e-mail address: it is a key, not for logs.
    """
    return Target(f"{kind}/{':'.join(named)}", tuple(_names(contact, without=named[0])) or (named[0],))


def only(contact: SakariContact, attributes: frozenset[str], named: tuple[str, str]) -> SakariContact:
    """The contact with its identity and, of what it sets, only `attributes` (dotted, as `target` names them)."""
    kept = attributes | {named[0]}
    changes: dict[str, Any] = {field.name: UNSET for field in _fields(type(contact)) if field.encode_name not in kept}
    if isinstance(contact.attributes, dict):
        rest = {name: value for name, value in contact.attributes.items() if f"attributes.{name}" in kept}
        changes["attributes"] = rest or UNSET
    return msgspec.structs.replace(contact, **changes)


def merged(older: SakariContact, newer: SakariContact) -> SakariContact:
    """One contact that sets what both set; where both set the same, the newer value stands."""
    changes = {
        field.name: getattr(newer, field.name)
        for field in _fields(type(newer))
        if getattr(newer, field.name) is not UNSET
    }
    if isinstance(older.attributes, dict) and isinstance(newer.attributes, dict):
        changes["attributes"] = older.attributes | newer.attributes
    return msgspec.structs.replace(older, **changes)


@cache
def _fields(kind: type[SakariContact]) -> tuple[FieldInfo, ...]:
    """The fields of a type: msgspec works them out anew each time that it is asked."""
    return msgspec.structs.fields(kind)


def _names(contact: SakariContact, *, without: str) -> list[str]:
    given = [field.encode_name for field in _fields(type(contact)) if getattr(contact, field.name) is not UNSET]
    custom = contact.attributes if isinstance(contact.attributes, dict) else {}
    return [name for name in given if name not in {without, "attributes"}] + [f"attributes.{name}" for name in custom]


def _number_if_digits(value: int | str) -> int | str:
    if isinstance(value, str) and value.isascii() and value.isdigit() and str(int(value)) == value:
        return int(value) if int(value) <= _LARGEST_NUMBER else value
    return value
