"""Templates: what is fetched, how it is formatted, and how a step fails when that cannot be done."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.filters import FILTERS
from service.engine.scope import StepScope
from service.engine.template import TemplateError, expressions, fill, parse_template
from service.errors import Permanent
from tests.engine.examples import NOW

VALUES: dict[str, Any] = {
    "contact.id": 5,
    "contact.name": " Åsa ",
    "contact.vip": True,
    "contact.score": 7.5,
    "contact.tags": ["a", "ö"],
    "contact.empty": "",
    "contact.null": None,
    "contact.phone": "+1 (555) 010-0000",
    "contact.national": "912 34 567",
    "hubspot.input fields.First Name": "Jo",
    "occurred_at": NOW,
}


def filled(text: str, values: dict[str, Any] | None = None) -> Any:
    return fill(parse_template(text), StepScope(VALUES if values is None else values, {"drip": {"found": True}}))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("", ""),
        ("$5 and $ and $$", "$5 and $ and $$"),
        ("$${contact.id}", "${contact.id}"),
        ("a $${b} ${contact.id}", "a ${b} 5"),
        ("$$${contact.id}", "$${contact.id}"),
        ("${contact.id}", 5),
        ("${ contact.id }", 5),
        ("${contact.vip}", True),
        ("${contact.tags}", ["a", "ö"]),
        ("${contact.null}", None),
        ("${drip.found}", True),
        ("${hubspot.input fields.First Name}", "Jo"),
        ("id ${contact.id}, ${contact.vip}, ${contact.score}!", "id 5, true, 7.5!"),
        ("${contact.tags} ${drip.found}", '["a","ö"] true'),
        ("${contact.name | trim}", "Åsa"),
        ("${contact.name|trim|lower}", "åsa"),
        ("${contact.name | trim | upper}.", "ÅSA."),
        ("${contact.id | lower}", "5"),
        ("${contact.none | default(x)}", "x"),
        ("${contact.none | default(5)}", 5),
        ("${contact.none | default('5')}", "5"),
        ('${contact.none | default( "}|" )}', "}|"),
        ("${contact.none | default(null)}", None),
        ("${contact.none | default()}", None),
        ("${contact.none | default(true)}", True),
        ("${contact.none | default(two words) }", "two words"),
        ("${contact.none | lower | default(X)}", "X"),
        ("${contact.none | default(X) | lower}", "x"),
        ("${contact.empty | default(x)}", "x"),
        ("${contact.null | default(x)}", "x"),
        ("${contact.id | default(x)}", 5),
        ("${contact.tags | json}", '["a","ö"]'),
        ("${contact.phone | e164}", "+15550100000"),
        ("${contact.national | e164}", "91234567"),
        ("${contact.national | e164(NO)}", "+4791234567"),
        ("${contact.national | e164('NO')}", "+4791234567"),
        ("${contact.phone | e164(NO)}", "+15550100000"),
        ("${occurred_at | date(%Y-%m-%d %H:%M:%S)}", "2026-09-21 14:13:20"),
        ("${occurred_at | date('%a %A %b %B %j %y %%')}", "Mon Monday Sep September 264 26 %"),
    ],
)  # fmt: skip
def test_template(text: str, value: Any) -> None:
    result = filled(text)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("number", "plain"),
    [
        ("+1 555 010 0000", "+15550100000"),
        ("0049 (0)30 / 1234-567", "+49301234567"),
        ("+44 (0)20 7946 0000", "+442079460000"),
        ("(555) 010.0000", "5550100000"),
        ("\u202a+1\u00a0555\u2011010\u20110000\u202c", "+15550100000"),
        (15550100000, "15550100000"),
    ],
)
def test_phone_numbers_lose_their_punctuation(number: Any, plain: str) -> None:
    assert filled("${contact.x | e164}", {"contact.x": number}) == plain


@pytest.mark.parametrize(
    ("text", "value", "reason"),
    [
        ("${contact.none}", 0, "missing_value"),
        ("${contact.none | lower}", 0, "missing_value"),
        ("hello ${contact.none}", 0, "missing_value"),
        ("hello ${contact.x}", None, "missing_value"),
        ("${drip.later}", 0, "missing_value"),
        ("${contact.x | e164}", "call me", "bad_phone"),
        ("${contact.x | e164}", "", "bad_phone"),
        ("${contact.x | e164(NO)}", "12", "bad_phone"),
        ("${contact.x | e164}", "+47 12", "bad_phone"),
        ("${contact.x | e164}", "+1 555 010 0000 ext 7", "bad_phone"),
        ("${contact.x | e164}", "1" * 16, "bad_phone"),
        ("${contact.x | e164}", ["+15550100000"], "bad_value"),
        ("${contact.x | lower}", {"a": 1}, "bad_value"),
        ("${contact.x | date(%Y)}", "next week", "bad_date"),
    ],
)
def test_a_template_that_cannot_be_filled_is_permanent(text: str, value: Any, reason: str) -> None:
    with pytest.raises(Permanent) as caught:
        filled(text, {"contact.x": value})
    assert caught.value.reason == reason
    assert "contact." in str(caught.value) or "drip." in str(caught.value)


@given(st.text(min_size=3, alphabet="0123456789+@.abcxyz ()"))
def test_the_message_of_a_bad_phone_number_never_holds_it(number: str) -> None:
    said = ""
    try:
        filled("${contact.x | e164}", {"contact.x": number})
    except Permanent as fault:
        said = str(fault)
    assert not re.search("[0-9@]", said.replace("contact.x", ""))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("${", "R401"),
        ("${}", "R401"),
        ("${contact}", "R401"),
        ("${contact.id", "R401"),
        ("${contact.id {}", "R401"),
        ("${contact.id | lower", "R401"),
        ("${contact.id | lower upper}", "R401"),
        ("${contact.id || lower}", "R401"),
        ("${contact.id | nothing}", "R402"),
        ("${contact.id | lower()}", "R403"),
        ("${contact.id | default}", "R403"),
        ("${contact.id | default(a(b))}", "R403"),
        ("${contact.id | date()}", "R403"),
        ("${contact.id | date(%)}", "R403"),
        ("${contact.id | e164(no)}", "R403"),
        ("${contact.id | e164(Norway)}", "R403"),
        ("${contact.id | e164()}", "R403"),
        ("${contact.id | e164(a(b))}", "R403"),
    ],
)
def test_a_template_that_cannot_be_read(text: str, code: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse_template(f"x {text}")
    assert caught.value.code == code
    assert caught.value.offset >= 2


@given(st.text(alphabet="${}|() a.b'\"%default", max_size=40) | st.text())
def test_reading_a_template_ends_in_a_template_or_a_template_error(text: str) -> None:
    offset = 0
    try:
        parsed = parse_template(text)
    except TemplateError as fault:
        parsed, offset = text, fault.offset
    assert 0 <= offset <= len(text)
    assert "${" in text or parsed == text
    assert list(expressions(parsed)) == list(expressions((parsed,)))


@given(st.text())
def test_any_text_can_be_written_as_a_literal(text: str) -> None:
    assert filled(text.replace("${", "$${")) == text.replace("$${", "${") or "$${" in text


def test_a_megabyte_of_blanks_in_a_template_is_no_work() -> None:
    with pytest.raises(TemplateError):
        parse_template("${a.b" + " " * 1_000_000 + "{")
    with pytest.raises(TemplateError):
        parse_template("${a.b | default(" + " " * 1_000_000 + "{")


def test_every_filter_is_documented() -> None:
    assert all(entry.apply.__doc__ for entry in FILTERS.values())


@given(st.one_of(st.integers(), st.floats(), st.text(), st.booleans(), st.lists(st.text()), st.none()))
def test_filters_give_a_value_or_raise_permanent(value: Any) -> None:
    reasons = set()
    for text in ("e164", "e164(NO)", "lower", "upper", "trim", "default(x)", "date(%Y-%m-%dT%H)", "json"):
        try:
            filled(f"${{contact.x | {text}}}", {"contact.x": value})
        except Permanent as fault:
            reasons.add(fault.reason)
    assert reasons <= {"bad_phone", "bad_value", "bad_date"}
