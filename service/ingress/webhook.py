"""The routes that take deliveries, as bare ASGI: a request is read, and answered, and that is all.

Litestar's handlers for HTTP (arguments, responses, serialisation by type) would take as long again as everything that is done
with the delivery.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import structlog
from litestar import Litestar, asgi
from litestar.handlers import ASGIRouteHandler
from litestar.openapi.spec import (
    OpenAPI,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    PathItem,
    Reference,
    RequestBody,
    Schema,
)
from litestar.types import HTTPScope, Receive, Send

from service.errors import Refusal, StoreUnavailable
from service.ingress.bodies import ARRIVED, Bodies, Gone
from service.ingress.http import BROKEN, Fault
from service.ingress.receive import Answer, Desk, receive
from service.observe.metrics import ACKNOWLEDGE, DELIVERIES, RETRIED, of
from service.sources.delivery import Delivery, Route

log = structlog.get_logger("sluice.ingress")

_HINTS = {
    "wrong_password": "The user or the password is not that of SLUICE_PIPEDRIVE_USER and SLUICE_PIPEDRIVE_PASSWORD.",
    "missing_password": "The webhook was set up without HTTP authentication.",
    "malformed_authorization": "The header Authorization is not that of HTTP Basic authentication.",
    "wrong_secret": "The secret is not that of SLUICE_HUBSPOT_WORKFLOW_SECRET.",
    "missing_signature": "There is no signature (and no secret, where one is allowed).",
    "v1_disabled": "There is only a v1 signature, which can be replayed; SLUICE_HUBSPOT_ALLOW_V1 would accept it.",
    "mismatch": "The signature does not fit. Check the client secret, and that SLUICE_PUBLIC_URL is what HubSpot calls.",
    "body_too_large": "The body is larger than SLUICE_MAX_BODY.",
    "body_too_slow": "The body took longer than ten seconds to arrive.",
    "body_truncated": "The body is not as long as its Content-Length says.",
    "upgrade_offered": "Send it without the headers Connection: Upgrade and Upgrade, which make the body another protocol's.",
    "too_many_bodies": "Too many large bodies are arriving at once. Send it again.",
    "store_unavailable": "Nothing was stored. Send it again.",
}
_HINT = "The timestamp is missing, no number, or more than five minutes away from this machine's clock."
_UNREAD = {"body_too_large", "body_too_slow", "body_truncated", "upgrade_offered", "too_many_bodies"}
"""What is answered without the whole body: the rest of the connection's bytes means nothing."""
_CLOSE = (b"connection", b"close")
_ABOUT_CONNECTION = (b"connection", b"proxy-connection")
"""The HTTP parser takes either for the other."""
_ONLY_POST = Fault("method_not_allowed", "Deliveries are sent with POST.")


class Ingress(Litestar):
    """Litestar, but a request for exactly the path of a webhook goes straight to its handler.

    Finding the route, and keeping state for errors that the handler answers itself, would be a seventh of a delivery's cost.
    """

    def __init__(self, webhooks: Sequence[ASGIRouteHandler], others: Sequence[Any], **settings: Any) -> None:
        super().__init__([*webhooks, *others], **settings)
        self._straight = {path: webhook.fn for webhook in webhooks for path in webhook.paths}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Take an ASGI connection."""
        straight = self._straight.get(scope["path"]) if scope["type"] == "http" else None
        await (straight or super().__call__)(scope, receive, send)


def webhook(route: Route, desk: Desk, bodies: Bodies) -> ASGIRouteHandler:
    """Make the handler of one route."""
    for known in ("accepted", *_HINTS):  # a counter that begins at its first event hides that event from alerts
        of(DELIVERIES, route.source, known)
    of(RETRIED, route.source)
    took = of(ACKNOWLEDGE, route.source)

    @asgi(route.path, name=route.path, copy_scope=False)
    async def handle(scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Take a signed delivery: a 2xx means that it is stored."""
        if scope["method"] != "POST":
            await _answer(send, 405, _ONLY_POST, (b"allow", b"POST"), _CLOSE)  # its body was not read
            return
        started = time.perf_counter()
        try:
            status, verdict, answer = await _take(scope, receive, route, desk, bodies)
        except Gone:
            return
        except Exception as error:  # whatever it is, the sender is to come back
            log.error("request broke", path=route.path, exc_info=error)
            status, verdict, answer = 500, "internal_error", BROKEN
        of(DELIVERIES, route.source, verdict).inc()
        took.observe(time.perf_counter() - started)
        await _answer(send, status, answer, *([_CLOSE] if verdict in _UNREAD else []))

    return handle


async def _take(
    scope: HTTPScope, incoming: Receive, route: Route, desk: Desk, bodies: Bodies
) -> tuple[int, str, Answer | Fault]:
    """The status, a word for it, and the body of the answer. Raises Gone."""
    try:
        delivery = await _read(scope, incoming, bodies, desk.now())
        await desk.turns.take(len(delivery.body))
        return 200, "accepted", await receive(route, delivery, desk)
    except Refusal as refusal:
        hint = _HINTS.get(refusal.reason, _HINT)
        desk.complaints.hear("refused", route.source, refusal.reason, hint, now=desk.now())
        return refusal.status, refusal.reason, Fault(refusal.reason, hint)
    except StoreUnavailable as error:
        hint = "the sender is told to send it again (503)"
        desk.complaints.hear("not stored", route.source, str(error), hint, now=desk.now())
        return 503, "store_unavailable", Fault("store_unavailable", _HINTS["store_unavailable"])


async def _read(scope: HTTPScope, incoming: Receive, bodies: Bodies, now: int) -> Delivery:
    """Read a request exactly as it was sent. Raises as `Bodies.read`."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    if "upgrade" in headers:  # of several headers of one name only the last is there, and the parser obeys them all
        said = [value.decode("latin-1") for name, value in scope["headers"] if name in _ABOUT_CONNECTION]
        headers["connection"] = ", ".join(said)
    body = await bodies.read(headers, incoming, arrived=ARRIVED in scope)
    query = scope["query_string"]
    target = scope["raw_path"] + (b"?" + query if query else b"")
    return Delivery(
        method=scope["method"], target=target.decode("latin-1"), headers=headers, body=body, received_at=now
    )


async def _answer(send: Send, status: int, answer: Answer | Fault, *headers: tuple[bytes, bytes]) -> None:
    body = msgspec.json.encode(answer)
    about = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": about})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def describe(openapi: OpenAPI, routes: Iterable[Route]) -> None:
    """Put the routes into the description of the API, where Litestar leaves bare ASGI out."""
    told = Schema(type=OpenAPIType.OBJECT, properties=dict.fromkeys(Answer.__struct_fields__, _NUMBER))
    fault = Schema(type=OpenAPIType.OBJECT, properties=dict.fromkeys(Fault.__struct_fields__, _TEXT))
    answers: dict[str, OpenAPIResponse | Reference] = {
        "200": OpenAPIResponse("Everything is stored.", content={_JSON: OpenAPIMediaType(told)}),
        "400": OpenAPIResponse("The body is not all there.", content={_JSON: OpenAPIMediaType(fault)}),
        "408": OpenAPIResponse("The body took too long.", content={_JSON: OpenAPIMediaType(fault)}),
        "401": OpenAPIResponse("The sender is not proven.", content={_JSON: OpenAPIMediaType(fault)}),
        "413": OpenAPIResponse("The body is too large.", content={_JSON: OpenAPIMediaType(fault)}),
        "503": OpenAPIResponse("Nothing was stored. Send it again.", content={_JSON: OpenAPIMediaType(fault)}),
    }
    for route in routes:
        does = Operation(
            summary=f"Take a delivery of {route.source}",
            description="Take a signed delivery: a 2xx means that it is stored.",
            operation_id=f"Receive{route.path.title().replace('/', '')}",
            request_body=RequestBody({_JSON: OpenAPIMediaType(Schema())}, required=True),
            responses=answers,
        )
        openapi.paths = {**(openapi.paths or {}), route.path: PathItem(post=does)}


_JSON = "application/json"
_NUMBER, _TEXT = Schema(type=OpenAPIType.INTEGER), Schema(type=OpenAPIType.STRING)
