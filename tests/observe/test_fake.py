"""People in a recorded event are made up; what is no person's stays."""

from typing import Any

import pytest

from service.observe.fake import fake


@pytest.mark.parametrize(
    ("path", "value", "made_up"),
    [
        ("contact.email", "grace@navy.mil", "ada@example.com"),
        ("deal.anything", "grace@navy.mil", "ada@example.com"),
        ("person.phone", "+1 212 555 7788", "+15550100123"),
        ("deal.callback", "+1 212 555 7788", "+15550100123"),
        ("person.mobile", 12125557788, 15550100123),
        ("contact.firstname", "Grace", "Ada"),
        ("person.last_name", "Hopper", "Example"),
        ("contact.address", "Lane 5", "1 Example Street"),
        ("deal.owner_name", "Hopper", "Ada Example"),
        ("deal.note", "she called twice", "Example text"),
        ("deal.link", "https://example.org/hopper", "Example text"),
        ("deal.title", "w" * 41, "Example text"),
        ("person.phone", ["+12125557788", {"value": "+12125557788"}], ["+15550100123", {"value": "+15550100123"}]),
    ],
)
def test_people_are_made_up(path: str, value: Any, made_up: Any) -> None:
    assert fake(value, path, words=True) == made_up


@pytest.mark.parametrize(
    "value", ["won", "2026-01-31", "2026-01-31T12:30:00Z", "4", "-2.5", 5, True, None, "", 12125557788]
)
def test_what_is_no_persons_stays(value: Any) -> None:
    assert fake(value, "deal.status", words=True) == value


def test_words_go_where_no_condition_asks_for_them() -> None:
    assert fake("Arlington", "contact.city", words=False) == "Example text"
    assert fake(5, "contact.score", words=False) == 5
