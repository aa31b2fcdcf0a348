"""Pipedrive: webhooks v2 (the default since March 2025) and v1.

Facts: one POST an event, no signature of any kind but HTTP Basic; three retries within three minutes and then the event
is gone; ten failed first attempts are a ban of 30 minutes, whose events are lost for ever
(https://pipedrive.readme.io/docs/guide-for-webhooks-v2). Hence `spills`: what Redis cannot store goes to a file.
"""

import base64
import binascii
import uuid
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from service.errors import Malformed, Unverified
from service.model import Event, Misfit
from service.sources import pipedrive_v1, pipedrive_v2
from service.sources.delivery import Delivery, Normalised, Route, Verified, wire
from service.sources.payload import as_object, decode
from service.sources.secret import masked, matches_any

NAME = "pipedrive"


class Config(Struct, frozen=True, kw_only=True):
    """The HTTP Basic credentials that the webhook was created with."""

    user: str = ""
    password: tuple[str, ...] = ()
    """All are valid at once: a 401 while a password is being changed would count towards a ban."""

    def faults(self, prefix: str) -> list[str]:
        """Half a login would open no path, and Pipedrive would ban a webhook that gets 404s."""
        if bool(self.user) == bool(self.password):
            return []
        missing, given = ("PASSWORD", "USER") if self.user else ("USER", "PASSWORD")
        return [f"{prefix}{missing} is not set, but {prefix}{given} is"]

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return masked(self)

    def __repr__(self) -> str:
        return f"Config({', '.join(f'{name}={value}' for name, value in masked(self))})"


def routes(config: Config, public_url: str) -> tuple[Route, ...]:
    """`/webhooks/pipedrive`, if there is a password. Nothing is signed, so `public_url` is of no use here."""
    del public_url
    if not config.password:
        return ()
    return (
        Route(
            source=NAME,
            path="/webhooks/pipedrive",
            verify=partial(verify, config=config),
            normalise=normalise,
            sign=partial(sign, config=config),
            spills=True,
        ),
    )


def verify(delivery: Delivery, *, config: Config) -> Verified:
    """Raises Unverified: missing_password, malformed_authorization or wrong_password.

    RFC 7617 leaves the charset to the server, so UTF-8 and latin-1 both count.
    """
    header = delivery.headers.get("authorization")
    if header is None:
        raise Unverified("missing_password")
    scheme, _, encoded = header.partition(" ")
    try:
        offered = base64.b64decode(wire(encoded.strip()), validate=True)
    except binascii.Error:
        raise Unverified("malformed_authorization") from None
    if scheme.lower() != "basic" or b":" not in offered:
        raise Unverified("malformed_authorization")
    if not matches_any(offered, _accepted(config)):
        raise Unverified("wrong_password")
    return Verified(delivery, "basic")


def _accepted(config: Config) -> list[bytes]:
    pairs = [f"{config.user}:{password}" for password in config.password]
    # What latin-1 cannot express must not become "?", which anybody can send.
    latin = [pair.encode("latin-1") for pair in pairs if max(pair) <= "\xff"]
    return [pair.encode() for pair in pairs] + latin


def sign(method: str, target: str, body: bytes, now_ms: int, *, config: Config) -> dict[str, str]:
    """The `authorization` header; it depends on the configuration only."""
    del method, target, body, now_ms
    return {"authorization": "Basic " + base64.b64encode(f"{config.user}:{config.password[0]}".encode()).decode()}


def normalise(verified: Verified) -> Normalised:
    """One event: a v1 body is told by its `current` or by `"v": 1`."""
    body = verified.delivery.body
    try:
        return Normalised((_event(as_object(decode(body), "body")),))
    except Malformed as error:
        return Normalised((), (Misfit(str(error), body),))


def _event(raw: dict[str, Any]) -> Event:
    meta = as_object(raw.get("meta"), "meta")
    return pipedrive_v1.event(raw, meta) if _is_v1(raw) else pipedrive_v2.event(raw, meta)


def _is_v1(raw: dict[str, Any]) -> bool:
    return "current" in raw or raw.get("v") == 1


def refresh(body: bytes, now_ms: int) -> bytes:
    """The same body as a new fact: see `Source.refresh`. v2 gets a new `meta.id`; v1 has only its `timestamp_micro`."""
    raw = as_object(decode(body), "body")
    meta = as_object(raw.get("meta"), "meta")
    if _is_v1(raw):
        meta |= {"timestamp": now_ms // 1000, "timestamp_micro": now_ms * 1000}
        return msgspec.json.encode(raw)
    meta["id"] = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{meta.get('id')}/{now_ms}"))
    if type(meta.get("timestamp")) is int:
        meta["timestamp"] = now_ms // 1000
    else:
        now = datetime.fromtimestamp(now_ms / 1000, UTC)
        meta["timestamp"] = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return msgspec.json.encode(raw)
