"""What a case makes of its short form."""

from service.engine.case_event import OCCURRED_AT
from tests.engine.suites import cases_of, one_rule, rules_of

RULES = one_rule("{ deal.status: { changed_to: won } }")
CONTACTS = rules_of(
    """\
version: 1
rules:
  - id: r
    event: [contact.updated, contact.enrolled]
    then: [{ do: upsert_contact, with: { contact: { mobile: { number: "+15550100000" } } } }]
"""
)


def test_what_a_case_leaves_out_is_filled_in() -> None:
    (case,) = cases_of(CONTACTS, "event: contact.updated, contact.stage: lead, expect: r")
    event = case.event
    assert (event.source, event.account, event.object_id, event.origin) == ("hubspot", "1", "1", "user")
    assert event.values == {"contact.id": "1", "contact.stage": "lead"}
    assert event.changed == ("contact.stage",)
    assert case.now_ms == event.occurred_at == OCCURRED_AT


def test_now_is_when_the_event_happened_unless_the_case_says_otherwise() -> None:
    at = "occurred_at: 2026-03-09"
    (same,) = cases_of(RULES, f"event: deal.created, source: pipedrive, {at}, expect: nothing")
    (later,) = cases_of(RULES, f"event: deal.created, source: pipedrive, {at}, now: 2026-03-10, expect: nothing")
    assert same.now_ms == same.event.occurred_at
    assert later.now_ms == same.now_ms + 86_400_000


def test_what_an_update_gives_counts_as_changed_but_for_the_id_and_the_delivery() -> None:
    (case,) = cases_of(
        RULES,
        "event: deal.updated, source: pipedrive, id: 5, deal.status: won, pipedrive.is_bulk_edit: false, expect: r",
    )
    assert case.event.changed == ("deal.status",)
    assert case.event.values["deal.id"] == "5"


def test_what_was_before_or_changed_says_what_changed() -> None:
    values = "event: deal.updated, source: pipedrive, deal.status: won, deal.title: x"
    before, named, none = cases_of(
        RULES,
        f"{values}, before: {{ deal.status: open }}, expect: r",
        f"{values}, changed: deal.title, expect: nothing",
        f"{values}, changed: [], expect: nothing",
    )
    assert before.event.changed == ("deal.status",)
    assert before.event.before == {"deal.status": "open"}
    assert named.event.changed == ("deal.title",)
    assert none.event.changed == ()


def test_nothing_counts_as_changed_in_other_events() -> None:
    (case,) = cases_of(RULES, "event: deal.created, source: pipedrive, deal.status: won, expect: nothing")
    assert case.event.changed == ()


def test_hubspot_sends_the_changed_property_as_text() -> None:
    updated, enrolled = cases_of(
        CONTACTS,
        "event: contact.updated, contact.score: 5, expect: r",
        "event: contact.enrolled, contact.score: 5, expect: r",
    )
    assert updated.event.values["contact.score"] == "5"
    assert enrolled.event.values["contact.score"] == 5


def test_a_case_watches_over_the_rules_beside_it_or_over_all() -> None:
    beside, apart = (
        cases_of(RULES, "event: deal.created, source: pipedrive, expect: nothing", file=file)[0]
        for file in ("r.test.yml", "all.test.yaml")
    )
    assert beside.watched == apart.watched == {"r"}
    other = rules_of(
        "version: 1\nrules:\n  - { id: off, mode: off, event: deal.created, then: [{ do: update_attributes, "
        "with: { type: contacts, contact: { email: x } } }] }\n"
    )
    assert cases_of(other, "event: deal.created, source: pipedrive, expect: nothing")[0].watched == set()
