"""What looks like a person's phone number or address is hidden; ids, times and amounts stay readable."""

from typing import Any

import pytest

from service.observe.mask import HIDDEN, mask


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("contact.whatsapp", "4915112345678"),
        ("contact.callback", "(030) 1234567"),
        ("deal.note", "call him at 0151 2345678"),
        ("deal.note", "030/123456-78"),
        ("value", "0151 2345678"),
        ("deal.note", "at +49 151 2345678, or later"),
        ("deal.note", "grace@navy.mil"),
        ("contact.wa_id", "+4915112345678"),
        ("contact.phone", 4915112345678),
        ("contact.email_id", "7"),
    ],
)
def test_what_looks_like_a_person_is_hidden(name: str, value: Any) -> None:
    assert mask({name: value}) == {name: HIDDEN}
    assert mask([{name: [value]}]) == [{name: [HIDDEN]}]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("contact.id", "310000000451"),
        ("object_id", "310000000451"),
        ("deal.merged_ids", ["310000000451"]),
        ("hubspot.appId", "31000000"),
        ("deal.person_id", "2100000"),
        ("account", "48150"),
        ("contact.createdate", "1795350000500"),
        ("deal.won_time", "2026-11-07 05:31:56"),
        ("deal.update_time", "2026-11-07T05:31:56.123Z"),
        ("deal.day", "2026-11-07"),
        ("deal.closedate", "20261107"),
        ("deal.value", "12500000"),
        ("deal.uuid", "12345678-1c4e-4e0b-9f2d-1234567890ab"),
        ("deal.amount", "12500000"),
        ("deal.total", "12500000.55"),
        ("deal.stage", "closedwon"),
        ("campaign", "660412345"),
        ("deal.custom_fields.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa9", "won"),
        ("fact", "62515a7d-1c4e-4e0b-9f2d-123456789012"),
        ("deal.score", 12345678),
        ("deal.flag", True),
    ],
)
def test_ids_times_and_amounts_stay_readable(name: str, value: Any) -> None:
    assert mask({name: value}) == {name: value}
