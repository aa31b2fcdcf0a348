"""Why nothing was done about an event, in one line."""

import pytest
from msgspec.structs import replace

from service.actions import ACTIONS
from service.engine import load
from service.insight.nearest import unmatched
from service.insight.verdicts import explained
from service.model import Event
from tests.cli.conftest import a_rule, an_event, rules_text

FAR = a_rule("far", stage="lead").replace("source: hubspot", "source: pipedrive")


@pytest.mark.parametrize(
    ("rules", "event", "said"),
    [
        ([a_rule("one")], an_event(stage="lead"), "no rule matched; nearest: one, stopped by contact.stage (is lead)"),
        ([FAR, a_rule("one")], an_event(stage="x"), "no rule matched; nearest: one, stopped by contact.stage (is x)"),
        ([FAR, a_rule("one", mode="off")], an_event(), "no rule matched; nearest: one, in mode: off"),
        ([], an_event(), "no rule is for contact.updated"),
        (
            [a_rule("one").replace("contact.stage", "contact.email").replace("customer", "x")],
            an_event(),
            "no rule matched; nearest: one, stopped by contact.email (is •••)",
        ),
        (
            [a_rule("one").replace("contact.stage: customer", "contact.tier: gold")],
            an_event(),
            "no rule matched; nearest: one, stopped by contact.tier (not in the event)",
        ),
        (
            [
                a_rule("one").replace(
                    "contact.stage: customer", "any: [contact.tier: x, contact.stage: x, contact.stage: y]"
                )
            ],
            an_event(),
            "no rule matched; nearest: one, stopped by contact.tier (not in the event), contact.stage (is customer)",
        ),
        (
            [
                a_rule("one").replace(
                    "contact.stage: customer",
                    "any: [contact.id: 1, contact.stage: 1, contact.phone: 1, contact.email: 1]",
                )
            ],
            replace(an_event(), values={"contact.id": "7", "contact.stage": "x", "contact.phone": "+15550100123"}),
            "no rule matched; nearest: one, stopped by contact.id (is 7), contact.stage (is x), contact.phone (is •••), …",
        ),
    ],
)
def test_the_nearest_rule_is_named_with_what_stopped_it(rules: list[str], event: Event, said: str) -> None:
    rule_set = load({"r.yaml": rules_text(*rules).encode()}, ACTIONS).rule_set
    assert unmatched(explained(rule_set, event, 1)) == said


def test_without_the_rules_of_its_day_no_rule_is_named() -> None:
    assert unmatched(None) == "no rule matched"
