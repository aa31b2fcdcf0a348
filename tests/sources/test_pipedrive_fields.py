from typing import Any

import pytest

from service.sources.pipedrive_fields import fields, v1_fields


@pytest.mark.parametrize(
    ("shape", "value", "parts"),
    [
        (None, None, {}),
        ("plain", "plain", {}),
        ({"type": "varchar", "value": "x"}, "x", {"type": "varchar"}),
        (
            {"type": "monetary", "value": 200, "currency": "EUR"},
            200,
            {"type": "monetary", "currency": "EUR"},
        ),
        ({"type": "people", "id": 5, "name": "x"}, 5, {"type": "people", "name": "x"}),
        ({"type": "enum", "id": None}, None, {"type": "enum"}),
        ({"type": "set", "values": [{"id": 13}, {"id": 14}]}, [13, 14], {"type": "set"}),
        (
            {"type": "set", "values": [{"id": 13, "label": "x"}]},
            [13],
            {"type": "set", "values": [{"id": 13, "label": "x"}]},
        ),
        (
            {"type": "daterange", "from": "a", "until": "b"},
            {"from": "a", "until": "b"},
            {"type": "daterange", "from": "a", "until": "b"},
        ),
    ],
)
def test_custom_field_has_its_natural_value_and_its_parts(shape: Any, value: Any, parts: dict[str, Any]) -> None:
    found = fields("deal", {"custom_fields": {"abc": shape}})
    assert found.pop("deal.custom_fields.abc") == value
    assert found == {f"deal.custom_fields.abc.{key}": part for key, part in parts.items()}


@pytest.mark.parametrize(
    "shape",
    [
        {"type": "hologram", "value": 1},
        {"type": "varchar"},
        {"type": ["varchar"], "value": 1},
        {"type": "set", "values": 5},
        {"type": "set", "values": ["x"]},
        {"type": "set", "values": [{}]},
        {"value": 1},
        [1, 2],
    ],
)
def test_unknown_shape_is_kept_whole(shape: Any) -> None:
    assert fields("deal", {"custom_fields": {"abc": shape}}) == {"deal.custom_fields.abc": shape}


def test_custom_fields_that_are_no_object_are_a_value() -> None:
    assert fields("deal", {"custom_fields": None}) == {"deal.custom_fields": None}


@pytest.mark.parametrize(
    ("items", "primary"),
    [
        ([{"value": "a", "primary": False}, {"value": "b", "primary": True}], "b"),
        ([{"value": "a"}, {"value": "b"}], "a"),
        ([{"value": "", "primary": True}, {"value": "b", "primary": False}], "b"),
        ([{"value": 5550100, "primary": True}], "5550100"),
        ([{"value": "", "primary": True}], None),
        ([None, "a", {"value": None}, {}], None),
        ([], None),
    ],
)
def test_primary_address_stands_beside_the_list(items: list[Any], primary: str | None) -> None:
    assert fields("person", {"emails": items}) == {"person.emails": items, "person.email": primary}
    assert v1_fields("person", {"phone": items}) == {"person.phones": items, "person.phone": primary}


def test_plain_address_is_left_alone() -> None:
    assert v1_fields("user", {"email": "a@example.com"}) == {"user.email": "a@example.com"}
    both = {"emails": [], "email": "a@example.com"}
    assert fields("user", both) == {"user.emails": [], "user.email": "a@example.com"}


def test_objects_are_flattened_and_lists_are_values() -> None:
    nested = {"value": {"amount": 5, "deep": {"x": None}}, "label_ids": [1, {"y": 2}], "empty": {}}
    assert fields("lead", nested) == {
        "lead.value.amount": 5,
        "lead.value.deep.x": None,
        "lead.label_ids": [1, {"y": 2}],
    }


def test_v1_hashes_become_custom_fields() -> None:
    name = "0123456789abcdef0123456789abcdef01234567"
    flat = {name: "00:00:00", f"{name}_until": "01:00:00", f"{name}_timezone_id": 310, f"{name}x": 1, name[:-1]: 2}
    assert v1_fields("deal", flat) == {
        f"deal.custom_fields.{name}": "00:00:00",
        f"deal.custom_fields.{name}.until": "01:00:00",
        f"deal.custom_fields.{name}.timezone_id": 310,
        f"deal.{name}x": 1,
        f"deal.{name[:-1]}": 2,
    }
