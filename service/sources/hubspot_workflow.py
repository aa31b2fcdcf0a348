"""What HubSpot's workflows send: a custom workflow action, or the plain "Send a webhook" action.

Both hand over an object with its properties; neither says what has changed or when. So the type is
`<object>.enrolled` (a workflow enrolled this object), a verb of ours that no rule for updates fires on, and
`occurred_at` is when it arrived.
"""

from typing import Any

from service.errors import Malformed
from service.model import Event, Misfit
from service.sources.delivery import Normalised, Verified
from service.sources.hubspot_words import object_word
from service.sources.keys import digest
from service.sources.payload import as_object, decode, identifier, leaves

_ID_KEYS = ("objectId", "hs_object_id", "vid", "id", "contactId")
_PORTAL_KEYS = ("portalId", "portal-id")


def normalise(verified: Verified) -> Normalised:
    """One event: the body is an object, not an array."""
    delivery = verified.delivery
    try:
        raw = as_object(decode(delivery.body), "body")
        read = _custom_action if "callbackId" in raw else _plain_webhook
        return Normalised((read(raw, delivery.received_at),))
    except Malformed as error:
        return Normalised((), (Misfit(str(error), delivery.body),))


def _custom_action(raw: dict[str, Any], received_at: int) -> Event:
    """`{callbackId, origin, context, object: {objectId, objectType, properties}, inputFields}`.

    The callback id is the identity of this execution.

    Whatever is not a property of the object stands under its own path: `hubspot.inputFields.<name>`,
    `hubspot.origin.actionDefinitionId`; only `context.workflowId` is shortened to `hubspot.workflowId`.
    """
    subject = as_object(raw.get("object"), "object")
    word = _word(subject.get("objectType"))
    object_id = identifier(subject.get("objectId"), "object.objectId")
    origin = as_object(raw.get("origin"), "origin")
    account = identifier(origin.get("portalId"), "origin.portalId")
    properties = subject.get("properties")
    values: dict[str, Any] = {}
    if type(properties) is dict:
        values |= _properties(word, properties)
    left = {key: value for key, value in raw.items() if key not in {"object", "origin"}}
    left["origin"] = {key: value for key, value in origin.items() if key != "portalId"}
    taken = {"objectId", "objectType"} | ({"properties"} if type(properties) is dict else set())
    left["object"] = {key: value for key, value in subject.items() if key not in taken}
    context = raw.get("context")
    if type(context) is dict and "workflowId" in context:
        left["context"] = {key: value for key, value in context.items() if key != "workflowId"}
        values["hubspot.workflowId"] = context["workflowId"]
    values |= leaves("hubspot", left)
    callback = identifier(raw["callbackId"], "callbackId")
    key = digest("hubspot", account, "callback", callback)
    return _enrolled(word, account, object_id, values, key=key, occurred_at=received_at)


def _plain_webhook(raw: dict[str, Any], received_at: int) -> Event:
    """Flat JSON, or `{"properties": {...}}`, where a property is plain or `{"value": …}`.

    There is no id of the execution in it. The fact key is therefore a digest of the body, and an identical body within
    the claim time counts as a redelivery: a workflow that must be able to say the same thing twice has to add a
    property that differs, e.g. a date, or use a custom workflow action.
    """
    inner = raw.get("properties")
    properties: dict[str, Any] = inner if type(inner) is dict else {}
    id_key, object_id = _first(raw, properties, _ID_KEYS)
    portal_key, account = _first(raw, properties, _PORTAL_KEYS)
    word = _word(raw.get("objectType"))
    taken = {"objectType", portal_key, "" if id_key == "hs_object_id" else id_key}
    left = {key: value for key, value in raw.items() if key not in taken}
    if type(inner) is dict:
        del left["properties"]
        values = _properties(word, properties) | dict(leaves("hubspot", left))
    else:
        values = _properties(word, left)
    key = digest("hubspot", account, "webhook", raw)
    return _enrolled(word, account, object_id, values, key=key, occurred_at=received_at)


def _enrolled(word: str, account: str, object_id: str, values: dict[str, Any], *, key: str, occurred_at: int) -> Event:
    if object_id:
        values[f"{word}.id"] = object_id
    return Event(
        source="hubspot",
        account=account,
        type=f"{word}.enrolled",
        object_id=object_id,
        occurred_at=occurred_at,
        fact_key=key,
        delivery_key=key,
        values=values,
        origin="workflow",
    )


def _word(object_type: Any) -> str:
    """`CONTACT`, `0-1` and nothing at all mean a contact; `2-12345` is its own word."""
    return "contact" if object_type is None else object_word(object_type).lower()


def _first(raw: dict[str, Any], properties: dict[str, Any], keys: tuple[str, ...]) -> tuple[str, str]:
    """The first of `keys` with a value, at the top or (then without its key) among the properties; else empty texts."""
    for fields in (raw, properties):
        for key in keys:
            value = fields.get(key)
            value = value.get("value") if type(value) is dict else value
            if value:
                return (key if fields is raw else ""), identifier(value, key)
    return "", ""


def _properties(word: str, properties: dict[str, Any]) -> dict[str, Any]:
    """A property called `id` gives way to the object's id."""
    values: dict[str, Any] = {}
    for name, value in properties.items():
        path = f"{word}.{name}" if name != "id" else "hubspot.id"
        if type(value) is dict and "value" in value:
            values[path] = value["value"]
            values |= leaves(path, {key: item for key, item in value.items() if key != "value"})
        else:
            values |= leaves(path, value)
    return values
