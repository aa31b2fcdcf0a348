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


OWN = "310000000451"
CONTACT = msgspec.structs.replace(EVENT, object_id=OWN, account="48150623", values={"contact.id": OWN})


@pytest.mark.parametrize("shown", [{"contact": {"hubspot": OWN}}, {"account": "48150623"}, {"object_id": OWN}, [OWN]])
def test_the_events_own_ids_are_shown_wherever_they_stand(shown: Any) -> None:
    assert hide(shown, CONTACT) == shown


@pytest.mark.parametrize("other", ["310000000452", "+310000000451", "call 310000000451"])
def test_what_is_not_quite_the_events_id_is_hidden(other: str) -> None:
    assert hide({"contact": {"hubspot": other}}, CONTACT) == {"contact": {"hubspot": HIDDEN}}


@given(
    phone=st.from_regex(r"\+?[0-9]{7,15}", fullmatch=True),
    name=st.sampled_from(["phone", "contact.mobilephone", "number", "hs_whatsapp_phone_number"]),
)
def test_a_phone_number_under_a_telling_name_is_hidden_even_if_it_is_an_id(phone: str, name: str) -> None:
    event = msgspec.structs.replace(CONTACT, object_id=phone, values={"contact.id": phone, name: phone})
    assert hide({name: phone, "nested": [{name: phone}]}, event) == {name: HIDDEN, "nested": [{name: HIDDEN}]}
    assert hide({"told": phone}, event) == {"told": HIDDEN}
