"""HubSpot: an app's webhook subscriptions, and (in `hubspot_workflow`) what its workflows send.

Facts: a delivery is an array of up to 100 events, retried up to ten times over a day on any 4xx or 5xx; its order means
nothing; an event carries ids and at most one property (https://developers.hubspot.com/docs/api-reference/legacy/webhooks/guide).
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Struct

from service.errors import Malformed, Unverified
from service.model import Event, Misfit
from service.sources import hubspot_signature as signature
from service.sources import hubspot_words as words
from service.sources import hubspot_workflow as workflow
from service.sources.delivery import Delivery, Normalised, Route, Verified, wire
from service.sources.keys import digest
from service.sources.payload import count, decode, identifier, instant
from service.sources.secret import masked, matches_any

NAME = "hubspot"

MOST_EVENTS = 10_000
"""A hundred times what HubSpot sends at once; more is no delivery, and would keep everybody else waiting."""


class Config(Struct, frozen=True, kw_only=True):
    """Several values of one secret are all valid, so that it can be rotated; the first one signs."""

    client_secret: tuple[str, ...] = ()
    """The app's client secret; without it only the workflow route can exist."""
    workflow_secret: tuple[str, ...] = ()
    """For workflows that send without a signature: HubSpot's "API key" mode, in a header or in the query."""
    allow_v1: bool = False
    """Whether v1 signatures count. They bind neither URL nor time: a recorded delivery can be replayed for ever."""

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return masked(self)

    def __repr__(self) -> str:
        return f"Config({', '.join(f'{name}={value}' for name, value in masked(self))})"


def routes(config: Config, public_url: str) -> tuple[Route, ...]:
    """`/webhooks/hubspot` if there is a client secret, `/webhooks/hubspot/workflow` if there is any secret."""
    base = public_url.rstrip("/").encode()
    subscriptions = Route(
        source=NAME,
        path="/webhooks/hubspot",
        verify=partial(verify, config=config, base=base),
        normalise=normalise,
        sign=partial(sign, config=config, base=base),
        spills=False,
    )
    workflows = Route(
        source=NAME,
        path="/webhooks/hubspot/workflow",
        verify=partial(verify_workflow, config=config, base=base),
        normalise=workflow.normalise,
        sign=partial(sign_workflow, config=config, base=base),
        spills=False,
    )
    if config.client_secret:
        return subscriptions, workflows
    return (workflows,) if config.workflow_secret else ()


def verify(delivery: Delivery, *, config: Config, base: bytes) -> Verified:
    """Raises Unverified: missing_signature, missing_, malformed_, stale_ or future_timestamp, v1_disabled, mismatch."""
    return signature.verify(delivery, base, config.client_secret, allow_v1=config.allow_v1)


def verify_workflow(delivery: Delivery, *, config: Config, base: bytes) -> Verified:
    """A v3 or v2 signature; without one the static secret, if one is configured.

    Raises Unverified as `verify` does, or with wrong_secret.
    """
    offered = _offered_secrets(delivery) if config.workflow_secret else []
    if not offered or (config.client_secret and signature.is_signed(delivery.headers)):
        return signature.verify(delivery, base, config.client_secret, allow_v1=False)
    accepted = [secret.encode() for secret in config.workflow_secret]
    # sum() and not any(): every offered secret is compared, whichever is right.
    if not sum(matches_any(secret, accepted) for secret in offered):
        raise Unverified("wrong_secret")
    return Verified(delivery, "secret")


def _offered_secrets(delivery: Delivery) -> list[bytes]:
    """From `x-sluice-secret`, `authorization: Bearer …` and the query parameter `secret`.

    A `+` in the query stands for itself: in a base64 secret it is likelier than an encoded space.
    """
    offered = []
    if "x-sluice-secret" in delivery.headers:
        offered.append(wire(delivery.headers["x-sluice-secret"]))
    scheme, _, token = delivery.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        offered.append(wire(token.strip()))
    for pair in wire(delivery.target).partition(b"?")[2].split(b"&"):
        name, _, value = pair.partition(b"=")
        if name == b"secret":
            offered.append(unquote_to_bytes(value))
    return offered


def sign(method: str, target: str, body: bytes, now_ms: int, *, config: Config, base: bytes) -> dict[str, str]:
    return signature.sign_v3(config.client_secret[0], method, base + wire(target), body, now_ms)


def sign_workflow(method: str, target: str, body: bytes, now_ms: int, *, config: Config, base: bytes) -> dict[str, str]:
    """As HubSpot does it: v2, which carries no time (so `now_ms` is unused); or the static secret."""
    del now_ms
    if config.client_secret:
        return signature.sign_v2(config.client_secret[0], method, base + wire(target), body)
    return {"x-sluice-secret": config.workflow_secret[0].encode().decode("latin-1")}


def normalise(verified: Verified) -> Normalised:
    """One event for each element of the array; a bare object (a relay such as n8n unwraps it) counts as one element."""
    body = verified.delivery.body
    try:
        batch = decode(body)
    except Malformed as error:
        batch = _pieces(body)
        if batch is None:
            return Normalised((), (Misfit(str(error), body),))
    if type(batch) is dict:
        batch = [batch]
    if type(batch) is not list:
        return Normalised((), (Misfit("expected an array of events", body),))
    if len(batch) > MOST_EVENTS:
        return Normalised((), (Misfit(f"more than {MOST_EVENTS} elements; HubSpot sends a hundred at most", body),))
    events: list[Event] = []
    misfits: list[Misfit] = []
    for index, raw in enumerate(batch):
        try:
            events.append(_element(raw))
        except Malformed as error:
            piece = bytes(raw) if type(raw) is msgspec.Raw else msgspec.json.encode(raw)
            misfits.append(Misfit(f"[{index}]{error}", piece))
    return Normalised(tuple(events), tuple(misfits))


def _pieces(body: bytes) -> list[msgspec.Raw] | None:
    """Cut an array that cannot be read as a whole into its elements: one of them must not cost the others."""
    try:
        return msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _element(raw: Any) -> Event:
    """Make an event of one element of the array. Raises Malformed, with what to put behind the index."""
    try:
        content = decode(bytes(raw)) if type(raw) is msgspec.Raw else raw
    except Malformed as error:
        raise Malformed(f": {error}") from None
    if type(content) is not dict:
        raise Malformed(": expected an object")
    try:
        return _event(content)
    except Malformed as error:
        raise Malformed(f".{error}") from None


def _event(raw: dict[str, Any]) -> Event:
    # HubSpot's own example has `eventType`, every delivery seen so far `subscriptionType`.
    type_key = "eventType" if "eventType" in raw and "subscriptionType" not in raw else "subscriptionType"
    spelled = identifier(raw.get(type_key), type_key)
    word, verb = words.subject(spelled, raw.get("objectTypeId", raw.get("fromObjectTypeId")))
    account = identifier(raw.get("portalId"), "portalId")
    id_key, object_id = _object_id(raw, verb)
    event_type = f"{word}.{verb}" if verb else spelled
    prop = _property(raw) if verb == "updated" else None
    attempt = count(raw.get("attemptNumber"))
    taken = {type_key, id_key, "portalId", "occurredAt"}
    if prop is not None:
        taken |= {"propertyName", "propertyValue"}
    if attempt is not None:
        taken.add("attemptNumber")
    fact_key = _fact_key(raw, account, event_type, object_id, known=bool(verb))
    return Event(
        source=NAME,
        account=account,
        type=event_type,
        object_id=object_id,
        occurred_at=instant(raw.get("occurredAt"), "occurredAt"),
        fact_key=fact_key,
        delivery_key=digest(fact_key, spelled, *map(raw.get, _OF_THE_NOTIFICATION)),
        values=_values(raw, word, verb, object_id, taken),
        changed=() if prop is None else (f"{word}.{prop}",),
        actor=words.actor(raw.get("changeSource"), raw.get("sourceId")),
        origin=words.origin(raw.get("changeSource")),
        attempt=attempt or 0,
    )


_OF_THE_NOTIFICATION = ("objectTypeId", "appId", "subscriptionId", "eventId")
_OF_THE_FACT = (
    *("fromObjectId", "toObjectId", "associationType", "associationTypeId", "associationRemoved"),
    *("isPrimaryAssociation", "propertyName", "propertyValue", "messageId", "occurredAt"),
)


def _fact_key(raw: dict[str, Any], account: str, event_type: str, object_id: str, *, known: bool) -> str:
    """The same over redeliveries, over `contact.*` and `object.*` subscriptions, and over two apps.

    `eventId` has no part in it: it is a random 32-bit number, of which two in 100,000 events are likely to be equal.
    Of a type that we do not know every field may be part of the fact.
    """
    if known:
        return digest(NAME, account, event_type, object_id, *map(raw.get, _OF_THE_FACT))
    passing = {*_OF_THE_NOTIFICATION, "attemptNumber", "subscriptionType", "eventType"}
    return digest(NAME, account, event_type, {key: value for key, value in raw.items() if key not in passing})


def _object_id(raw: dict[str, Any], verb: str) -> tuple[str, str]:
    """The key that names the object, and its id; both empty only for a type that we do not know."""
    for key in _ID_KEYS.get(verb, ("objectId", "contactId")):
        if raw.get(key):
            break
    else:
        key = "fromObjectId" if verb == "associated" else "objectId"
    try:
        return key, identifier(raw.get(key), key)
    except Malformed:
        if verb:
            raise
        return "", ""


_ID_KEYS = {
    # The survivor of a merge: a new record if one was made, else the primary one.
    "merged": ("newObjectId", "primaryObjectId", "objectId"),
    "associated": ("fromObjectId",),  # these events have no objectId
}
"""Verb -> where the id may stand, first choice first; elsewhere in `objectId`, which n8n renames to `contactId`."""


def _property(raw: dict[str, Any]) -> str | None:
    """The name of the changed property. One that is called `id` must not pose as the object's id: it stays raw."""
    name = raw.get("propertyName")
    return name if type(name) is str and name != "id" else None


def _values(raw: dict[str, Any], word: str, verb: str, object_id: str, taken: set[str]) -> dict[str, Any]:
    """The object's paths, and `hubspot.<key>` for every key that is not `taken`, whether we know it or not."""
    values: dict[str, Any] = {}
    if object_id:
        values[f"{word or 'object'}.id"] = object_id
    if "propertyName" in taken:
        if "propertyValue" in raw:
            values[f"{word}.{raw['propertyName']}"] = raw["propertyValue"]
    elif verb in _DETAILS:
        values |= {f"{word}.{path}": value for path, value in _DETAILS[verb](raw)}
    for key, value in raw.items():
        if key not in taken:
            values[f"hubspot.{key}"] = value
    return values


def _merge(raw: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    merged = raw.get("mergedObjectIds")
    if type(merged) is list:
        yield "merged_ids", [_text(each) for each in merged]


def _association(raw: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    kind, other = raw.get("associationType"), raw.get("toObjectTypeId")
    if kind is not None:
        yield "association.type", kind
    yield "association.from_id", _text(raw["fromObjectId"])
    if "toObjectId" in raw:
        yield "association.to_id", _text(raw["toObjectId"])
    if type(other) is str:
        yield "association.to_type", words.OBJECTS.get(other, other)
    elif type(kind) is str and "_TO_" in kind:
        yield "association.to_type", kind.partition("_TO_")[2].lower()  # DEAL_TO_LINE_ITEM
    if "associationRemoved" in raw:
        yield "association.removed", raw["associationRemoved"]
    if "isPrimaryAssociation" in raw:
        yield "association.primary", raw["isPrimaryAssociation"]


def _message(raw: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    if "messageId" in raw:
        yield "message_id", _text(raw["messageId"])
    if "messageType" in raw:
        yield "message_type", raw["messageType"]


_DETAILS: dict[str, Callable[[dict[str, Any]], Iterator[tuple[str, Any]]]] = {
    "merged": _merge,
    "associated": _association,
    "messaged": _message,
}


def _text(value: Any) -> Any:
    """Ids are text everywhere in an Event; HubSpot sends them as integers."""
    return str(value) if type(value) is int else value


def refresh(body: bytes, now_ms: int) -> bytes:
    """The same body as a new fact: see `Source.refresh`.

    Subscriptions get new `occurredAt` and `eventId`, a custom workflow action a new `callbackId`; the plain webhook of
    a workflow has nothing like it, so it gets one more property, `sluice_sent_at`.
    """
    decoded = decode(body)
    batch = [decoded] if type(decoded) is dict else decoded
    for index, raw in enumerate(batch if type(batch) is list else []):
        if type(raw) is not dict:
            continue
        if "callbackId" in raw:
            raw["callbackId"] = f"{raw['callbackId']}-{now_ms}"
        elif "occurredAt" in raw:
            raw["occurredAt"] = now_ms
            raw["eventId"] = (now_ms + index) % 2**32
        else:
            raw["sluice_sent_at"] = now_ms
    return msgspec.json.encode(decoded)
