import json
from typing import Any

import pytest

from service.sources.hubspot import refresh
from tests.sources.deliveries import NOW, WORKFLOW, normalise_bytes, the_event, the_misfit

ACTION: dict[str, Any] = {
    "callbackId": "ap-48150001-1-7-0",
    "origin": {"portalId": 48150001, "actionDefinitionId": 5},
    "context": {"source": "WORKFLOWS", "workflowId": 29},
    "object": {"objectId": 904, "objectType": "CONTACT", "properties": {"phone": "+12025550142", "id": "x"}},
    "inputFields": {"greeting": "welcome"},
}


def test_custom_action_hands_over_an_object() -> None:
    event = the_event(WORKFLOW, ACTION)
    assert (event.type, event.object_id, event.account) == ("contact.enrolled", "904", "48150001")
    assert (event.origin, event.occurred_at, event.changed) == ("workflow", NOW, ())
    assert event.values == {
        "contact.id": "904",
        "contact.phone": "+12025550142",
        "hubspot.id": "x",
        "hubspot.callbackId": "ap-48150001-1-7-0",
        "hubspot.workflowId": 29,
        "hubspot.context.source": "WORKFLOWS",
        "hubspot.origin.actionDefinitionId": 5,
        "hubspot.inputFields.greeting": "welcome",
    }


def test_execution_is_known_by_its_callback_id() -> None:
    again = {**ACTION, "inputFields": {}}
    other = {**ACTION, "callbackId": "ap-48150001-1-7-1"}
    assert the_event(WORKFLOW, again).fact_key == the_event(WORKFLOW, ACTION).fact_key
    assert the_event(WORKFLOW, other).fact_key != the_event(WORKFLOW, ACTION).fact_key


def test_what_does_not_fit_the_custom_action_is_kept_raw() -> None:
    odd = {
        **ACTION,
        "context": "none",
        "object": {"objectId": 904, "objectType": "2-77", "properties": None, "objectTypeId": "2-77"},
    }
    event = the_event(WORKFLOW, odd)
    assert event.type == "2-77.enrolled"
    assert event.values["hubspot.context"] == "none"
    assert event.values["hubspot.object.properties"] is None
    assert event.values["hubspot.object.objectTypeId"] == "2-77"


@pytest.mark.parametrize("key", ["objectId", "hs_object_id", "vid", "id", "contactId"])
def test_plain_webhook_finds_the_id(key: str) -> None:
    event = the_event(WORKFLOW, {key: 905, "firstname": "Grace", "portalId": 48150001})
    assert (event.type, event.object_id, event.account) == ("contact.enrolled", "905", "48150001")
    assert event.values["contact.id"] == "905"
    assert event.values["contact.firstname"] == "Grace"
    assert "contact.portalId" not in event.values


def test_plain_webhook_without_ids_has_a_lane_of_its_own() -> None:
    event = the_event(WORKFLOW, {"firstname": "Grace"})
    assert (event.object_id, event.account) == ("", "")
    assert event.lane == f"hubspot//contact/{event.fact_key}"


def test_properties_may_be_plain_or_wrapped() -> None:
    event = the_event(
        WORKFLOW,
        {
            "objectType": "DEAL",
            "vid": None,
            "properties": {"hs_object_id": {"value": "7", "at": 1}, "amount": "12", "address": {"city": "Tallinn"}},
            "identity": {"kind": "x"},
        },
    )
    assert event.object_id == "7"
    assert event.values == {
        "deal.id": "7",
        "deal.hs_object_id": "7",
        "deal.hs_object_id.at": 1,
        "deal.amount": "12",
        "deal.address.city": "Tallinn",
        "hubspot.vid": None,
        "hubspot.identity.kind": "x",
    }


def test_identical_plain_bodies_are_one_fact_whatever_the_order_of_keys() -> None:
    one, same, other = ({"vid": 1, "a": 2}, {"a": 2, "vid": 1}, {"vid": 1, "a": 3})
    assert the_event(WORKFLOW, one).fact_key == the_event(WORKFLOW, same).fact_key
    assert the_event(WORKFLOW, one).fact_key != the_event(WORKFLOW, other).fact_key


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ([ACTION], "body: expected an object"),
        (None, "body: missing"),
        ({**ACTION, "object": None}, "object: missing"),
        ({**ACTION, "object": {"objectType": "CONTACT"}}, "object.objectId: missing"),
        ({**ACTION, "origin": {}}, "origin.portalId: missing"),
        ({**ACTION, "callbackId": "a/b"}, "callbackId: expected an integer"),
        ({"vid": "a/b"}, "vid: expected an integer"),
        ({"vid": 1, "objectType": "a/b"}, "objectTypeId: expected an integer"),
    ],
)
def test_other_shapes_are_misfits(payload: Any, message: str) -> None:
    assert the_misfit(WORKFLOW, payload).startswith(message)


def test_body_that_is_not_json_is_a_misfit() -> None:
    assert normalise_bytes(WORKFLOW, b"firstname=Grace").misfits[0].body == b"firstname=Grace"


@pytest.mark.parametrize("payload", [ACTION, {"vid": 1}])
def test_refreshed_workflow_body_is_news(payload: dict[str, Any]) -> None:
    fresh = json.loads(refresh(json.dumps(payload).encode(), NOW))
    assert the_event(WORKFLOW, fresh).fact_key != the_event(WORKFLOW, payload).fact_key
