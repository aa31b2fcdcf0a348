"""Rules that can never fire, or never be carried out, are told; those that can are left in peace."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.condition import evaluate
from service.engine.scope import EventScope
from tests.engine.examples import NOW, event, load_text, rule


def codes(when: str = "", then: str = "", kind: str = "contact.updated") -> list[str]:
    return [problem.code for problem in load_text(rule(when, then, event=kind)).problems]


@pytest.mark.parametrize(
    ("kind", "when", "found"),
    [
        ("contact.updated", "{ source: pipedrive }", ["R311"]),
        ("contact.updated", "{ any: [{ source: pipedrive }, { source: hubspot }] }", []),
        ("contact.updated", "{ source: [hubspot, pipedrive] }", []),
        ("[contact.updated, person.updated]", "{ source: pipedrive }", ["R311"]),
        ("person.updated", "{ not: { source: [pipedrive] } }", ["R311"]),
        ("person.updated", "{ source: { ne: hubspot }, origin: user }", []),
        ("person.updated", "{ all: [{ source: hubspot }, { person.name: x }] }", ["R311"]),
        ("deal.updated", "{ source: hubspot }", []),
        ("2-77.updated", "{ source: pipedrive }", ["R311"]),
        ("gizmo.updated", "{ source: pipedrive }", ["R311"]),
        ("contacts.updated", "", ["R311"]),
        ("contakt.updated", "{ source: hubspot }", ["R311"]),
        ("organisation.created", "{ source: pipedrive }", ["R311"]),
        ("contacts.enrolled", "{ source: [hubspot, pipedrive] }", ["R311"]),
        ("2-77.updated", "{ source: hubspot }", []),
        ("0-136.updated", "", []),
        ("contact.updated", "{ source: { exists: true } }", []),
        ("contact.updated", "{ source: hubspot, not: { source: hubspot } }", ["R315"]),
        ("person.restored", "", ["R311"]),
        ("person.enrolled", "{ source: pipedrive }", ["R311"]),
        ("deal.erased", "{ source: hubspot }", ["R311"]),
        ("contact.erased", "{ source: hubspot }", []),
        ("contact.conjured", "{ source: hubspot }", ["R208"]),
        ("contact.updated", "{ pipedrive.is_bulk_edit: true }", ["R312"]),
        ("deal.updated", "{ source: pipedrive, hubspot.changeFlag: NEW }", ["R312"]),
        ("deal.updated", "{ any: [{ pipedrive.is_bulk_edit: true }, { hubspot.changeFlag: NEW }] }", []),
        ("deal.updated", "{ pipedrive.is_bulk_edit: true, hubspot.changeFlag: NEW }", ["R312"]),
        ("[contact.updated, person.updated]", "{ all: [{ pipedrive.a: 1 }, { hubspot.b: 1 }] }", ["R312"]),
        ("product.created", "{ pipedrive.a: 1, hubspot.b: 1, product.c: 1 }", ["R312"]),
    ],
)
def test_a_source_has_its_own_objects(kind: str, when: str, found: list[str]) -> None:
    assert codes(when, kind=kind) == found


@pytest.mark.parametrize(
    ("kind", "when", "found"),
    [
        ("contact.updated", "{ contact.a: 1 }", []),
        ("contact.updated", "{ contact.a: { gt: 1, lt: 5 }, contact.id: 7, hubspot.x: 1, origin: user }", []),
        ("contact.updated", "{ contact.a: 1, contact.b: 2 }", ["R312"]),
        ("contact.updated", "{ contact.a: 1, contact.b: { exists: false } }", []),
        ("contact.updated", "{ contact.a: 1, contact.b: { exists: true } }", ["R312"]),
        ("contact.updated", "{ contact.a: 1, not: { contact.b: { exists: true } } }", []),
        ("contact.updated", "{ contact.a: 1, not: { contact.b: 2 } }", ["R312"]),
        ("contact.updated", "{ contact.a: 1, not: [{ contact.a: 2 }, { contact.b: 2 }] }", ["R312"]),
        ("contact.updated", "{ not: { contact.a: 1, contact.b: 2 } }", ["R316", "R316"]),
        ("contact.updated", "{ any: [{ contact.a: 1 }, { contact.b: 2 }] }", []),
        ("contact.updated", "{ any: [{ contact.a: 1, contact.b: 2 }, { contact.c: 3 }] }", []),
        ("contact.updated", "{ contact.a: { exists: false }, contact.b: { exists: false } }", []),
        ("contact.updated", "{ contact.a: 1, deal.b: 2 }", ["R308"]),
        ("contact.created", "{ contact.a: 1 }", ["R312"]),
        ("contact.created", "{ contact.a: { exists: false } }", []),
        ("contact.merged", "{ contact.merged_ids: { contains: 1 }, contact.a: 1 }", []),
        ("[contact.created, contact.updated]", "{ contact.a: 1, contact.b: 2 }", ["R312"]),
        ("[contact.enrolled, contact.updated]", "{ contact.a: 1, contact.b: 2 }", []),
        ("deal.updated", "{ deal.a: 1, deal.b: 2 }", []),
        ("deal.updated", "{ source: hubspot, deal.a: 1, deal.b: 2 }", ["R312"]),
        ("deal.updated", "{ any: [{ source: pipedrive }, { deal.c: 1 }], deal.a: 1, deal.b: 2 }", []),
        ("2-77.updated", "{ source: hubspot, 2-77.a: 1, 2-77.b: 2 }", ["R312"]),
    ],
)
def test_a_change_of_hubspot_brings_one_property(kind: str, when: str, found: list[str]) -> None:
    assert codes(when, kind=kind) == found


STEP = "{{ do: upsert_contact, {} with: {{ mobile: '${{contact.b}}', country: '{}' }} }}"


@pytest.mark.parametrize(
    ("when", "step", "found"),
    [
        ("{ contact.a: 1 }", STEP.format("", "NO"), ["R313"]),
        ("{ contact.b: 1 }", STEP.format("", "NO"), []),
        ("", STEP.format("", "NO"), []),
        ("{ any: [{ contact.a: 1 }, { contact.b: 1 }] }", STEP.format("", "NO"), []),
        ("", STEP.format("", "${contact.c}"), ["R313"]),
        ("", STEP.format("", "${contact.c | default(NO)}"), []),
        ("", STEP.format("", "${contact.id}${origin}${hubspot.x}"), []),
        ("", STEP.format("", "${pipedrive.x}"), ["R313"]),
        ("{ contact.a: 1 }", STEP.format("if: { contact.a: 1 },", "NO"), []),
    ],
)
def test_a_step_needs_what_comes(when: str, step: str, found: list[str]) -> None:
    assert codes(when, f"[{step}]") == found


def test_a_rule_that_cannot_be_read_is_not_judged() -> None:
    assert codes("{ contact.a: { eqq: 1 }, any: [{ contact.b: { eqq: 1 } }] }") == ["R302", "R302"]
    assert codes("{ source: hubspt }") == ["R310"]


def test_other_mistakes_of_a_rule_hide_nothing() -> None:
    assert codes("{ source: pipedrive, origin: usr }", "[{ do: upsert_contact }]") == ["R311", "R310", "R502"]
    assert codes("{ contact.a: 1 }", "[{ do: upsert_contact, with: { mobile: '${contact.b}', x: '${' } }]") == [
        "R313",
        "R503",
        "R401",
    ]


LEAVES = st.sampled_from(
    ["{ contact.a: 1 }", "{ contact.b: 1 }", "{ contact.b: { exists: false } }", "{ contact.c: { changed_to: 1 } }",
     "{ contact.c: { ne: 1 } }", "{ source: hubspot }", "{ source: { ne: hubspot } }", "{ origin: user }"]
)  # fmt: skip


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    lists = st.tuples(st.sampled_from(["all", "any", "not"]), st.lists(inner, min_size=1, max_size=3))
    return lists.map(lambda drawn: f"{{ {drawn[0]}: [{', '.join(drawn[1])}] }}")


OF_BOTH = st.sampled_from(
    ["{ deal.a: 1 }", "{ deal.b: { exists: false } }", "{ deal.id: 7 }", "{ pipedrive.a: 1 }", "{ hubspot.b: { ne: 1 } }",
     "{ source: hubspot }", "{ source: { ne: hubspot } }", "{ type: deal.updated }", "{ contact.a: 1 }"]
)  # fmt: skip


@given(
    st.recursive(OF_BOTH, combined, max_leaves=6),
    st.sampled_from(
        ["deal.updated", "[deal.created, deal.deleted]", "[contact.updated, person.updated]", "deal.merged"]
    ),
)
def test_whatever_a_rule_asks_for_it_can_be_checked(when: str, kind: str) -> None:
    assert "R113" not in codes(when, kind=kind)


@given(
    st.recursive(LEAVES, combined, max_leaves=6),
    st.dictionaries(st.sampled_from(["contact.a", "contact.b", "contact.c"]), st.sampled_from(["1", "2"]), max_size=1),
)
def test_a_rule_that_an_event_can_fire_is_never_called_dead(when: str, values: dict[str, Any]) -> None:
    loaded = load_text(rule(when))
    seen = event({**values, "contact.id": "7"}, changed=tuple(values))
    if evaluate(loaded.rule_set.rules[0].when, EventScope(seen), NOW) is True:
        assert {problem.code for problem in loaded.problems} <= {"R315", "R316"}  # a branch of `any` may be dead
