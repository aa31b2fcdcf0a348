import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sakari.models import Contact, CrmRecord, Execution, Mobile, execution, lenient

DOCUMENTED: dict[str, Any] = {
    "id": "65f0aa",
    "status": "completed",
    "entered": "2023-11-07T05:31:56Z",
    "contact": {
        "id": "65f0bb",
        "email": "chris@example.com",
        "firstName": "Chris",
        "lastName": "Bloggs",
        "mobile": {
            "country": "US",
            "number": "123-456-7890",
            "verified": "2023-11-07T05:31:56Z",
            "valid": True,
            "lineType": "mobile",
        },
        "lists": [{"id": "1", "name": "n", "optOut": "2023-11-07T05:31:56Z"}],
        "attributes": {},
        "optIn": "2023-11-07T05:31:56Z",
        "blocked": "2023-11-07T05:31:56Z",
        "activecampaign": {"id": 123},
        "hubspot": {"id": 123},
        "pipedrive": {"id": 123},
        "valid": True,
        "error": {"code": "CONT-010", "description": "x"},
        "created": {"at": "2023-11-07T05:31:56Z", "by": {"id": "1"}},
        "updated": {"at": "2023-11-07T05:31:56Z", "by": {"id": "1"}},
    },
}


def test_documented_example_is_read_completely() -> None:
    found = execution(DOCUMENTED)
    contact = found.contact
    assert contact is not None
    assert (found.id, found.entered) == ("65f0aa", "2023-11-07T05:31:56Z")
    assert contact.mobile == Mobile("US", "123-456-7890")
    assert contact.hubspot == contact.pipedrive == CrmRecord(123)
    assert None not in {name: getattr(contact, name) for name in Contact.__struct_fields__}.values()
    assert found.raw is DOCUMENTED


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        ("mobile", "+12025550177", Mobile(number="+12025550177")),
        ("mobile", {"number": 12025550177, "valid": "yes"}, Mobile(number=12025550177)),
        ("mobile", 5, None),
        ("hubspot", {"vid": "7", "id": "8", "portal": 1}, CrmRecord("8", "7")),
        ("hubspot", {"id": [1]}, CrmRecord()),
        ("hubspot", None, None),
        ("email", 3, None),
    ],
)
def test_a_field_of_an_odd_type_costs_only_itself(field: str, value: Any, read: Any) -> None:
    found = lenient(Contact, {"id": 1, "unheard-of": 1, field: value})
    assert getattr(found, field) == read
    assert found.id == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["id", "status", "entered", "contact", "mobile", "hubspot", "number", "email", "error"])


@pytest.mark.no_cover
@given(st.dictionaries(FIELDS, st.one_of(JSON, st.dictionaries(FIELDS, JSON))))
def test_no_object_is_unreadable(raw: dict[str, Any]) -> None:
    before = json.dumps(raw)
    found = execution(raw)
    assert isinstance(found, Execution)
    assert json.dumps(found.raw) == before


@pytest.mark.no_cover
@given(st.dictionaries(FIELDS, st.one_of(JSON, st.dictionaries(FIELDS, JSON))))
def test_the_short_way_of_reading_gives_what_the_long_one_gives(raw: dict[str, Any]) -> None:
    assert execution(raw) == msgspec.structs.replace(lenient(Execution, raw), raw=raw)
