"""What the CRMs are going to say and when, and what each fact must do in Sakari. Pure: a seed gives the same stream."""

import random
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any, Literal

from msgspec import Struct

FIRST_MS = 1_795_000_000_000
"""When fact 0 occurred. Fact n occurred n milliseconds later, so that a fact is known by its time alone."""

FOUND_IN_CAMPAIGN = 310_000_000_451
"""The one contact that stands in the sandbox's campaign: the rule `drip` has nothing to write for it."""

_BURSTS = (1, 1, 2, 5, 10, 40, 100)
_KINDS = {"property": 70, "drip": 3, "unruled": 4, "person": 12, "deal": 11}


class Fact(Struct, frozen=True, kw_only=True):
    """One change in a CRM. The value that it brings is its own alone: `v<number>`."""

    number: int
    source: Literal["hubspot", "pipedrive"]
    effects: tuple[tuple[str, str], ...]
    """(record, attribute) of Sakari that it sets to its value; none for a fact without a rule, or one that is skipped."""
    body: dict[str, Any]
    """As its CRM sends it for the first time: an element of HubSpot's array, or Pipedrive's whole body."""

    @property
    def value(self) -> str:
        """The value that stands in Sakari while this is the newest fact."""
        return f"v{self.number}"


class Sending(Struct, frozen=True, order=True):
    """One notification of a fact, at a time (seconds from the start)."""

    at: float
    fact: int
    attempt: int = 0
    """How often the CRM believes to have sent it before; above 0 although it was answered: a redelivery."""
    overlapping: bool = False
    """HubSpot only: by a second subscription, under another type and with other ids."""


class Stream(Struct, frozen=True):
    """Facts by number, and their notifications in the order of time."""

    facts: tuple[Fact, ...]
    sendings: tuple[Sending, ...]
    lasting_s: float


def make(dice: random.Random, events: int, lasting_s: float, *, objects: int | None = None) -> Stream:
    """Make a stream of so many facts, over so many objects of each kind (by default one for each 25 facts)."""
    most = objects or max(events // 25, 5)
    facts = tuple(_fact(number, most, dice) for number in range(events))
    sendings: list[Sending] = []
    for fact, moment in zip(facts, _moments(events, lasting_s, dice), strict=True):
        sendings += _sendings(fact, moment, lasting_s, dice)
    return Stream(facts, tuple(sorted(sendings)), lasting_s)


def _moments(events: int, lasting_s: float, dice: random.Random) -> list[float]:
    """Spread the facts over the time in bursts: a person clicks, a workflow touches ten, an import a hundred."""
    bursts: list[int] = []
    while sum(bursts) < events:
        bursts.append(min(dice.choice(_BURSTS), events - sum(bursts)))
    starts = [0, *accumulate(bursts)]
    return [lasting_s * start / events for start, size in zip(starts, bursts, strict=False) for _ in range(size)]


def _sendings(fact: Fact, moment: float, lasting_s: float, dice: random.Random) -> list[Sending]:
    """Most come at once, some are overtaken, a few come very late; some come twice, or by two subscriptions."""
    delay = dice.choices((dice.uniform(0, 0.3), dice.uniform(0, 3), dice.uniform(0, lasting_s / 5)), (75, 20, 5))[0]
    sendings = [Sending(moment + delay, fact.number)]
    if dice.random() < 0.12:
        sendings.append(Sending(moment + delay + dice.uniform(0, 8), fact.number, attempt=1))
    if fact.source == "hubspot" and dice.random() < 0.06:
        sendings.append(Sending(moment + delay + dice.uniform(0, 1), fact.number, overlapping=True))
    return sendings


def _fact(number: int, objects: int, dice: random.Random) -> Fact:
    kind = dice.choices(list(_KINDS), list(_KINDS.values()))[0]
    which = dice.randrange(objects)
    if dice.random() < 0.3:
        which = number // 200 % objects  # a busy object: its lane is deep, and runs wait together
    if kind in {"person", "deal"}:
        return _pipedrive(number, kind, 1 + which, dice)
    contact = FOUND_IN_CAMPAIGN if which == 0 else 700_000 + which
    prop = f"p{dice.randrange(3)}" if kind == "property" else kind
    effects = ((f"contacts/hubspot:{contact}", prop),)
    idle = prop == "unruled" or (prop == "drip" and contact == FOUND_IN_CAMPAIGN)
    return Fact(
        number=number,
        source="hubspot",
        effects=() if idle else effects,
        body=_property_change(number, contact, prop, dice),
    )


def _property_change(number: int, contact: int, prop: str, dice: random.Random) -> dict[str, Any]:
    return {
        "eventId": dice.getrandbits(32),
        "subscriptionId": 11,
        "portalId": 62515,
        "appId": 3,
        "occurredAt": FIRST_MS + number,
        "subscriptionType": "contact.propertyChange",
        "attemptNumber": 0,
        "objectId": contact,
        "propertyName": prop,
        "propertyValue": f"v{number}",
        "changeSource": "CRM_UI",
    }


def _pipedrive(number: int, kind: str, person: int, dice: random.Random) -> Fact:
    """A change of a person, or of one of the person's three deals: both write to the person's record in Sakari."""
    record, moment = f"contacts/pipedrive:{person}", datetime.fromtimestamp((FIRST_MS + number) / 1000, UTC)
    own = person if kind == "person" else person * 10 + dice.randrange(3)
    named = {"name": f"v{number}"} if kind == "person" else {"title": f"v{number}", "person_id": person}
    meta = {
        "action": "change",
        "entity": kind,
        "entity_id": str(own),
        "company_id": "7",
        "id": f"{dice.getrandbits(32):08x}-0054-4267-b5fd-{number:012d}",
        "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "change_source": "app",
        "attempt": 1,
    }
    return Fact(
        number=number,
        source="pipedrive",
        effects=((record, "note"),) if kind == "person" else ((record, "note"), (record, "deal")),
        body={"data": {"id": own, **named}, "previous": {next(iter(named)): "before"}, "meta": meta},
    )


def notification(fact: Fact, sending: Sending, attempt: int) -> dict[str, Any]:
    """Write a fact as its CRM does on the given attempt (0 for the first)."""
    if fact.source == "pipedrive":
        return {**fact.body, "meta": {**fact.body["meta"], "attempt": attempt + 1}}
    other = {"subscriptionType": "object.propertyChange", "objectTypeId": "0-1", "subscriptionId": 12}
    again = {"eventId": (fact.body["eventId"] + 1) % 2**32, **other} if sending.overlapping else {}
    return {**fact.body, **again, "attemptNumber": attempt}
