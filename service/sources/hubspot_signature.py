"""HubSpot's request signatures, v1 to v3, verified and made.

Not with HubSpot's SDKs: they accept timestamps of the future, Node's accepts a timestamp that is no number, and they
use the URL verbatim where the documentation has twelve sequences decoded
(https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation).
"""

import base64
import functools
import hashlib
import hmac
import re
from collections.abc import Mapping

from service.errors import Unverified
from service.sources.delivery import Delivery, Verified, wire
from service.sources.secret import matches_any

WINDOW_MS = 300_000
"""A v3 signature counts for five minutes, in both directions (clocks differ). v1 and v2 carry no time."""

_V3 = "x-hubspot-signature-v3"
_V1_OR_V2 = "x-hubspot-signature"
_VERSION = "x-hubspot-signature-version"
_TIMESTAMP = "x-hubspot-request-timestamp"

_DECODED = re.compile(rb"%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)
"""`: / ? @ ! $ ' ( ) * , ;`: all that v3 decodes before signing. `%20 %26 %3D %25 %2B` stay as they are."""


def is_signed(headers: Mapping[str, str]) -> bool:
    """Whether a signature is offered that binds the request's URL: v3 or v2."""
    return _V3 in headers or (_V1_OR_V2 in headers and headers.get(_VERSION) == "v2")


def verify(delivery: Delivery, base: bytes, secrets: tuple[str, ...], *, allow_v1: bool) -> Verified:
    """Check the strongest signature that is offered; `base` is the public URL without a trailing slash.

    v3 is chosen by its own header: HubSpot sends v1 and v3 together, and says `v1` in the version header even then.
    Raises Unverified.
    """
    headers, uri = delivery.headers, base + wire(delivery.target)
    if _V3 in headers:
        return _verify_v3(delivery, uri, secrets)
    if _V1_OR_V2 not in headers:
        raise Unverified("missing_signature")
    offered = wire(headers[_V1_OR_V2])
    if headers.get(_VERSION) == "v2":
        if matches_any(offered, [_v2(key.encode(), wire(delivery.method), uri, delivery.body) for key in secrets]):
            return Verified(delivery, "v2")
    elif not allow_v1:
        raise Unverified("v1_disabled")
    elif matches_any(offered, [_hex_sha256(key.encode() + delivery.body) for key in secrets]):
        return Verified(delivery, "v1")
    raise Unverified("mismatch")


def _verify_v3(delivery: Delivery, uri: bytes, secrets: tuple[str, ...]) -> Verified:
    timestamp = _checked_timestamp(delivery)
    method, body = wire(delivery.method), delivery.body
    expected = [_v3(key.encode(), method, form, body, timestamp) for key in secrets for form in _forms(uri)]
    if not matches_any(wire(delivery.headers[_V3]), expected):
        raise Unverified("mismatch")
    return Verified(delivery, "v3")


def _checked_timestamp(delivery: Delivery) -> bytes:
    timestamp = delivery.headers.get(_TIMESTAMP)
    if timestamp is None:
        raise Unverified("missing_timestamp")
    if len(timestamp) != 13 or not (timestamp.isascii() and timestamp.isdigit()):
        raise Unverified("malformed_timestamp")
    age = delivery.received_at - int(timestamp)
    if age > WINDOW_MS:
        raise Unverified("stale_timestamp")
    if age < -WINDOW_MS:
        raise Unverified("future_timestamp")
    return timestamp.encode()


@functools.lru_cache(16)
def _forms(uri: bytes) -> frozenset[bytes]:
    """What may have been signed: whether HubSpot decodes a query string could not be observed, so both forms count."""
    return frozenset((decode_uri(uri), uri))


def decode_uri(uri: bytes) -> bytes:
    """Decode exactly the twelve sequences that v3 decodes, once, from left to right."""
    return _DECODED.sub(lambda match: bytes.fromhex(match[1].decode()), uri)


def sign_v3(secret: str, method: str, uri: bytes, body: bytes, now_ms: int) -> dict[str, str]:
    """The headers of a webhook subscription's delivery."""
    timestamp = str(now_ms)
    signature = _v3(secret.encode(), wire(method), decode_uri(uri), body, timestamp.encode())
    return {_V3: signature.decode(), _TIMESTAMP: timestamp}


def sign_v2(secret: str, method: str, uri: bytes, body: bytes) -> dict[str, str]:
    """The headers of a workflow's delivery."""
    return {_V1_OR_V2: _v2(secret.encode(), wire(method), uri, body).decode(), _VERSION: "v2"}


def _v3(key: bytes, method: bytes, uri: bytes, body: bytes, timestamp: bytes) -> bytes:
    return base64.b64encode(hmac.digest(key, method + uri + body + timestamp, "sha256"))


def _v2(key: bytes, method: bytes, uri: bytes, body: bytes) -> bytes:
    return _hex_sha256(key + method + uri + body)


def _hex_sha256(message: bytes) -> bytes:
    return hashlib.sha256(message).hexdigest().encode()
