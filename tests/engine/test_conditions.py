"""Conditions: every operator on every kind of value, and the laws of the three-valued logic."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.condition import conjunction, disjunction, evaluate, negate
from service.engine.operators import OPERATORS
from service.engine.scope import EventScope, StepScope
from service.engine.values import MISSING, canonical, duration_ms, instant, iso_instant, number
from tests.engine.examples import NOW, event, rule, rules_of

DAY = 86_400_000


def ask(when: str, values: dict[str, Any], **more: Any) -> bool | None:
    condition = rules_of(rule(when)).rules[0].when
    return evaluate(condition, EventScope(event(values, **more)), NOW)


@pytest.mark.parametrize(
    ("operand", "value", "answer"),
    [
        ("customer", "customer", True),
        ("customer", "Customer", False),
        ("5", "5", True),
        ('"5"', 5, True),
        ("5", 5.0, True),
        ("5.0", 5, True),
        ("0123", "0123", True),
        ("0123", 123, False),
        ("true", True, True),
        ("true", "true", True),
        ("true", 1, False),
        ("1.5", "1.5", True),
        ("[lead, customer]", "customer", True),
        ("[lead, 5]", 5, True),
        ("[lead]", None, False),
        ("{ eq: null }", None, True),
        ("{ eq: null }", "", False),
        ("{ eq: x }", None, False),
        ("{ eq: x }", ["x"], False),
        ("{ eq: x }", {"x": 1}, False),
        ("{ ne: x }", "y", True),
        ("{ ne: x }", None, True),
        ("{ ne: x }", ["x"], True),
        ("{ in: [null, x] }", None, True),
        ("{ not_in: [a, b] }", "c", True),
        ("{ not_in: [a, b] }", "a", False),
        ("{ exists: true }", 0, True),
        ("{ exists: true }", False, True),
        ("{ exists: true }", "", False),
        ("{ exists: true }", None, False),
        ("{ exists: false }", "", True),
        ("{ exists: false }", None, True),
        ("{ exists: false }", [], False),
        ("{ contains: ust }", "customer", True),
        ("{ contains: 5 }", 1550, True),
        ("{ contains: b }", ["a", "b"], True),
        ("{ contains: 5 }", ["a", 5.0], True),
        ("{ contains: ab }", ["abc"], False),
        ("{ contains: a }", {"a": 1}, None),
        ("{ contains: a }", None, None),
        ("{ starts_with: +1 }", "+1555", True),
        ("{ starts_with: a }", ["a"], None),
        ("{ ends_with: .org }", "a@example.org", True),
        ("{ ends_with: .org }", None, None),
        ("{ matches: '^[A-Z]{2}$' }", "NO", True),
        ("{ matches: '^[A-Z]{2}$' }", "no", False),
        ("{ matches: 'x$' }", "a" * 2_000 + "x", False),
        ("{ matches: a }", None, None),
        ("{ gt: 5 }", 6, True),
        ("{ gt: 5 }", "5.5", True),
        ("{ gt: 5 }", "5", False),
        ("{ gt: 5 }", "many", None),
        ("{ gt: 5 }", True, None),
        ("{ gt: 5 }", "inf", None),
        ("{ gt: 5 }", "1e999", None),
        ("{ gt: 5 }", float("nan"), None),
        pytest.param("{ gt: 5 }", 10**5_000, True, id="an integer longer than str() allows"),
        ("{ gt: 5 }", "9" * 5_000, None),
        ("{ gt: 5 }", "\u0667", None),
        ("{ gt: 5 }", "", None),
        ("{ gt: 5 }", None, None),
        ("{ gte: 5 }", " 5 ", True),
        ("{ lt: 5 }", -1, True),
        ("{ lte: 5 }", 5.0, True),
        ("{ lte: 5 }", None, None),
        ("{ gte: 5, lt: 10 }", 10, False),
        ("{ gte: 5, lt: 10 }", 7, True),
        ("{ between: [5, 10] }", "10", True),
        ("{ between: [5, 10] }", 11, False),
        ("{ between: [5, 10] }", "x", None),
        ("{ gt: 2026-01-31 }", "2026-02-01", True),
        ("{ gt: 2026-01-31 }", "2026-01-31 00:00:01", True),
        ("{ gt: 2026-01-31 }", "2026-01-31T00:30:00+01:00", False),
        ("{ gt: 2026-01-31 }", 1769817600001, True),
        ("{ gt: 2026-01-31 }", "1769817600000", False),
        ("{ gt: 2026-01-31 }", "176981760000", None),
        ("{ gt: 2026-01-31 }", "soon", None),
        ("{ gt: 2026-01-31 }", "2026-02-30", None),
        ("{ lte: 2026-01-31T12:00Z }", "2026-01-31T12:00:00.000Z", True),
        ("{ between: [2026-01-01, 2026-12-31] }", "2026-06-01", True),
        ("{ older_than: 24h }", NOW - DAY - 1, True),
        ("{ older_than: 24h }", NOW - DAY, False),
        ("{ older_than: 24h }", "2020-01-01", True),
        ("{ older_than: 24h }", "once", None),
        ("{ newer_than: 7d }", NOW, True),
        ("{ newer_than: 7d }", NOW - 8 * DAY, False),
        ("{ newer_than: 7d }", True, None),
    ],
)
def test_operator(operand: str, value: Any, answer: bool | None) -> None:
    assert ask(f"{{ contact.x: {operand} }}", {"contact.x": value}) is answer


@pytest.mark.parametrize("name", OPERATORS)
def test_a_missing_path_is_unknown_to_every_operator_but_exists(name: str) -> None:
    operands = {
        "in": "[a]", "not_in": "[a]", "exists": "true", "gt": "1", "gte": "1", "lt": "1", "lte": "1",
        "between": "[1, 2]", "changed": "true", "older_than": "1d", "newer_than": "1d",
    }  # fmt: skip
    answer = ask(f"{{ contact.x: {{ {name}: {operands.get(name, 'a')} }} }}", {})
    assert answer is (False if name == "exists" else None)


def test_every_operator_is_documented() -> None:
    assert all(operator.test.__doc__ for operator in OPERATORS.values())


@pytest.mark.parametrize(
    ("when", "answer"),
    [
        ("{ contact.stage: { changed: true } }", True),
        ("{ contact.stage: { changed: false } }", False),
        ("{ contact.same: { changed: true } }", False),
        ("{ contact.same: { changed: false } }", True),
        ("{ contact.other: { changed: true } }", None),
        ("{ contact.stage: { changed_to: won } }", True),
        ("{ contact.stage: { changed_to: [lost, won] } }", True),
        ("{ contact.stage: { changed_to: lost } }", False),
        ("{ contact.same: { changed_to: x } }", False),
        ("{ contact.gone: { changed_to: x } }", None),
        ("{ contact.other: { changed_to: x } }", None),
        ("{ contact.stage: { changed_from: open } }", True),
        ("{ contact.stage: { changed_from: [a, b] } }", False),
        ("{ contact.gone: { changed_from: open } }", None),
        ("{ contact.same: { changed_from: x } }", False),
        ("{ contact.other: { changed_from: x } }", None),
    ],
)
def test_changes_are_what_the_event_says(when: str, answer: bool | None) -> None:
    values = {"contact.stage": "won", "contact.same": "x"}
    changed = ("contact.stage", "contact.gone")
    assert ask(when, values, changed=changed, before={"contact.stage": "open"}) is answer


@pytest.mark.parametrize(
    ("when", "answer"),
    [
        ("{ contact.a: 1, contact.b: 2 }", True),
        ("{ contact.a: 1, contact.b: 3 }", False),
        ("{ contact.a: 1, contact.none: 3 }", None),
        ("{ contact.a: 2, contact.none: 3 }", False),
        ("{ any: [{ contact.a: 2 }, { contact.b: 2 }] }", True),
        ("{ any: [{ contact.a: 2 }, { contact.none: 2 }] }", None),
        ("{ any: [{ contact.a: 1 }, { contact.none: 2 }] }", True),
        ("{ all: [{ contact.a: 1 }, { contact.b: 2 }] }", True),
        ("{ not: { contact.a: 1, contact.b: 3 } }", True),
        ("{ not: { contact.none: 1 } }", None),
        ("{ not: [{ contact.a: 2 }, { contact.b: 3 }] }", True),
        ("{ not: [{ contact.a: 2 }, { contact.b: 2 }] }", False),
        ("{ not: { contact.none: { exists: true } } }", True),
    ],
)
def test_conditions_combine(when: str, answer: bool | None) -> None:
    assert ask(when, {"contact.a": 1, "contact.b": "2"}) is answer


@pytest.mark.parametrize(
    ("when", "answer"),
    [
        ("{ source: hubspot }", True),
        ("{ account: 62515 }", True),
        ("{ type: contact.updated }", True),
        ("{ origin: { not_in: [import, app] } }", True),
        ("{ occurred_at: { newer_than: 1m } }", True),
        ("{ attempt: 0 }", True),
        ("{ object_id: 123 }", True),
        ("{ actor: { exists: false } }", True),
        ("{ actor: 'user:5' }", None),
    ],
)
def test_the_facts_of_the_event_are_paths_and_empty_ones_are_missing(when: str, answer: bool | None) -> None:
    assert ask(when, {}) is answer


def test_a_step_sees_the_values_of_the_run_and_the_results_of_earlier_steps() -> None:
    scope = StepScope({"contact.id": "5"}, {"drip": {"found": True, "latest": {"status": "active"}}})
    assert scope.get("contact.id") == "5"
    assert scope.get("drip.latest.status") == "active"
    for path in ("drip.latest.none", "drip.found.deeper", "contact.none", "drip"):
        assert scope.get(path) is MISSING
    assert scope.before("contact.id") is MISSING
    assert scope.changed("contact.id") is None


THREE = st.sampled_from([True, False, None])


@given(THREE, THREE, THREE)
def test_three_valued_laws(a: bool | None, b: bool | None, c: bool | None) -> None:
    assert conjunction([a, b]) is conjunction([b, a])
    assert disjunction([a, b]) is disjunction([b, a])
    assert conjunction([a, conjunction([b, c])]) is conjunction([a, b, c])
    assert disjunction([a, disjunction([b, c])]) is disjunction([a, b, c])
    assert negate(conjunction([a, b])) is disjunction([negate(a), negate(b)])
    assert negate(disjunction([a, b])) is conjunction([negate(a), negate(b)])
    assert conjunction([a, disjunction([b, c])]) is disjunction([conjunction([a, b]), conjunction([a, c])])
    assert negate(negate(a)) is a
    assert conjunction([]) is True
    assert disjunction([]) is False


@given(st.integers() | st.floats() | st.text() | st.booleans() | st.none() | st.lists(st.integers()))
def test_reading_a_value_never_raises(value: Any) -> None:
    hash(canonical(value))
    assert number(value) is None or number(value) == number(value)
    moment = instant(value)
    assert moment is None or isinstance(moment, int)


@given(st.integers(-(10**17), 10**17))
def test_an_integer_equals_its_text_and_its_float(value: int) -> None:
    assert canonical(value) == canonical(str(value))
    if abs(value) < 2**53:
        assert canonical(value) == canonical(float(value))


@pytest.mark.parametrize(
    "text",
    ["9999-99-99", "0000-01-01", "2026-01-31T25:00", "2026-W05", "20260131", "2026-1-1", "0001-01-01T00:00+14:00"],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert iso_instant(text) is None


@pytest.mark.parametrize(("text", "span"), [("30s", 30_000), ("2w", 14 * DAY), ("1.5h", None), ("h", None), (5, None)])
def test_durations(text: Any, span: int | None) -> None:
    assert duration_ms(text) == span
