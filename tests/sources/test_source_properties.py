"""What must hold for whatever anybody sends."""

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import Unverified
from service.model import Event
from service.sources.delivery import Delivery, Route, Verified
from tests.sources.deliveries import (
    EVENTS,
    NOW,
    PIPEDRIVE,
    ROUTES,
    delivery,
    hubspot,
    normalise,
    pipedrive,
    pipedrive_v1,
    the_event,
)

routes = st.sampled_from(list(ROUTES.values()))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)
wire_text = st.text(st.characters(max_codepoint=255))


def spoilt(payload: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The payload with up to three of its values, at any depth, replaced by anything at all."""
    place = st.sampled_from(list(places(payload)))
    return st.dictionaries(place, json_values, max_size=3).map(lambda changes: replaced(payload, (), changes))


def places(value: dict[str, Any], way: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, item in value.items():
        yield (*way, key)
        if isinstance(item, dict):
            yield from places(item, (*way, key))


def replaced(value: Any, way: tuple[str, ...], changes: dict[tuple[str, ...], Any]) -> Any:
    if way in changes:
        return changes[way]
    return {k: replaced(v, (*way, k), changes) for k, v in value.items()} if isinstance(value, dict) else value


KINDS = (
    "contact.propertyChange",
    "contact.merge",
    "deal.associationChange",
    "conversation.newMessage",
    "event.completed",
)
hubspot_events = st.one_of(
    [
        spoilt(hubspot(kind, fromObjectId=1, toObjectId=2, mergedObjectIds=[1], associationType="A_TO_B"))
        for kind in (*KINDS, "object.propertyChange")
    ]
)
workflow_bodies = spoilt(
    {
        "callbackId": "a",
        "origin": {"portalId": 1},
        "context": {"workflowId": 1},
        "object": {"objectId": 1, "objectType": "CONTACT", "properties": {"id": 1}},
    }
) | spoilt({"vid": 1, "objectType": "DEAL", "properties": {"id": {"value": 1}, "x": 1}})
state = {
    "id": 1,
    "custom_fields": {"a": {"type": "set", "values": [{"id": 1}]}},
    "emails": [{"value": "x"}],
    "x": {"y": 1},
}
pipedrive_bodies = spoilt(pipedrive(data=state, previous=state, merged_from_id="1", merged_to_id="2")) | spoilt(
    pipedrive_v1(current={**state, "a" * 40: 1, "email": [{"value": "x"}]}, previous=state)
)
bodies = st.binary() | (
    json_values | hubspot_events | st.lists(hubspot_events) | workflow_bodies | pipedrive_bodies
).map(lambda payload: json.dumps(payload).encode())


def is_sound(event: Event) -> bool:
    """What the store and the lanes rely on."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=Event) == event
    assert len(event.fact_key) == len(event.delivery_key) == 22
    assert 0 <= event.occurred_at <= 2**53
    assert event.lane.count("/") == 3
    assert event.lane.isprintable()
    return event.attempt >= 0


@pytest.mark.no_cover
@settings(max_examples=300)
@given(routes, bodies)
def test_normalise_never_raises_and_events_are_sound(route: Route, body: bytes) -> None:
    result = route.normalise(Verified(delivery(route.path, body), "v3"))
    assert all(is_sound(event) for event in result.events)
    assert all(msgspec.msgpack.encode((misfit.message, misfit.body)) for misfit in result.misfits)


@pytest.mark.no_cover
@given(st.lists(hubspot_events, max_size=5))
def test_every_element_becomes_an_event_or_a_misfit(batch: list[Any]) -> None:
    result = normalise(EVENTS, batch)
    assert len(result.events) + len(result.misfits) == len(batch)


of_the_notification = st.fixed_dictionaries(
    {
        "attemptNumber": st.integers(0, 9),
        "eventId": st.integers(0, 2**32),
        "subscriptionId": st.integers(0, 2**32),
        "appId": st.integers(0, 2**32),
    }
)
others = st.lists(st.integers(1, 99).map(lambda number: hubspot(objectId=number)), max_size=3)


@given(of_the_notification, others, st.randoms(use_true_random=False))
def test_fact_key_ignores_the_notification(told: dict[str, Any], others: list[Any], rng: random.Random) -> None:
    told_again = hubspot(**told)
    keys = list(told_again)
    rng.shuffle(keys)
    batch = [*others, {key: told_again[key] for key in keys}]
    assert normalise(EVENTS, batch).events[-1].fact_key == the_event(EVENTS, [hubspot()]).fact_key


@given(st.integers(0, 9), st.integers(0, 9))
def test_delivery_key_ignores_only_the_attempt(attempt: int, event_id: int) -> None:
    one = the_event(EVENTS, [hubspot(attemptNumber=attempt, eventId=event_id)])
    other = the_event(EVENTS, [hubspot(eventId=5)])
    assert (one.delivery_key == other.delivery_key) == (event_id == 5)


@given(st.text(), st.text(), st.integers(0, 2**53), st.integers(1, 2**53))
def test_fact_key_tells_value_time_and_object_apart(name: str, value: str, occurred_at: int, object_id: int) -> None:
    event = hubspot(propertyName=name, propertyValue=value, occurredAt=occurred_at, objectId=object_id)
    usual = hubspot()
    same = all(event[key] == usual[key] for key in usual)
    keys = [
        result.fact_key for result in normalise(EVENTS, [event, usual, {**event, "propertyValue": value + "!"}]).events
    ]
    assert (keys[0] == keys[1]) == same
    assert keys[0] != keys[2]


@given(st.text(), st.text(), st.text(), st.text())
def test_no_text_poses_as_two_fields(first: str, second: str, third: str, fourth: str) -> None:
    one = the_event(EVENTS, [hubspot("event.completed", a=first, b=second)])
    other = the_event(EVENTS, [hubspot("event.completed", a=third, b=fourth)])
    assert (one.fact_key == other.fact_key) == (unpaired(first, second) == unpaired(third, fourth))


def unpaired(*texts: str) -> list[str]:
    """As `decode` leaves them: half a surrogate pair is U+FFFD."""
    return [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]


@given(st.integers(1, 4), st.integers(1, 99), st.randoms(use_true_random=False))
def test_pipedrive_fact_key_ignores_the_notification(attempt: int, webhook: int, rng: random.Random) -> None:
    told_again = pipedrive(data=state, attempt=attempt, webhook_id=str(webhook), correlation_id="x")
    keys = list(told_again)
    rng.shuffle(keys)
    shuffled = {key: told_again[key] for key in keys}
    assert the_event(PIPEDRIVE, shuffled).fact_key == the_event(PIPEDRIVE, pipedrive(data=state)).fact_key


header_names = st.sampled_from(
    [
        "x-hubspot-signature",
        "x-hubspot-signature-v3",
        "x-hubspot-signature-version",
        "x-hubspot-request-timestamp",
        "x-sluice-secret",
        "authorization",
    ]
)
header_values = (
    st.text()
    | st.sampled_from(["v1", "v2", str(NOW), "1" * 13, "Bearer ", "Basic "])
    | st.text().map("Basic ".__add__)
    | st.binary().map(lambda raw: "Basic " + msgspec.json.encode(raw).decode().strip('"'))
)


@given(routes, st.text(), st.text(), st.dictionaries(header_names, header_values), st.binary())
def test_verify_raises_nothing_but_unverified(
    route: Route, method: str, query: str, headers: dict[str, str], body: bytes
) -> None:
    target = f"{route.path}?secret={query}"
    request = Delivery(method=method, target=target, headers=headers, body=body, received_at=NOW)
    with suppress(Unverified):
        assert route.verify(request).delivery is request


@given(routes, wire_text, wire_text, st.binary(), st.integers(10**12, 10**13 - 1))
def test_what_sign_signs_verify_accepts(route: Route, method: str, query: str, body: bytes, now: int) -> None:
    target = f"{route.path}?{query}"
    headers = route.sign(method, target, body, now)
    request = Delivery(method=method, target=target, headers=headers, body=body, received_at=now)
    assert route.verify(request).delivery is request
