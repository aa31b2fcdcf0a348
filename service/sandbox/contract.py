"""What the two API documents allow in a request, and nothing more.

The real server ignores what it does not know; the sandbox refuses it, so that a typo is found before production.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from service.sandbox.envelope import Refused

Instant = Annotated[datetime, Meta(tz=True)]


class _Documented(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    pass


class Mobile(_Documented, frozen=True):
    country: str = ""
    number: str = ""
    verified: Instant | None = None
    valid: bool = False
    line_type: str = ""


class Source(_Documented, frozen=True):
    id: str = ""
    integration: str = ""
    last_synced: str = ""


class DoubleOptIn(_Documented, frozen=True):
    enabled: bool = False
    prompt: str = ""


class FilterAttribute(_Documented, frozen=True):
    attribute: str = ""
    comparator: str = ""
    value: list[str] = []


class Filter(_Documented, frozen=True):
    q: str = ""
    attributes: list[FilterAttribute] = []
    list: str = ""
    valid: bool = False
    invalid: bool = False
    blocked: bool = False
    unblocked: bool = False
    opt_in: bool = False


class ContactList(_Documented, frozen=True):
    name: str = ""
    source: Source = Source()
    keyword: str = ""
    double_opt_in: DoubleOptIn = DoubleOptIn()
    filter: Filter = Filter()
    opt_in_confirmation: str = ""
    opt_in: Instant | None = None
    opt_out: Instant | None = None


class CrmRecord(_Documented, frozen=True):
    id: int


class ContactError(_Documented, frozen=True):
    code: str = ""
    description: str = ""


class Contact(_Documented, frozen=True):
    """The request body of `POST …/attributes/{attributeType}`, field by field."""

    email: str = ""
    first_name: str = ""
    last_name: str = ""
    mobile: Mobile = Mobile()
    lists: list[ContactList] = []
    attributes: dict[str, Any] = {}
    opt_in: Instant | None = None
    blocked: Instant | None = None
    activecampaign: CrmRecord | None = None
    hubspot: CrmRecord | None = None
    pipedrive: CrmRecord | None = None
    error: ContactError = ContactError()


class TokenRequest(_Documented, frozen=True, rename=None):
    grant_type: Literal["client_credentials"]
    client_id: str
    client_secret: str


def read_contact(content_type: str, body: bytes) -> dict[str, Any]:
    """The body as it came, if it is a documented Contact. Raises Refused, naming the path of what is not."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, None, "Content-Type must be application/json")
    try:
        msgspec.json.decode(body, type=Contact)
    except msgspec.DecodeError as error:
        code = "CONT-001" if "`$.mobile" in str(error) else None
        raise Refused(400, code, str(error)) from None
    received: dict[str, Any] = msgspec.json.decode(body)
    if None in received.values():
        raise Refused(400, None, "A field without a value must be left out")
    return received


def record_of(contact: dict[str, Any]) -> str:
    """The name under which the sandbox keeps what a call said about a contact."""
    for crm in ("hubspot", "pipedrive", "activecampaign"):
        if crm in contact:
            return f"{crm}:{contact[crm]['id']}"
    number = contact.get("mobile", {}).get("number", "")
    if number:
        return f"mobile:{''.join(filter(str.isdigit, number))}"
    return f"email:{contact['email'].lower()}" if contact.get("email") else "nobody"
