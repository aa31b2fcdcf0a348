"""Signed deliveries of HubSpot, as many as wanted, each event of a contact of its own."""

import itertools
import time
from collections.abc import Iterable

import msgspec

from service.sources.delivery import Route
from tests.bench.load import request

PATH = "/webhooks/hubspot"
RULE = """\
version: 1
rules:
  - id: mark
    event: contact.updated
    when: { source: hubspot, contact.lifecyclestage: { changed_to: customer } }
    then:
      - do: update_attributes
        with:
          type: contacts
          contact: { hubspot: { id: "${contact.id}" }, attributes: { stage: "${contact.lifecyclestage}" } }
"""
"""The one rule of the bench: one call of Sakari for each event that matches."""

_numbers = itertools.count(1)


def deliveries(route: Route, count: int, *, events: int = 1, match_every: int = 1) -> list[bytes]:
    """Requests as they go over the wire: `count` of them with `events` new events each, of which each nth matches.

    They are signed now, and a signature is good for five minutes.
    """
    now = time.time_ns() // 1_000_000
    bodies = (_body(itertools.islice(_numbers, events), match_every, now) for _ in range(count))
    return [request("POST", PATH, _headers(route, body, now), body) for body in bodies]


def _headers(route: Route, body: bytes, now: int) -> dict[str, str]:
    return {"content-type": "application/json", **route.sign("POST", PATH, body, now)}


def _body(numbers: Iterable[int], match_every: int, now: int) -> bytes:
    return msgspec.json.encode([property_change(n, now, matches=n % match_every == 0) for n in numbers])


def property_change(number: int, now: int, *, matches: bool) -> dict[str, object]:
    """One event; all that belongs to one number is unique to it."""
    return {
        "eventId": number,
        "subscriptionId": 3100001,
        "portalId": 48150001,
        "appId": 9260001,
        "occurredAt": now,
        "subscriptionType": "contact.propertyChange",
        "attemptNumber": 0,
        "objectId": 310_000_000_000 + number,
        "propertyName": "lifecyclestage" if matches else "nobody_asks",
        "propertyValue": "customer",
        "changeSource": "CRM_UI",
        "sourceId": "userId:5550001",
    }
