"""Every recorded delivery: it verifies as it stands, becomes exactly its event.json, and loses nothing on the way."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.errors import Malformed
from service.model import Event
from service.sources.delivery import Delivery, Verified
from service.sources.fixture import read_fixture, refresh
from tests.sources.deliveries import FIXTURES, NOW, ROUTES, of_fixture

FOLDERS = sorted(folder.parent for folder in FIXTURES.glob("*/*/request.http"))
each_fixture = pytest.mark.parametrize("folder", FOLDERS, ids=[f"{path.parent.name}/{path.name}" for path in FOLDERS])


def verified(folder: Path) -> Verified:
    delivery = of_fixture(read_fixture(folder))
    return ROUTES[delivery.target.partition("?")[0]].verify(delivery)


def events(folder: Path) -> tuple[Event, ...]:
    proven = verified(folder)
    result = ROUTES[proven.delivery.target.partition("?")[0]].normalise(proven)
    assert not result.misfits
    return result.events


def fields(event: Event) -> dict[str, Any]:
    """By name, as JSON has them."""
    named = {name: getattr(event, name) for name in event.__struct_fields__}
    return msgspec.json.decode(msgspec.json.encode(named), type=dict[str, Any])


@each_fixture
def test_fixture_becomes_its_events(folder: Path) -> None:
    assert [fields(event) for event in events(folder)] == json.loads((folder / "event.json").read_text("utf-8"))


@each_fixture
def test_fixture_is_named_after_its_event(folder: Path) -> None:
    name, _, case = folder.name.partition("__")
    assert case
    assert events(folder)[0].type == name
    assert {event.source for event in events(folder)} == {folder.parent.name}


@each_fixture
def test_fixture_says_its_length(folder: Path) -> None:
    fixture = read_fixture(folder)
    assert int(fixture.headers["content-length"]) == len(fixture.body)


CONSUMED = {
    "account": ["portalId", "portal-id", "company_id"],
    "type": ["subscriptionType", "eventType", "objectType", "entity", "object", "action"],
    "type, by being null": ["data", "previous", "current"],
    "object_id": ["objectId", "contactId", "newObjectId", "fromObjectId", "entity_id", "id"],
    "occurred_at": ["occurredAt", "timestamp"],
    "attempt": ["attemptNumber", "attempt"],
    "actor": ["user_id"],
    "changed": ["propertyName"],
    "values[changed]": ["propertyValue"],
    "values[merged_ids]": ["merged_from_id"],
    "values[merged_to_id]": ["merged_to_id"],
}
"""What of the event it became -> the CRM's key."""
TOLD_BY_A_FIELD = {key for keys in CONSUMED.values() for key in keys}
CONTAINERS = {"data", "meta", "current", "previous", "properties", "custom_fields"}


def leaves(value: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """(all keys on the way, the scalar as JSON)."""
    if isinstance(value, dict):
        for key, item in value.items():
            # v1 writes `<hash>_currency` where paths have `<hash>.currency`.
            yield from leaves(item, (*keys, *re.split(r"\.|(?<=[0-9a-f]{40})_", key)))
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, keys)
    else:
        yield keys, json.dumps(value)


@each_fixture
def test_every_leaf_of_the_body_is_somewhere_in_the_event(folder: Path) -> None:
    body = json.loads(read_fixture(folder).body)
    raws = body if isinstance(body, list) else [body]
    for raw, event in zip(raws, events(folder), strict=True):
        told = {(key, leaf) for part in (event.values, event.before) for keys, leaf in leaves(part) for key in keys}
        for keys, leaf in leaves(raw):
            if keys[-1] not in TOLD_BY_A_FIELD:
                assert told & {(key, leaf) for key in keys if key not in CONTAINERS}, (keys, leaf)


@each_fixture
def test_refreshed_fixture_is_a_new_fact_of_the_same_kind(folder: Path) -> None:
    proven = verified(folder)
    route = ROUTES[proven.delivery.target.partition("?")[0]]
    later = NOW + 86_400_000
    body = refresh(folder.parent.name, proven.delivery.body, later)
    headers = route.sign("POST", proven.delivery.target, body, later)
    fresh = route.verify(
        Delivery(method="POST", target=proven.delivery.target, headers=headers, body=body, received_at=later)
    )
    result = route.normalise(fresh)
    assert not result.misfits
    assert [event.type for event in result.events] == [event.type for event in events(folder)]
    assert {event.occurred_at // 1000 for event in result.events} == {later // 1000}
    assert not {event.fact_key for event in result.events} & {event.fact_key for event in events(folder)}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"POST / HTTP/1.1\r\n",
        b"POST /\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nNoColon\r\n\r\n{}",
        b"POST / HTTP/1.1\nHost: x\n\n{}",
    ],
)
def test_file_that_is_no_request_is_named(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "request.http").write_bytes(text)
    with pytest.raises(Malformed, match=f"{tmp_path.name}/request.http: expected"):
        read_fixture(tmp_path)


def test_body_keeps_its_empty_lines(tmp_path: Path) -> None:
    (tmp_path / "request.http").write_bytes(b"POST /x?y=1 HTTP/1.1\r\nHost:  a:b \r\n\r\n{\r\n\r\n}")
    fixture = read_fixture(tmp_path)
    assert (fixture.method, fixture.target, fixture.headers) == ("POST", "/x?y=1", {"host": "a:b"})
    assert fixture.body == b"{\r\n\r\n}"


@pytest.mark.parametrize("source", ["hubspot", "pipedrive"])
def test_what_is_not_json_cannot_be_refreshed(source: str) -> None:
    with pytest.raises(Malformed, match="not JSON"):
        refresh(source, b"<html>", NOW)
