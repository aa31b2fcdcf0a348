"""What lint says about steps with the real actions: everything that a run would refuse for certain, where it stands."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.actions import ACTIONS
from service.actions import contact as contacts
from service.engine import load


def lint(step: str) -> list[tuple[str, str]]:
    """Each problem of one step (in flow style) as its code with the text below its caret, and its message."""
    text = f"version: 1\nrules:\n  - id: one\n    event: contact.updated\n    then:\n      - {step}\n"
    problems = load({"r.yaml": text.encode()}, ACTIONS).problems
    return [
        (f"{problem.code} {problem.source_line[problem.column - 1 :].split(':')[0].split(',')[0]}", problem.message)
        for problem in problems
    ]


NO_MOBILE = "the contact has no `mobile.number`, which is what Sakari knows contacts by"
NO_IDENTITY = "the contact names no record: give one of hubspot, pipedrive, activecampaign, mobile, email with a value"


@pytest.mark.parametrize(
    ("with_", "at", "message"),
    [
        ("upsert_contact, with: { contact: { firstName: x } }", "contact", NO_MOBILE),
        ("upsert_contact, with: { contact: { mobile: { country: US } } }", "mobile", NO_MOBILE),
        ("upsert_contact, with: { contact: { mobile: { number: ' ' } } }", "number", NO_MOBILE),
        ("upsert_contact, with: { contact: { hubspot: { id: '${contact.id}' } } }", "contact", NO_MOBILE),
        ("update_attributes, with: { type: contacts, contact: { firstName: x } }", "contact", NO_IDENTITY),
        ("update_attributes, with: { type: deals, contact: { email: '' } }", "contact", NO_IDENTITY),
        ("update_attributes, with: { type: deals, contact: {} }", "contact", NO_IDENTITY),
        (
            "fetch_executions, with: { campaign: c, contact: { email: '', hubspot: null } }",
            "contact",
            "every identity of the contact to look for is empty",
        ),
        (
            "fetch_executions, with: { campaign: c, contact: { hubspot: null } }",
            "contact",
            "the action refuses `contact`: give at least one of execution, sakari, hubspot, pipedrive, mobile, email",
        ),
        (
            "fetch_executions, with: { campaign: '${contact.c}', contact: {} }",
            "contact",
            "the action refuses `contact`: give at least one of execution, sakari, hubspot, pipedrive, mobile, email",
        ),
    ],
)
def test_a_step_that_names_nobody_is_refused(with_: str, at: str, message: str) -> None:
    assert lint(f"{{ do: {with_} }}") == [(f"R506 {at}", message)]


@pytest.mark.parametrize(
    ("with_", "at"),
    [
        ("fetch_executions, with: { campaign: c, fresh: soon }", "fresh"),
        ("fetch_executions, with: { campaign: c, fresh: 25h }", "fresh"),
        ("fetch_executions, with: { campaign: c, region: Norway }", "region"),
        ("upsert_contact, with: { contact: { mobile: { number: '+4791234567' } }, region: XX }", "region"),
        ("update_attributes, with: { type: deals, contact: { email: a }, region: 47 }", "region"),
    ],
)
def test_a_span_or_a_country_that_is_none_is_refused(with_: str, at: str) -> None:
    assert [code for code, _ in lint(f"{{ do: {with_} }}")] in ([f"R506 {at}"], ["R504 47 } }"])


@pytest.mark.parametrize("fresh", ["0", "0s", "30s", "24h", "'${contact.fresh}'"])
def test_a_span_up_to_a_day_is_fine(fresh: str) -> None:
    assert lint(f"{{ do: fetch_executions, with: {{ campaign: c, fresh: {fresh}, region: NO }} }}") == []


@pytest.mark.parametrize(
    "with_",
    [
        "upsert_contact, with: { contact: '${contact.all}' }",
        "upsert_contact, with: '${contact.all}'",
        "upsert_contact, with: { contact: { mobile: '${contact.mobile}' } }",
        "upsert_contact, with: { contact: { mobile: { number: '${contact.phone | e164}' } } }",
        "upsert_contact, with: { contact: { mobile: { number: '+1${contact.phone}' }, lists: [{ name: a }] } }",
        "update_attributes, with: { type: contacts, contact: { hubspot: { id: '${contact.id}' } } }",
        "update_attributes, with: { type: contacts, contact: { email: '${contact.email}' } }",
        "fetch_executions, with: { campaign: c }",
        "fetch_executions, with: { campaign: c, contact: { email: '', hubspot: '${contact.id}' } }",
    ],
)
def test_what_only_a_run_will_know_is_let_through(with_: str) -> None:
    assert lint(f"{{ do: {with_} }}") == []


def test_every_mistake_of_a_step_is_told_in_words_of_the_language() -> None:
    step = "update_attributes, with: { type: deal, contact: { atributes: {}, optIn: true, hubspot: { id: 5.5 } } }"
    assert lint(f"{{ do: {step} }}") == [
        ("R505 deal", "`type` cannot be `deal`"),
        ("R503 atributes", "`contact` has no argument `atributes`"),
        ("R504 true", "`optIn` is true or false, not an instant"),
        ("R504 5.5 } } } }", "`id` is a number, not a whole number or text"),
    ]
    assert lint("{ do: fetch_executions, with: { campaign: 660412, verion: x } }") == [
        ("R504 660412", "`campaign` is a number, not text"),
        ("R503 verion", "`with` has no argument `verion`"),
    ]


WORDS = st.sampled_from(["", " ", "+1", "abc", "x@y.example", "٣"])
CONTACTS = st.fixed_dictionaries(
    {},
    optional={
        "email": WORDS,
        "firstName": WORDS,
        "mobile": st.fixed_dictionaries({}, optional={"number": WORDS, "country": WORDS}),
        "hubspot": st.fixed_dictionaries({"id": WORDS | st.integers(0, 3)}),
        "pipedrive": st.fixed_dictionaries({"id": WORDS | st.integers(0, 3)}),
    },
)


@given(CONTACTS, st.sampled_from([contacts.IDENTITIES, ("mobile",)]))
def test_lint_and_run_agree_on_who_is_named(given: dict[str, Any], identities: tuple[str, ...]) -> None:
    converted = msgspec.convert(given, contacts.SakariContact)
    assert contacts.names_nobody(given, identities) == (contacts.named_by(converted, identities) is None)
