"""Planned events for the measures that talk to the store itself."""

import itertools

import msgspec

from service.actions import ACTIONS
from service.engine import RuleSet, load, plan
from service.model import Plan
from service.sources import hubspot
from service.sources.delivery import Delivery, Verified
from service.store import Store, accept
from tests.bench.deliveries import RULE, property_change

NOW = 1_795_350_000_000
_numbers = itertools.count(1)


def one_rule() -> RuleSet:
    """The one rule of the bench."""
    return load({"bench.yaml": RULE.encode()}, ACTIONS).rule_set


_RULES = one_rule()


def plans(count: int, *, matching: bool) -> list[Plan]:
    """A delivery's plans, each of a new event of a new contact."""
    events = [property_change(next(_numbers), NOW, matches=matching) for _ in range(count)]
    delivery = Delivery(method="POST", target="/", headers={}, body=msgspec.json.encode(events), received_at=NOW)
    return [plan(_RULES, event, NOW) for event in hubspot.normalise(Verified(delivery, "v3")).events]


async def fill(store: Store, count: int, *, matching: bool, batch: int = 100) -> None:
    """Store new events, one delivery after the other."""
    for first in range(0, count, batch):
        planned = plans(min(batch, count - first), matching=matching)
        await accept(store, "hubspot", planned, [], now=NOW)
