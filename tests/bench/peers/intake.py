"""What both peers share: HubSpot's v3 signature, the event's model, and the rule as an `if`."""

import base64
import hashlib
import hmac
import os
import time

from fastapi import HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

REDIS_URL = os.environ["REDIS_URL"]
PUBLIC_URL = os.environ["PUBLIC_URL"]
SECRET = os.environ["HUBSPOT_CLIENT_SECRET"].encode()
SAKARI_URL = os.environ["SAKARI_URL"]
CLAIM_S = 72 * 3600
_WINDOW_MS = 300_000


class Event(BaseModel):
    """One element of a HubSpot delivery: what is used of it has a name, the rest is kept for the history."""

    model_config = ConfigDict(extra="allow")

    event_id: int = Field(alias="eventId")
    subscription_type: str = Field(alias="subscriptionType")
    object_id: int = Field(alias="objectId")
    occurred_at: int = Field(alias="occurredAt")
    property_name: str | None = Field(default=None, alias="propertyName")
    property_value: str | None = Field(default=None, alias="propertyValue")

    @property
    def claim(self) -> str:
        return f"seen:{self.event_id}"

    @property
    def matches(self) -> bool:
        return (
            self.subscription_type == "contact.propertyChange"
            and self.property_name == "lifecyclestage"
            and self.property_value == "customer"
        )


_EVENTS = TypeAdapter(list[Event])


async def verified(request: Request) -> list[Event]:
    """The events of a signed delivery; 401 for any other."""
    body = await request.body()
    stamp = request.headers.get("x-hubspot-request-timestamp", "")
    if not stamp.isdigit() or abs(time.time() * 1000 - int(stamp)) > _WINDOW_MS:
        raise HTTPException(401)
    signed = b"".join((b"POST", (PUBLIC_URL + request.url.path).encode(), body, stamp.encode()))
    expected = base64.b64encode(hmac.digest(SECRET, signed, hashlib.sha256))
    if not hmac.compare_digest(expected, request.headers.get("x-hubspot-signature-v3", "").encode()):
        raise HTTPException(401)
    return _EVENTS.validate_json(body)


def contact(object_id: int, stage: str) -> dict[str, object]:
    """What is written to Sakari."""
    return {"hubspot": {"id": str(object_id)}, "attributes": {"stage": stage}}
