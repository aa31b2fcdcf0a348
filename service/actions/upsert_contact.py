"""`do: upsert_contact`: create a contact, or merge into the one with the same mobile number."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from service.actions import contact as contacts
from service.actions.action import Action, Result, Target
from service.errors import Permanent

if TYPE_CHECKING:
    from service.sakari.client import Sakari


class Args(Struct, frozen=True, forbid_unknown_fields=True):
    """Create a contact in Sakari, or merge into the contact that has the same mobile number.

    This is the documented way of writing a contact's values. The mobile number is the key, so it must be given.
    Creating does not opt anybody in. What `core` and `remove` do to values that Sakari already has is not published:
    try them on a test account first.
    """

    contact: Annotated[contacts.SakariContact, Meta(description="The contact; `mobile.number` is required.")]
    merge_strategy: Annotated[
        Literal["append", "core", "remove"],
        Meta(description="How a contact that already has this mobile number is treated."),
    ] = "append"

    region: contacts.Region | UnsetType = UNSET


_NO_MOBILE = "the contact has no `mobile.number`, which is what Sakari knows contacts by"


def check(given: Mapping[str, Any]) -> tuple[str, str] | None:
    if contacts.names_nobody(given.get("contact"), ("mobile",)):
        return "contact.mobile.number", _NO_MOBILE
    return contacts.no_such_region(given)


def prepare(args: Args, region: str) -> Args:
    """With the mobile number in E.164. Raises Permanent("bad_phone")."""
    return structs.replace(args, contact=contacts.reachable(args.contact, args.region or "", region), region=UNSET)


async def run(args: Args, sakari: "Sakari") -> Result:
    """Raises Permanent("no_mobile") before any call if there is no mobile number."""
    _named(args)
    answer = await sakari.upsert_contact(contacts.body(args.contact), args.merge_strategy)
    return Result({"accepted": True}, answer)


def target(args: Args) -> Target:
    return contacts.target("contacts", args.contact, _named(args))


def only(args: Args, attributes: frozenset[str]) -> Args:
    return structs.replace(args, contact=contacts.only(args.contact, attributes, _named(args)))


def _named(args: Args) -> tuple[str, str]:
    named = contacts.named_by(args.contact, ("mobile",))
    if named is None:
        raise Permanent("no_mobile", _NO_MOBILE)
    return named


def merge(older: Args, newer: Args) -> Args | None:
    """None if the strategies differ: what they do to lists and values cannot be mixed."""
    if older.merge_strategy != newer.merge_strategy:
        return None
    return structs.replace(older, contact=contacts.merged(older.contact, newer.contact))


ACTION = Action(
    name="upsert_contact",
    args=Args,
    check=check,
    prepare=prepare,
    run=run,
    sets_values=True,
    target=target,
    only=only,
    merge=merge,
    example="""\
do: upsert_contact
with:
  contact:
    mobile: { number: "${contact.phone | e164}" }
    firstName: "${contact.firstname}"
    hubspot: { id: "${contact.id}" }
  merge_strategy: append
""",
)
