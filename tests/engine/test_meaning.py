"""Rules that can be read and make no sense are told; those that make sense are left in peace."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.actions import ACTIONS
from service.engine import load
from service.engine.condition import evaluate
from service.engine.properties import STANDARD, meant
from service.engine.scope import EventScope
from tests.engine.examples import NOW, event, load_text, rule


def codes(when: str = "", kind: str = "contact.enrolled", then: str = "") -> list[str]:
    return [problem.code for problem in load_text(rule(when, then, event=kind)).problems]


@pytest.mark.parametrize(
    "when",
    [
        "{ contact.a: 1, all: [{ contact.a: 2 }] }",
        "{ contact.a: [1, 2], all: [{ contact.a: [3, 4] }] }",
        "{ contact.a: { eq: 5, gt: 5 } }",
        "{ contact.a: { gt: 5, lte: 5 } }",
        "{ contact.a: { between: [1, 2], gte: 3 } }",
        "{ contact.a: { gt: 2026-02-01, lt: 2026-01-01 } }",
        "{ contact.a: { gt: 5 }, not: { contact.a: { gt: 3 } } }",
        "{ contact.a: { starts_with: a, eq: b } }",
        "{ contact.a: { ends_with: xy, contains: x }, all: [{ contact.a: { ends_with: z } }] }",
        "{ contact.a: { exists: false, eq: 1 } }",
        "{ contact.a: { exists: true }, not: { contact.a: { exists: true } } }",
        "{ contact.a: { older_than: 2d, newer_than: 2d } }",
        "{ any: [{ contact.a: { gt: 5, lt: 3 } }, { contact.b: 1 }] }",
        "{ origin: [user, app], not: { origin: [user, app] } }",
        "{ not: { origin: [user, app, import, workflow, system] } }",
        "{ type: contact.updated }",
        "{ contact.a: { changed_to: 1 } }",
        "{ contact.a: { changed: true } }",
        "{ contact.a: 1, not: { all: [{ contact.a: 1 }, { contact.a: { gt: 0 } }] } }",
    ],
)
def test_what_can_never_hold_is_told(when: str) -> None:
    assert codes(when) == ["R315"]


@pytest.mark.parametrize(
    "when",
    [
        "{ contact.a: { gt: 3, lt: 5 } }",
        "{ contact.a: { gte: 5, lte: 5 } }",
        "{ contact.a: { between: [1, 5], gt: 4 } }",
        "{ contact.a: { gt: 5, lt: 2026-01-01 } }",
        '{ contact.a: { eq: "05", gt: 4 } }',
        "{ contact.a: [1, 2], all: [{ contact.a: [2, 3] }] }",
        "{ contact.a: { starts_with: a, contains: b, ends_with: c } }",
        "{ contact.a: { starts_with: a }, all: [{ contact.a: { starts_with: ab } }] }",
        "{ contact.a: { exists: false, ne: x } }",
        '{ contact.a: { exists: false, eq: "" } }',
        "{ contact.a: { older_than: 2d, newer_than: 3d } }",
        "{ any: [{ contact.a: 1 }, { contact.a: 2 }] }",
        "{ contact.a: 1, not: { contact.a: 1, contact.b: { exists: true } } }",
        "{ contact.a: { changed: false } }",
        "{ source: [hubspot, pipedrive], not: { source: pipedrive } }",
        "{ type: [contact.enrolled, contact.updated] }",
        "{ contact.a: { not_in: [1, 2], ne: 3, matches: '^[0-9]$' } }",
    ],
)
def test_what_may_hold_is_left_in_peace(when: str) -> None:
    assert codes(when) == []


@pytest.mark.parametrize(
    ("kind", "when", "found"),
    [
        ("contact.updated", "{ contact.a: { changed_from: 1 } }", ["R315"]),
        ("deal.updated", "{ deal.a: { changed_from: 1 } }", []),
        ("deal.updated", "{ source: hubspot, deal.a: { changed_from: 1 } }", ["R315"]),
        ("person.merged", "{ person.name: { changed: true } }", []),
        ("[deal.created, deal.updated]", "{ deal.a: { changed: true } }", []),
        ("deal.updated", "{ origin: { changed_to: user } }", ["R315"]),
        ("deal.updated", "{ deal.id: { changed: true } }", ["R315"]),
    ],
)
def test_only_events_of_a_change_tell_of_it(kind: str, when: str, found: list[str]) -> None:
    assert codes(when, kind) == found


def test_a_step_asks_nothing_that_the_rule_rules_out() -> None:
    step = "[{{ do: upsert_contact, if: {}, with: {{ mobile: '1' }} }}]"
    assert codes("{ contact.a: 1 }", then=step.format("{ contact.a: 2 }")) == ["R315"]
    assert codes("{ contact.a: [1, 2] }", then=step.format("{ contact.a: 2 }")) == []


VALUES = st.sampled_from(["1", "2", "5", "abc", "ab", "2026-01-01", '""', "null", "true"])
NUMBERS = st.sampled_from(["1", "2", "5", "2026-01-01"])
QUESTIONS = st.one_of(
    st.tuples(st.sampled_from(["eq", "ne"]), VALUES),
    st.tuples(
        st.sampled_from(["in", "not_in", "changed_to"]), st.lists(VALUES, min_size=1, max_size=3).map(", ".join)
    ).map(lambda drawn: (drawn[0], f"[{drawn[1]}]")),
    st.tuples(st.sampled_from(["gt", "gte", "lt", "lte"]), NUMBERS),
    st.tuples(st.sampled_from(["exists", "changed"]), st.sampled_from(["true", "false"])),
    st.tuples(st.sampled_from(["starts_with", "ends_with", "contains"]), st.sampled_from(["a", "ab", "c", "1"])),
    st.tuples(st.sampled_from(["older_than", "newer_than"]), st.sampled_from(["1d", "2000d"])),
).map(lambda drawn: f"{{ contact.a: {{ {drawn[0]}: {drawn[1]} }} }}")
SOME = st.lists(QUESTIONS, min_size=1, max_size=3).map(", ".join)
CONDITIONS = st.lists(
    QUESTIONS | SOME.map("{{ not: [{}] }}".format) | SOME.map("{{ not: {{ all: [{}] }} }}".format),
    min_size=1,
    max_size=4,
).map(lambda parts: f"{{ all: [{', '.join(parts)}] }}")
"""Without a choice that one branch is enough for: of a dead branch lint tells, though the rule may fire."""


@given(
    CONDITIONS, st.sampled_from(["1", 1, 2, 5.0, "abc", "2026-01-01", "", None, True, ["ab", 1], ...]), st.booleans()
)
def test_a_condition_that_holds_for_some_value_is_never_called_impossible(when: str, value: Any, changed: bool) -> None:
    loaded = load_text(rule(when))
    values = {} if value is ... else {"contact.a": value}
    seen = event(values, changed=tuple(values) if changed else ())
    if loaded.rule_set.rules and evaluate(loaded.rule_set.rules[0].when, EventScope(seen), NOW) is True:
        assert "R315" not in [problem.code for problem in loaded.problems]


@pytest.mark.parametrize(
    ("kind", "when", "found"),
    [
        ("contact.enrolled", "{ not: { contact.a: 1 } }", ["R316"]),
        ("contact.enrolled", "{ not: [{ contact.a: 1 }, { contact.b: 1 }] }", ["R316", "R316"]),
        ("contact.enrolled", "{ any: [{ not: { contact.a: 1 } }, { contact.b: 1 }] }", ["R316"]),
        ("contact.enrolled", "{ not: { contact.a: { exists: true, eq: 1 } } }", []),
        ("contact.enrolled", "{ contact.a: { exists: true }, not: { contact.a: 1 } }", []),
        ("contact.enrolled", "{ contact.a: { gt: 1 }, not: { contact.a: 5 } }", []),
        ("contact.enrolled", "{ not: { origin: import, contact.id: 5 } }", []),
        ("contact.enrolled", "{ not: { actor: 'user:5' } }", ["R316"]),
        ("deal.updated", "{ source: pipedrive, not: { deal.title: x } }", []),
        ("deal.updated", "{ source: pipedrive, not: { deal.custom_fields.abc: x } }", ["R316"]),
        ("deal.enrolled", "{ not: { deal.title: x } }", ["R316"]),
    ],
)
def test_a_not_needs_an_answer(kind: str, when: str, found: list[str]) -> None:
    assert codes(when, kind) == found


@pytest.mark.parametrize(
    ("kind", "when", "found"),
    [
        ("contact.enrolled", "{ contact.lifecyclestag: x }", ["R314"]),
        ("contact.enrolled", "{ contact.lifecyclestages: x }", ["R314"]),
        ("contact.enrolled", "{ contact.lifecylcestage: x }", ["R314"]),
        ("contact.enrolled", "{ contact.lifecycleStage: x }", ["R314"]),
        ("contact.enrolled", "{ contact.first_name: x }", ["R314"]),
        ("contact.enrolled", "{ contact.phone2: x }", []),
        ("contact.enrolled", "{ contact.favourite_colour: x }", []),
        ("contact.enrolled", "{ contact.cite: x }", []),
        ("contact.enrolled", "{ contact.counter: x }", []),
        ("contact.enrolled", "{ contact.stage: x }", []),
        ("contact.enrolled", "{ contact.emial: x }", ["R314"]),
        ("contact.enrolled", "{ contact.phne: x }", ["R314"]),
        ("contact.enrolled", "{ contact.phoone: x }", ["R314"]),
        ("contact.enrolled", "{ contact.ctiy: x }", ["R314"]),
        ("person.updated", "{ person.phne: x }", ["R314"]),
        ("deal.updated", "{ deal.statu: x }", ["R314"]),
        ("deal.updated", "{ deal.statuss: x }", ["R314"]),
        ("contact.enrolled", "{ contact.county: x }", []),
        ("contact.enrolled", "{ contact.mail: x }", []),
        ("contact.enrolled", "{ contact.states: x }", []),
        ("ticket.enrolled", "{ ticket.context: x }", []),
        ("person.updated", "{ person.note: x }", []),
        ("contact.enrolled", "{ contact.lifecyclestoge: x }", ["R314"]),
        ("deal.enrolled", "{ source: hubspot, deal.dealstag: x }", ["R314"]),
        ("deal.updated", "{ source: pipedrive, deal.stage_ids: x }", ["R314"]),
        ("deal.updated", "{ source: pipedrive, deal.custom_fields.stageid: x }", []),
        ("2-123.updated", "{ 2-123.lifecyclestag: x }", []),
    ],
)
def test_a_slip_in_a_standard_property_is_told(kind: str, when: str, found: list[str]) -> None:
    assert codes(when, kind) == found


def test_no_standard_property_is_taken_for_a_slip_of_another() -> None:
    for source, objects in STANDARD.items():
        for word, names in objects.items():
            assert [name for name in names if meant(source, word, name) is not None] == []


@pytest.mark.parametrize(
    ("number", "found"),
    [
        ('"${contact.phone}"', ["R405"]),
        ('"${contact.phone | trim}"', ["R405"]),
        ('"${contact.phone | default(x) | e164}"', []),
        ('"+1${contact.phone}"', []),
        ("+15551234567", []),
        ("555-123-4567", ["R507"]),
        ("+0123456789", ["R507"]),
    ],
)
def test_a_phone_number_is_one_that_sakari_knows(number: str, found: list[str]) -> None:
    text = rule(
        event="contact.enrolled",
        then=f"[{{ do: upsert_contact, with: {{ contact: {{ mobile: {{ number: {number} }} }} }} }}]",
    )
    assert [problem.code for problem in load({"r.yaml": text.encode()}, ACTIONS).problems] == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("== NO", ["R317"]),
        ("'!= NO'", ["R317"]),
        ("not NO", ["R317"]),
        ("'> 5'", ["R317"]),
        ("'>=5'", ["R317"]),
        ("{ eq: not amused }", []),
        ("Norway", []),
        ("nothing", []),
        ("'=> 5'", ["R317"]),
        ("'=>'", []),
        ("'>'", []),
        ("'-5'", []),
    ],
)
def test_a_comparison_that_is_only_text_is_told(value: str, found: list[str]) -> None:
    assert codes(f"{{ contact.country: {value} }}", "contact.enrolled") == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{{contact.city}}", ["R406"]),
        ("Hi {{ contact.city | upper }}!", ["R406"]),
        ("$contact.city", ["R406"]),
        ("${contact.city}", []),
        ("$${contact.city}", []),
        ("it costs $5.50, or {{price}}", []),
        ("$price.net", []),
    ],
)
def test_a_template_of_another_language_is_told(text: str, found: list[str]) -> None:
    step = f'[{{ do: fetch_executions, with: {{ campaign: "{text}" }} }}]'
    loaded = load({"r.yaml": rule(event="contact.enrolled", then=step).encode()}, ACTIONS)
    assert [problem.code for problem in loaded.problems] == found
