"""Hiding the people in an event wherever their data went."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.insight.masking import hide
from service.observe.mask import HIDDEN
from tests.cli.conftest import an_event

EVENT = msgspec.structs.replace(
    an_event(),
    values={"contact.firstname": "Ada", "contact.lastname": "Lovelace", "contact.id": "7", "deal.number_of_seats": 12},
    before={"contact.lastname": "Byron"},
)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Lovelace", HIDDEN),
        ("Dear LOVELACE!", HIDDEN),
        ({"greeting": ["ada", 1, None, True]}, {"greeting": [HIDDEN, 1, None, True]}),
        ("adamant", "adamant"),
        ("was Byron", HIDDEN),
        (12, HIDDEN),
        ("1234", "1234"),
        ({"email": "x"}, {"email": HIDDEN}),
        ("7", "7"),
        ("customer", "customer"),
    ],
)
def test_a_personal_value_is_hidden_under_any_name(value: Any, shown: Any) -> None:
    assert hide(value, EVENT) == shown


@given(name=st.text(min_size=4).filter(lambda text: not text.isdecimal()), around=st.tuples(st.text(), st.text()))
def test_no_text_tells_a_name(name: str, around: tuple[str, str]) -> None:
    event = msgspec.structs.replace(EVENT, values={"contact.lastname": name})
    assert name not in str(hide({"x": [around[0] + name + around[1], name.lower()]}, event))
