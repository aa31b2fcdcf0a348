"""`do: update_attributes`: write a contact's values through `POST …/attributes/{attributeType}`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from service.actions import contact as contacts
from service.actions.action import Action, Result, Target
from service.errors import Permanent

if TYPE_CHECKING:
    from service.sakari.client import Sakari


class Args(Struct, frozen=True, forbid_unknown_fields=True):
    """Send a contact to Sakari's attributes endpoint, exactly as its API page documents it.

    **Try it once on a test account before you rely on it.** The vendor's page for this endpoint is visibly
    mis-generated: its title and its response belong to the auto top-up of an account, its request to a contact, and the
    other operations on the same path administer attribute *definitions*. Since the server ignores what it does not
    know, an answer of 200 does not prove that a contact changed. `upsert_contact` takes the same `contact` and writes
    through `POST …/contacts`, whose documentation is consistent: use that one for contacts that have a mobile number,
    unless a trial has shown that this one does what you need (or you write `deals` or `tickets`, which only this one
    can).
    """

    type: Annotated[Literal["contacts", "deals", "tickets"], Meta(description="What kind of record is written.")]
    contact: Annotated[contacts.SakariContact, Meta(description="Who is meant, and the values to set.")]

    region: contacts.Region | UnsetType = UNSET


_NO_IDENTITY = f"the contact names no record: give one of {', '.join(contacts.IDENTITIES)} with a value"


def check(given: Mapping[str, Any]) -> tuple[str, str] | None:
    if contacts.names_nobody(given.get("contact")):
        return "contact", _NO_IDENTITY
    return contacts.no_such_region(given)


def prepare(args: Args, region: str) -> Args:
    """With the mobile number in E.164. Raises Permanent("bad_phone")."""
    return structs.replace(args, contact=contacts.reachable(args.contact, args.region or "", region), region=UNSET)


async def run(args: Args, sakari: "Sakari") -> Result:
    """Raises Permanent("no_identity") before any call if nothing says which record is meant."""
    _named(args)
    answer = await sakari.write_attributes(args.type, contacts.body(args.contact))
    return Result({"accepted": True}, answer)


def target(args: Args) -> Target:
    return contacts.target(args.type, args.contact, _named(args))


def only(args: Args, attributes: frozenset[str]) -> Args:
    return structs.replace(args, contact=contacts.only(args.contact, attributes, _named(args)))


def merge(older: Args, newer: Args) -> Args:
    return structs.replace(older, contact=contacts.merged(older.contact, newer.contact))


def _named(args: Args) -> tuple[str, str]:
    named = contacts.named_by(args.contact)
    if named is None:
        raise Permanent("no_identity", _NO_IDENTITY)
    return named


ACTION = Action(
    name="update_attributes",
    args=Args,
    check=check,
    prepare=prepare,
    run=run,
    sets_values=True,
    target=target,
    only=only,
    merge=merge,
    example="""\
do: update_attributes
with:
  type: contacts
  contact:
    hubspot: { id: "${contact.id}" }
    attributes: { nurture_status: customer }
""",
)
