"""`do: fetch_executions`: who is in a drip campaign, and how far."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from service import phones
from service.actions.action import Action, Result
from service.actions.contact import Region, e164, no_such_region
from service.engine.values import duration_ms
from service.errors import Permanent
from service.sakari.identity import Identity
from service.sakari.models import SEEN, Execution

if TYPE_CHECKING:
    from service.sakari.client import Sakari

Id = str | int


class Who(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is looked for. One identity is enough; an execution counts if any that both sides have is equal.

    Identities that are null or empty are passed over.
    """

    execution: Annotated[Id | None, Meta(description="The id of the execution itself.")] = None
    sakari: Annotated[Id | None, Meta(description="The contact's id in Sakari.")] = None
    hubspot: Annotated[Id | None, Meta(description="The contact's id in HubSpot.")] = None
    pipedrive: Annotated[Id | None, Meta(description="The person's id in Pipedrive.")] = None
    mobile: Annotated[str | None, Meta(description="Mobile number with its country code.")] = None
    email: Annotated[str | None, Meta(description="E-mail address; upper and lower case are one.")] = None

    def __post_init__(self) -> None:
        if all(getattr(self, name) is None for name in self.__struct_fields__):
            raise ValueError(f"give at least one of {', '.join(self.__struct_fields__)}")


class Args(Struct, frozen=True, forbid_unknown_fields=True):
    """Fetch the executions of a drip campaign: all of them, or those of one contact.

    The result has `found` (true or false), `count`, `latest` (the execution that was entered last, or null) and `all`;
    an execution has `id`, `status`, `entered` and `contact`, as Sakari gave them.

    Sakari cannot be asked for one contact's executions. So the campaign is read as a whole, once for all events that ask
    within `fresh`: `30s` shows it as it was at most 30 seconds ago. What this very event has set off in Sakari may not be
    in it yet. `fresh: 0` reads the campaign anew for this one step, which is many calls for a large campaign. A campaign
    that takes longer to read than `fresh` allows is shown by its newest reading, which counts for as long again as it took.

    With duplicate people in the CRM, Sakari keeps the lowest of their ids: give `mobile` beside the id where you have it.
    """

    campaign: Annotated[str, Meta(description="The drip campaign's id.", min_length=1)]
    contact: Annotated[Who | UnsetType, Meta(description="Whose executions; left out: everybody's.")] = UNSET
    version: Annotated[str | UnsetType, Meta(description="Id of one version of the campaign's workflow.")] = UNSET
    fresh: Annotated[
        Literal[0] | str,
        Meta(description="How old what is seen may be: `0`, `30s` (if left out), `15m`, at most `24h`."),
    ] = "30s"
    region: Region | UnsetType = UNSET


LONGEST_FRESH_MS = 86_400_000

_FRESH_HINT = "0, or a span of time up to 24h, such as `30s`, `15m`, `2h`"
_NOBODY = "every identity of the contact to look for is empty"


def check(given: Mapping[str, Any]) -> tuple[str, str] | None:
    """A `contact` of nothing but nulls is refused by `Who` itself."""
    who = given.get("contact")
    values = list(who.values()) if isinstance(who, Mapping) else []
    if "" in values and all(value in (None, "") for value in values):
        return "contact", _NOBODY
    fresh = given.get("fresh", 0)
    if isinstance(fresh, str) and (duration_ms(fresh) is None or (duration_ms(fresh) or 0) > LONGEST_FRESH_MS):
        return "fresh", f"`{fresh}` cannot be used here: {_FRESH_HINT}"
    return no_such_region(given)


def prepare(args: Args, region: str) -> Args:
    """With the number to look for in E.164, if it can be brought to it.

    Raises Permanent("bad_phone") if it cannot, and it is all that there is to look for.
    """
    who = args.contact
    if isinstance(who, UnsetType) or not (who.mobile or "").strip():
        return args
    try:
        number = e164(who.mobile or "", "contact.mobile", args.region or "", region)
    except Permanent:
        if {kind for kind, _ in _wanted(who)} <= {"mobile"}:
            raise
        return args
    return structs.replace(args, contact=structs.replace(who, mobile=number))


async def run(args: Args, sakari: "Sakari") -> Result:
    """Raises Permanent("no_identity") before any call if `contact` is given and everything in it is empty."""
    wanted = None if isinstance(args.contact, UnsetType) else _wanted(args.contact)
    if wanted is not None and not wanted:
        raise Permanent("no_identity", _NOBODY)
    version = None if isinstance(args.version, UnsetType) else args.version
    found = await sakari.find_executions(args.campaign, wanted, version_id=version, fresh_ms=_fresh_ms(args.fresh))
    entries = [_entry(each) for each in found]
    return Result(
        {
            "found": bool(found),
            "count": len(found),
            "latest": entries[_latest(found)] if found else None,
            "all": entries,
        }
    )


def _wanted(who: Who) -> frozenset[Identity]:
    ids = {"execution": who.execution, "sakari": who.sakari, "hubspot": who.hubspot, "pipedrive": who.pipedrive}
    given = {(kind, str(value).strip()) for kind, value in ids.items() if value is not None}
    given |= {("mobile", phones.comparable(who.mobile or "")), ("email", (who.email or "").strip().lower())}
    return frozenset((kind, value) for kind, value in given if value)


def _fresh_ms(fresh: str | int) -> int:
    """Milliseconds. Raises Permanent("bad_arguments") for what a template made of it."""
    found = 0 if fresh == 0 else duration_ms(fresh)
    if found is None or found > LONGEST_FRESH_MS:
        raise Permanent("bad_arguments", f"`fresh` cannot be used: {_FRESH_HINT}")
    return found


def _entry(execution: Execution) -> dict[str, Any]:
    return {name: execution.raw.get(name) for name in SEEN}


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
    prepare=prepare,
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
