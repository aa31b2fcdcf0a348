"""`do: fetch_executions`: who is in a drip campaign, and how far."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from service.actions.action import Action, Result
from service.actions.contact import digits
from service.errors import Permanent
from service.sakari.client import Sakari
from service.sakari.models import Contact, CrmRecord, Execution

Id = str | int


class Who(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is looked for. One identity is enough; an execution counts if any that both sides have is equal.

    Identities that are null or empty are passed over.
    """

    sakari: Annotated[Id | None, Meta(description="The contact's id in Sakari.")] = None
    hubspot: Annotated[Id | None, Meta(description="The contact's id in HubSpot.")] = None
    pipedrive: Annotated[Id | None, Meta(description="The person's id in Pipedrive.")] = None
    mobile: Annotated[str | None, Meta(description="Mobile number with its country code.")] = None
    email: Annotated[str | None, Meta(description="E-mail address; upper and lower case are one.")] = None

    def __post_init__(self) -> None:
        if all(value is None for value in (self.sakari, self.hubspot, self.pipedrive, self.mobile, self.email)):
            raise ValueError("give at least one of sakari, hubspot, pipedrive, mobile, email")


class Args(Struct, frozen=True, forbid_unknown_fields=True):
    """Fetch the executions of a drip campaign: all of them, or those of one contact.

    The result has `found` (true or false), `count`, `latest` (the execution that was entered last, or null) and `all`;
    an execution has `id`, `status`, `entered` and `contact`, as Sakari gave them.

    Sakari cannot be asked for one contact's executions, so every page of the campaign is read: for a large campaign
    that is many calls. With duplicate people in the CRM, Sakari keeps the lowest of their ids: give `mobile` beside the
    id where you have it. A number kept in national form, without its country code, matches only the same form.
    """

    campaign: Annotated[str, Meta(description="The drip campaign's id.", min_length=1)]
    contact: Annotated[Who | UnsetType, Meta(description="Whose executions; left out: everybody's.")] = UNSET
    version: Annotated[str | UnsetType, Meta(description="Id of one version of the campaign's workflow.")] = UNSET


_NOBODY = "every identity of the contact to look for is empty"


def check(given: Mapping[str, Any]) -> tuple[str, str] | None:
    """A `contact` of nothing but nulls is refused by `Who` itself."""
    who = given.get("contact")
    values = list(who.values()) if isinstance(who, Mapping) else []
    return ("contact", _NOBODY) if "" in values and all(value in (None, "") for value in values) else None


async def run(args: Args, sakari: Sakari) -> Result:
    """Raises Permanent("no_identity") before any call if `contact` is given and everything in it is empty."""
    wanted = None if isinstance(args.contact, UnsetType) else _wanted(args.contact)
    if wanted is not None and not wanted:
        raise Permanent("no_identity", _NOBODY)
    version = None if isinstance(args.version, UnsetType) else args.version
    found: list[Execution] = []
    async for page in sakari.executions(args.campaign, version_id=version):
        found += [each for each in page if wanted is None or (each.contact and wanted & _identities(each.contact))]
    entries = [_entry(each) for each in found]
    return Result(
        {
            "found": bool(found),
            "count": len(found),
            "latest": entries[_latest(found)] if found else None,
            "all": entries,
        }
    )


def _wanted(who: Who) -> set[tuple[str, str]]:
    crm = {"sakari": who.sakari, "hubspot": who.hubspot, "pipedrive": who.pipedrive}
    given = {(kind, str(value).strip()) for kind, value in crm.items() if value is not None}
    given |= {("mobile", digits(who.mobile or "")), ("email", (who.email or "").strip().lower())}
    return {(kind, value) for kind, value in given if value}


def _identities(contact: Contact) -> set[tuple[str, str]]:
    found = {("sakari", contact.id), *_records("hubspot", contact.hubspot), *_records("pipedrive", contact.pipedrive)}
    number = contact.mobile.number if contact.mobile else None
    comparable = {(kind, str(value)) for kind, value in found if value is not None}
    return comparable | {("mobile", digits(str(number or ""))), ("email", (contact.email or "").strip().lower())}


def _records(kind: str, record: CrmRecord | None) -> list[tuple[str, int | str | None]]:
    return [(kind, record.id), (kind, record.vid)] if record else []


def _entry(execution: Execution) -> dict[str, Any]:
    return {name: execution.raw.get(name) for name in ("id", "status", "entered", "contact")}


def _latest(executions: list[Execution]) -> int:
    """Place of the execution entered last; of equal ones the later in Sakari's order. Without an instant: earliest."""
    return max(range(len(executions)), key=lambda place: (_instant(executions[place].entered), place))


def _instant(entered: str | None) -> datetime:
    try:
        instant = datetime.fromisoformat(entered or "")
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


ACTION = Action(
    name="fetch_executions",
    args=Args,
    check=check,
    run=run,
    sets_values=True,
    example="""\
do: fetch_executions
as: drip
with:
  campaign: 6604b1d2f1a3
  contact: { hubspot: "${contact.id}" }
""",
)
