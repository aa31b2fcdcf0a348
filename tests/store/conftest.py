"""Plans made by hand: the store does not care where they come from."""

from collections.abc import Callable

import pytest

from service.model import Event, Plan, Run

MakePlan = Callable[..., Plan]
NOW = 1_790_000_000_000


def a_plan(fact: str = "fact-1", *, object_id: str = "7", at: int = NOW, rules: tuple[str, ...] = ("r1",)) -> Plan:
    event = Event(
        source="hubspot",
        account="1",
        type="contact.updated",
        object_id=object_id,
        occurred_at=at,
        fact_key=fact,
        delivery_key=f"d-{fact}",
        values={"contact.id": object_id},
    )
    runs = tuple(
        Run(
            key=f"{fact}/{rule}",
            rule=rule,
            ruleset="v1",
            lane=event.lane,
            occurred_at=at,
            planned_at=NOW,
            expires_at=NOW + 86_400_000,
            values={"contact.id": object_id},
        )
        for rule in rules
    )
    return Plan(event=event, ruleset="v1", runs=runs)


@pytest.fixture
def make_plan() -> MakePlan:
    return a_plan
