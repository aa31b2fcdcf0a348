"""Deliveries and payloads for the tests of this room, with made-up ids and secrets."""

import json
from pathlib import Path
from typing import Any

from service.model import Event
from service.sources import SOURCES
from service.sources.delivery import Delivery, Normalised, Route, Verified
from service.sources.fixture import Fixture
from service.sources.hubspot import Config as HubSpot
from service.sources.pipedrive import Config as Pipedrive

FIXTURES = Path(__file__).parents[1] / "fixtures"
PUBLIC_URL = "https://hooks.example.com"
NOW = 1_795_350_000_000
EVENTS, WORKFLOW, PIPEDRIVE = "/webhooks/hubspot", "/webhooks/hubspot/workflow", "/webhooks/pipedrive"

HUBSPOT_CONFIG = HubSpot(client_secret=("example-client-secret",), workflow_secret=("example-workflow-secret",))
PIPEDRIVE_CONFIG = Pipedrive(user="sluice", password=("example-password",))
ROUTES: dict[str, Route] = {
    route.path: route
    for source, config in (("hubspot", HUBSPOT_CONFIG), ("pipedrive", PIPEDRIVE_CONFIG))
    for route in SOURCES[source].routes(config, PUBLIC_URL)
}


def delivery(target: str, body: bytes = b"[]", headers: dict[str, str] | None = None) -> Delivery:
    return Delivery(method="POST", target=target, headers=headers or {}, body=body, received_at=NOW)


def of_fixture(fixture: Fixture) -> Delivery:
    """As it arrived: 155 ms after it was signed, or at NOW if its signature carries no time."""
    received_at = int(fixture.headers.get("x-hubspot-request-timestamp", NOW)) + 155
    return Delivery(
        method=fixture.method,
        target=fixture.target,
        headers=fixture.headers,
        body=fixture.body,
        received_at=received_at,
    )


def normalise_bytes(path: str, body: bytes) -> Normalised:
    return ROUTES[path].normalise(Verified(delivery(path, body), "basic" if path == PIPEDRIVE else "v3"))


def normalise(path: str, payload: Any) -> Normalised:
    return normalise_bytes(path, json.dumps(payload).encode())


def the_event(path: str, payload: Any) -> Event:
    result = normalise(path, payload)
    assert not result.misfits, result.misfits
    (event,) = result.events
    return event


def the_misfit(path: str, payload: Any) -> str:
    result = normalise(path, payload)
    assert not result.events
    (misfit,) = result.misfits
    return misfit.message


def hubspot(kind: str = "contact.propertyChange", **fields: Any) -> dict[str, Any]:
    """A subscription's event; a field that is set to `...` is left out."""
    event = {
        "eventId": 2_718_281_828,
        "subscriptionId": 3100001,
        "portalId": 48150001,
        "appId": 9260001,
        "occurredAt": NOW - 1000,
        "subscriptionType": kind,
        "attemptNumber": 0,
        "objectId": 451,
        "changeSource": "CRM_UI",
        "sourceId": "userId:5550001",
    }
    if kind.endswith("propertyChange"):
        event |= {"propertyName": "lifecyclestage", "propertyValue": "customer"}
    return {key: value for key, value in (event | fields).items() if value is not ...}


def pipedrive(
    action: str = "change", entity: str = "deal", *, data: Any = None, previous: Any = None, **meta: Any
) -> dict[str, Any]:
    """A v2 webhook; a key of meta that is set to `...` is left out."""
    known = {
        "action": action,
        "entity": entity,
        "entity_id": "77",
        "company_id": "9191001",
        "user_id": "13310001",
        "id": "0c825ee0-0054-4267-b5fd-000000000199",
        "timestamp": "2026-11-22T09:20:00.089Z",
        "webhook_id": "5820001",
        "change_source": "app",
        "attempt": 1,
        "version": "2.0",
    }
    kept = {key: value for key, value in (known | meta).items() if value is not ...}
    return {"data": data, "previous": previous, "meta": kept}


def pipedrive_v1(
    action: str = "updated", entity: str = "deal", *, current: Any = None, previous: Any = None, **meta: Any
) -> dict[str, Any]:
    known = {
        "v": 1,
        "action": action,
        "object": entity,
        "id": 77,
        "company_id": 9191001,
        "user_id": 13310001,
        "timestamp": 1_795_339_191,
        "timestamp_micro": 1_795_339_191_962_867,
        "webhook_id": "505975",
        "change_source": "app",
    }
    kept = {key: value for key, value in (known | meta).items() if value is not ...}
    return {"v": 1, "current": current, "previous": previous, "meta": kept, "retry": 0, "event": f"{action}.{entity}"}
