"""Numbers in E.164, or a reason that does not repeat them. The numbers are of ranges that are reserved for fiction."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import phones


@pytest.mark.parametrize(
    ("written", "regions", "number"),
    [
        ("+1 (202) 555-0177", (), "+12025550177"),
        ("+44 (0)20 7946 0000", (), "+442079460000"),
        ("0044 20 7946 0000", (), "+442079460000"),
        ("0044 20 7946 0000", ("US",), "+442079460000"),
        ("0011 44 20 7946 0000", ("AU",), "+442079460000"),
        ("020 7946 0000", ("GB",), "+442079460000"),
        ("06 1234 5678", ("IT",), "+390612345678"),
        ("(202) 555.0177", ("", "nowhere", "us"), "+12025550177"),
        ("\u202a+1\u00a0202\u2011555\u20110177\u202c", (), "+12025550177"),
        ("\uff0b12025550177", (), "+12025550177"),
        ("+99 9 2025550177", ("US",), None),
        ("2025550177", (), None),
        ("555 0177", ("US",), None),
        ("+1 202 555 0177 x5", (), None),
        ("", ("US",), None),
    ],
)
def test_one_form_for_every_spelling(written: str, regions: tuple[str, ...], number: str | None) -> None:
    try:
        found = phones.e164(written, *regions)
    except phones.NotAPhoneNumber:
        found = None
    assert found == number


@given(
    st.text(alphabet="0123456789+()-. x\u202aa", max_size=25) | st.text(max_size=25),
    st.sampled_from(["", "US", "NO", "IT", "??"]),
)
def test_any_text_is_a_stable_number_or_refused_without_repeating_it(written: str, region: str) -> None:
    said = found = ""
    try:
        found = phones.e164(written, region)
    except phones.NotAPhoneNumber as error:
        said = str(error)
    assert not re.search("[0-9]", said)
    if not said:
        assert re.fullmatch(r"\+[1-9][0-9]{3,14}", found)
        assert phones.e164(found) == found
        assert phones.comparable(written, region) == found[1:]


@pytest.mark.parametrize(
    ("number", "plain"),
    [("+1 202-555-0155", "12025550155"), ("001 202 555 0155", "12025550155"), ("202.555.0155", "2025550155"), ("", "")],
)
def test_digits_as_they_are_written(number: str, plain: str) -> None:
    assert phones.digits(number) == plain
    assert phones.comparable(number) == plain
