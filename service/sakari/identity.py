"""By what an execution is found: its own id, and everything that says whose it is."""

import hashlib

from service import phones
from service.sakari.models import Contact, CrmRecord, Execution

Identity = tuple[str, str]
"""A kind (`execution`, `sakari`, `hubspot`, `pipedrive`, `mobile`, `email`) and a value that can be compared."""


def identities(execution: Execution) -> frozenset[Identity]:
    """All of an execution's identities; empty ones are left out."""
    found = {("execution", str(execution.id or ""))}
    if execution.contact is not None:
        found |= _of_contact(execution.contact)
    return frozenset((kind, value) for kind, value in found if value)


def concerns(execution: Execution, wanted: frozenset[Identity] | None) -> bool:
    """Whether any identity is one of `wanted`; None wants every execution."""
    return wanted is None or not wanted.isdisjoint(identities(execution))


def key(identity: Identity) -> bytes:
    """8 bytes that stand for an identity in an index: no number or address stands there in clear.

    In an index of a million identities two are equal with a chance of one in thirty million: ask `concerns` of what was
    found.
    """
    return hashlib.blake2b(":".join(identity).encode(errors="surrogatepass"), digest_size=8).digest()


def _of_contact(contact: Contact) -> set[Identity]:
    records = {("sakari", contact.id), *_records("hubspot", contact.hubspot), *_records("pipedrive", contact.pipedrive)}
    found = {(kind, str(value)) for kind, value in records if value is not None}
    return found | _numbers(contact) | {("email", (contact.email or "").strip().lower())}


def _records(kind: str, record: CrmRecord | None) -> list[tuple[str, int | str | None]]:
    return [(kind, record.id), (kind, record.vid)] if record else []


def _numbers(contact: Contact) -> set[Identity]:
    """The number in E.164, and as it is written: whoever looks for it may not know its country either."""
    if contact.mobile is None or contact.mobile.number is None:
        return set()
    number, country = str(contact.mobile.number), contact.mobile.country or ""
    return {("mobile", phones.digits(number)), ("mobile", phones.comparable(number, country))}
