import json
from typing import Any

import msgspec
import pytest

from service.sources.hubspot import refresh
from tests.sources.deliveries import EVENTS, NOW, hubspot, normalise, normalise_bytes, the_event, the_misfit


@pytest.mark.parametrize(
    ("spelled", "ours"),
    [
        ("contact.creation", "contact.created"),
        ("company.propertyChange", "company.updated"),
        ("deal.deletion", "deal.deleted"),
        ("ticket.restore", "ticket.restored"),
        ("contact.merge", "contact.merged"),
        ("contact.privacyDeletion", "contact.erased"),
        ("line_item.creation", "line_item.created"),
        ("conversation.newMessage", "conversation.messaged"),
        ("conversation.privacyDeletion", "conversation.erased"),
        ("event.completed", "event.completed"),
        ("contact.somethingNew", "contact.somethingNew"),
        ("object.somethingNew", "object.somethingNew"),
        ("wordless", "wordless"),
        ("creation", "creation"),
    ],
)
def test_subscription_types_become_our_words_or_keep_theirs(spelled: str, ours: str) -> None:
    assert the_event(EVENTS, [hubspot(spelled)]).type == ours


@pytest.mark.parametrize(
    ("type_id", "word"),
    [
        ("0-1", "contact"),
        ("0-2", "company"),
        ("0-3", "deal"),
        ("0-5", "ticket"),
        ("0-7", "product"),
        ("0-8", "line_item"),
        ("2-12345", "2-12345"),
        (..., "object"),
    ],
)
def test_generic_subscriptions_name_their_object_by_type_id(type_id: Any, word: str) -> None:
    event = the_event(EVENTS, [hubspot("object.propertyChange", objectTypeId=type_id)])
    assert event.type == f"{word}.updated"
    assert event.values[f"{word}.id"] == "451"
    assert event.changed == (f"{word}.lifecyclestage",)


def test_property_called_id_does_not_pose_as_the_id() -> None:
    event = the_event(EVENTS, [hubspot(propertyName="id", propertyValue="999")])
    assert event.values["contact.id"] == event.object_id == "451"
    assert event.values["hubspot.propertyName"] == "id"
    assert event.values["hubspot.propertyValue"] == "999"
    assert event.changed == ()


def test_property_without_value_is_changed_but_unknown() -> None:
    event = the_event(EVENTS, [hubspot(propertyValue=...)])
    assert event.changed == ("contact.lifecyclestage",)
    assert "contact.lifecyclestage" not in event.values


@pytest.mark.parametrize(
    ("fields", "survivor", "left"),
    [
        ({"newObjectId": 404, "primaryObjectId": 101}, "404", {"objectId": 451, "primaryObjectId": 101}),
        ({"newObjectId": None, "primaryObjectId": 101}, "101", {"objectId": 451, "newObjectId": None}),
        ({}, "451", {}),
    ],
)
def test_merge_is_about_the_survivor(fields: dict[str, Any], survivor: str, left: dict[str, Any]) -> None:
    event = the_event(EVENTS, [hubspot("contact.merge", mergedObjectIds=[202, "303"], **fields)])
    assert event.object_id == event.values["contact.id"] == survivor
    assert event.values["contact.merged_ids"] == ["202", "303"]
    for key, value in left.items():
        assert event.values[f"hubspot.{key}"] == value


def test_association_is_about_the_object_that_it_starts_from() -> None:
    event = the_event(
        EVENTS,
        [hubspot("object.associationChange", fromObjectTypeId="0-3", fromObjectId=7, toObjectId=8, objectId=...)],
    )
    assert (event.type, event.object_id) == ("deal.associated", "7")
    assert event.values["deal.association.to_id"] == "8"
    assert "deal.association.to_type" not in event.values


def test_association_may_leave_the_other_side_out() -> None:
    event = the_event(EVENTS, [hubspot("deal.associationChange", fromObjectId=7, associationType="ODD")])
    assert event.values["deal.association.type"] == "ODD"
    assert not event.values.keys() & {"deal.association.to_id", "deal.association.to_type"}


@pytest.mark.parametrize(
    ("change_source", "source_id", "origin", "actor"),
    [
        ("IMPORT", "1234", "import", ""),
        ("INTEGRATION", "9260001", "app", "app:9260001"),
        ("INTEGRATION", 9260001, "app", "app:9260001"),
        ("API", "userId:7", "app", "user:7"),
        ("AUTOMATION_PLATFORM", "enrollmentId:1", "workflow", ""),
        ("WORKFLOWS", ..., "workflow", ""),
        ("CRM_UI", "userId:7", "user", "user:7"),
        ("MOBILE_IOS", "userId:7", "user", "user:7"),
        ("SOMETHING_NEW", "x/y", "system", ""),
        (..., ..., "system", ""),
        (["CRM_UI"], {"userId": 7}, "system", ""),
    ],
)
def test_origin_and_actor(change_source: Any, source_id: Any, origin: str, actor: str) -> None:
    event = the_event(EVENTS, [hubspot(changeSource=change_source, sourceId=source_id)])
    assert (event.origin, event.actor) == (origin, actor)


@pytest.mark.parametrize(("attempt", "counted"), [(6, 6), (..., 0), (-1, 0), ("2", 0), (2**40, 0), (True, 0)])
def test_attempts_are_counted(attempt: Any, counted: int) -> None:
    event = the_event(EVENTS, [hubspot(attemptNumber=attempt)])
    assert event.attempt == counted
    assert ("hubspot.attemptNumber" in event.values) == (attempt is not ... and attempt != counted)


def test_unknown_keys_are_kept() -> None:
    event = the_event(EVENTS, [hubspot(isSensitive=True, brandNew={"a": [1]}, eventType="contact.old")])
    assert event.values["hubspot.isSensitive"] is True
    assert event.values["hubspot.brandNew"] == {"a": [1]}
    assert event.values["hubspot.eventType"] == "contact.old"


def test_type_without_an_object_still_has_its_id() -> None:
    assert the_event(EVENTS, [hubspot("wordless")]).values["object.id"] == "451"


def test_unknown_type_needs_no_object() -> None:
    event = the_event(EVENTS, [hubspot("event.completed", objectId={"odd": 1})])
    assert event.object_id == ""
    assert event.values["hubspot.objectId"] == {"odd": 1}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"subscriptionType": ...}, "[0].subscriptionType: missing"),
        ({"subscriptionType": "a/b"}, "[0].subscriptionType: expected an integer, or 1 to 200 printable characters"),
        ({"portalId": ...}, "[0].portalId: missing"),
        ({"portalId": True}, "[0].portalId: expected"),
        ({"objectId": ...}, "[0].objectId: missing"),
        ({"objectId": "a/b"}, "[0].objectId: expected"),
        ({"objectId": "a\nb"}, "[0].objectId: expected"),
        ({"objectId": "9" * 201}, "[0].objectId: expected"),
        ({"objectId": ""}, "[0].objectId: expected"),
        ({"objectId": 4.5}, "[0].objectId: expected"),
        ({"occurredAt": ...}, "[0].occurredAt: missing"),
        ({"occurredAt": "1795350000000"}, "[0].occurredAt: expected milliseconds"),
        ({"occurredAt": -1}, "[0].occurredAt: expected milliseconds"),
        ({"occurredAt": 2**53 + 1}, "[0].occurredAt: expected milliseconds"),
        ({"occurredAt": 10**30}, "[0].occurredAt: expected milliseconds"),
        ({"subscriptionType": "object.creation", "objectTypeId": "a/b"}, "[0].objectTypeId: expected"),
        ({"subscriptionType": "deal.associationChange"}, "[0].fromObjectId: missing"),
    ],
)
def test_event_of_another_shape_is_a_misfit_that_says_where(fields: dict[str, Any], message: str) -> None:
    assert the_misfit(EVENTS, [hubspot(**fields)]).startswith(message)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON: Input data was truncated"),
        (b"{", "not JSON: "),
        (b"[NaN]", "not JSON: "),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b"17", "expected an array of events"),
        (b"null", "expected an array of events"),
    ],
)
def test_body_of_another_shape_is_kept_whole(body: bytes, message: str) -> None:
    result = normalise_bytes(EVENTS, body)
    assert result.events == ()
    assert [misfit.body for misfit in result.misfits] == [body]
    assert result.misfits[0].message.startswith(message)


@pytest.mark.parametrize("value", [b'"\xff"', b"[" * 90 + b"]" * 90, b"9" * 5000])
def test_an_element_that_cannot_be_read_is_kept_alone(value: bytes) -> None:
    result = normalise_bytes(EVENTS, b"[" + value + b", 7]")
    assert [misfit.body for misfit in result.misfits] == [value, b"7"]
    assert result.misfits[0].message.startswith("[0]: ")


def test_misfit_costs_only_itself() -> None:
    batch: list[Any] = [hubspot(objectId=number) for number in range(250)]
    batch[3], batch[77] = 5, hubspot(objectId=None, propertyValue="ada@example.com")
    result = normalise(EVENTS, batch)
    assert [event.object_id for event in result.events] == [str(n) for n in range(250) if n not in {3, 77}]
    assert [misfit.message for misfit in result.misfits] == ["[3]: expected an object", "[77].objectId: missing"]
    assert [json.loads(misfit.body) for misfit in result.misfits] == [5, batch[77]]


def test_empty_batch_is_nothing() -> None:
    assert normalise(EVENTS, []) == normalise_bytes(EVENTS, b" [ ] ")
    assert normalise(EVENTS, []).events == ()


def test_half_an_emoji_does_not_cost_the_batch() -> None:
    batch = json.dumps([hubspot(propertyValue="cut \ud83d"), hubspot(propertyValue="\ude00 whole 😀 \\ud83d")])
    first, second = normalise_bytes(EVENTS, batch.encode()).events
    assert first.values["contact.lifecyclestage"] == "cut \ufffd"
    assert second.values["contact.lifecyclestage"] == "\ufffd whole 😀 \\ud83d"


def test_integer_beyond_64_bits_is_kept_as_text() -> None:
    event = the_event(EVENTS, [hubspot(propertyValue=2**64, extra=[{"deep": -(2**70)}], fits=2**64 - 1)])
    assert event.values["contact.lifecyclestage"] == "18446744073709551616"
    assert event.values["hubspot.extra"] == [{"deep": str(-(2**70))}]
    assert event.values["hubspot.fits"] == 2**64 - 1
    assert msgspec.msgpack.encode(event)


def test_overlapping_subscriptions_tell_one_fact() -> None:
    legacy = the_event(EVENTS, [hubspot("contact.propertyChange")])
    generic = the_event(EVENTS, [hubspot("object.propertyChange", objectTypeId="0-1", subscriptionId=1, eventId=2)])
    other_app = the_event(EVENTS, [hubspot("contact.propertyChange", appId=1, eventId=3)])
    assert legacy.fact_key == generic.fact_key == other_app.fact_key
    assert len({legacy.delivery_key, generic.delivery_key, other_app.delivery_key}) == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"propertyValue": "lead"},
        {"propertyName": "email"},
        {"objectId": 452},
        {"portalId": 1},
        {"occurredAt": NOW},
        {"subscriptionType": "company.propertyChange"},
        {"propertyValue": None},
    ],
)
def test_other_facts_have_other_keys(fields: dict[str, Any]) -> None:
    assert the_event(EVENTS, [hubspot(**fields)]).fact_key != the_event(EVENTS, [hubspot()]).fact_key


def test_unknown_types_are_told_apart_by_all_they_say() -> None:
    one, same, other = (
        the_event(EVENTS, [hubspot("event.completed", objectId=..., name=name, eventId=number, attemptNumber=number)])
        for number, name in enumerate(["a", "a", "b"])
    )
    assert one.fact_key == same.fact_key != other.fact_key


def test_lane_is_the_object() -> None:
    assert the_event(EVENTS, [hubspot()]).lane == "hubspot/48150001/contact/451"


def test_refreshed_batch_is_news() -> None:
    body = json.dumps([hubspot(), hubspot(objectId=2), "odd"]).encode()
    before, after = normalise_bytes(EVENTS, body), normalise_bytes(EVENTS, refresh(body, NOW))
    assert [event.occurred_at for event in after.events] == [NOW, NOW]
    assert len({event.values["hubspot.eventId"] for event in (*before.events, *after.events)}) == 3
    assert not {event.fact_key for event in before.events} & {event.fact_key for event in after.events}


def test_refreshed_scalar_stays_itself() -> None:
    assert refresh(b"17", NOW) == b"17"
