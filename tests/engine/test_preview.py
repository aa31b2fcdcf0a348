"""What a rule would call, before it calls anything; and whether two versions of it would call the same."""

import pytest

from service.engine import Preview, Rule, preview, same_calls, same_steps
from service.engine.scope import StepScope
from service.errors import Permanent
from tests.engine.examples import NOW, event, rule, rules_of

FIND = "{ do: fetch_executions, as: drip, with: { campaign: c, contact: { hubspot: '${contact.id}' } } }"


def one(then: str, **more: str) -> Rule:
    return rules_of(rule(then=then, **more)).rules[0]


def send(mobile: str, condition: str = "") -> str:
    return f"{{ do: upsert_contact, {f'if: {condition}, ' if condition else ''}with: {{ mobile: {mobile!r} }} }}"


def test_templates_are_filled_as_far_as_the_event_goes() -> None:
    seen = event({"contact.id": "7", "contact.phone": "+1 555"})
    steps = preview(
        one(f"[{FIND}, {send('${drip.latest.status | upper | default(x)}')}, {send('${contact.phone}')}]"), seen, NOW
    )
    assert [step.args for step in steps] == [
        {"campaign": "c", "contact": {"hubspot": "7"}},
        {"mobile": "${drip.latest.status | upper | default(x)}"},
        {"mobile": "+1 555"},
    ]
    (_, text) = preview(one(f"[{FIND}, {send('to ${contact.id}: ${drip.found}')}]"), seen, NOW)
    assert text.args == {"mobile": "to 7: ${drip.found}"}


@pytest.mark.parametrize(
    ("condition", "applies"),
    [
        ("", True),
        ("{ contact.id: 7 }", True),
        ("{ contact.id: 8 }", False),
        ("{ contact.none: 8 }", None),
        ("{ drip.found: true }", None),
        ("{ drip.found: { exists: false } }", None),
    ],
)
def test_whether_a_step_applies(condition: str, applies: bool | None) -> None:
    (_, step) = preview(one(f"[{FIND}, {send('x', condition)}]"), event({"contact.id": "7"}), NOW)
    assert step.applies is applies


def test_what_has_no_value_is_said_without_the_values_of_others() -> None:
    (step,) = preview(one(f"[{send('${contact.none}')}]", mode="shadow"), event({"contact.phone": "secret"}), NOW)
    problem = "there is no value for contact.none"
    assert step == Preview(step=0, do="upsert_contact", applies=True, problem=problem)
    (step,) = preview(one(f"[{send('${contact.phone | e164}')}]"), event({"contact.phone": "secret"}), NOW)
    assert step.problem
    assert "secret" not in step.problem


def test_a_preview_is_what_the_worker_sends() -> None:
    step = one(f"[{send('${contact.a | trim} and ${occurred_at}')}]").steps[0]
    seen = event({"contact.a": " x "})
    (shown,) = preview(one(f"[{send('${contact.a | trim} and ${occurred_at}')}]"), seen, NOW)
    assert shown.args == step.resolve(StepScope({"contact.a": " x ", "occurred_at": seen.occurred_at}, {}))
    with pytest.raises(Permanent):
        step.resolve(StepScope({}, {}))


def test_versions_of_a_rule_are_compared_by_what_they_call() -> None:
    seen = event({"contact.id": "7"})
    rule_7, rule_id, rule_8 = one(f"[{send('7')}]"), one(f"[{send('${contact.id}')}]"), one(f"[{send('8')}]")
    moved = one(f"[{send('7')}]", description="further down")
    assert same_steps(rule_7, moved)
    assert not same_steps(rule_7, rule_id)
    assert same_calls(rule_7, rule_id, seen, NOW)
    assert not same_calls(rule_7, rule_id, event({"contact.id": "9"}), NOW)
    assert not same_calls(rule_7, rule_8, seen, NOW)
    assert not same_calls(rule_7, one(f"[{send('7', '{ contact.id: 8 }')}]"), seen, NOW)


def test_conditions_on_what_is_found_later_are_compared_too() -> None:
    found, lost = (one(f"[{FIND}, {send('7', f'{{ drip.found: {what} }}')}]") for what in ("true", "false"))
    again = one(f"[{FIND}, {send('7', '{ drip.found: true }')}]", description="x")
    assert same_calls(found, again, event({"contact.id": "7"}), NOW)
    assert not same_calls(found, lost, event({"contact.id": "7"}), NOW)
