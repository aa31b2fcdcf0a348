"""HTTP for the ingress: bodies within bounds, errors as answers, and whether the process is alive and ready."""

import time
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import MediaType, Request, Response, get, post
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct
from redis.exceptions import RedisError

from service.errors import Refusal, StoreUnavailable, TooLarge
from service.ingress.receive import Answer, Desk, receive
from service.observe.metrics import ACKNOWLEDGE, DELIVERIES, RETRIED
from service.sources.delivery import Delivery, Route
from service.store import Store

log = structlog.get_logger("sluice.ingress")


class Fault(Struct, frozen=True):
    """The body of an answer that is not 2xx: a fixed word, and what to do."""

    error: str
    message: str


_HINTS = {
    "wrong_password": "The user or the password is not that of SLUICE_PIPEDRIVE_USER and SLUICE_PIPEDRIVE_PASSWORD.",
    "missing_password": "The webhook was set up without HTTP authentication.",
    "malformed_authorization": "The header Authorization is not that of HTTP Basic authentication.",
    "wrong_secret": "The secret is not that of SLUICE_HUBSPOT_WORKFLOW_SECRET.",
    "missing_signature": "There is no signature (and no secret, where one is allowed).",
    "v1_disabled": "There is only a v1 signature, which can be replayed; SLUICE_HUBSPOT_ALLOW_V1 would accept it.",
    "mismatch": "The signature does not fit. Check the client secret, and that SLUICE_PUBLIC_URL is what HubSpot calls.",
    "body_too_large": "The body is larger than SLUICE_MAX_BODY.",
    "store_unavailable": "Nothing was stored. Send it again.",
}
_HINT = "The timestamp is missing, no number, or more than five minutes away from this machine's clock."


def webhook(route: Route, desk: Desk, max_body: int) -> HTTPRouteHandler:
    """Make the handler of one route."""
    for known in ("accepted", *_HINTS):  # a counter that begins at its first event hides that event from alerts
        DELIVERIES.labels(route.source, known)
    RETRIED.labels(route.source)

    @post(route.path, name=route.path, status_code=200, request_max_body_size=None, include_in_schema=True)
    async def handle(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Take a signed delivery: a 2xx means that it is stored."""
        started = time.perf_counter()
        try:
            delivery = await _read(request, max_body, desk.now())
            answer: Answer | Fault = await receive(route, delivery, desk)
            status, verdict = 200, "accepted"
        except Refusal as refusal:
            status, verdict = refusal.status, refusal.reason
            answer = Fault(refusal.reason, _HINTS.get(refusal.reason, _HINT))
        except StoreUnavailable:
            status, verdict = 503, "store_unavailable"
            answer = Fault(verdict, _HINTS[verdict])
        DELIVERIES.labels(route.source, verdict).inc()
        ACKNOWLEDGE.labels(route.source).observe(time.perf_counter() - started)
        return _json(answer, status)

    return handle


async def _read(request: Request[Any, Any, Any], max_body: int, now: int) -> Delivery:
    """Read a request exactly as it was sent. Raises TooLarge without reading more than allowed."""
    scope = request.scope
    if int(request.headers.get("content-length") or 0) > max_body:
        raise TooLarge("body_too_large")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_body:
            raise TooLarge("body_too_large")
    query: bytes = scope.get("query_string", b"")
    target: bytes = scope["raw_path"] + (b"?" + query if query else b"")
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    return Delivery(
        method=request.method,
        target=target.decode("latin-1"),
        headers=headers,
        body=bytes(body),
        received_at=now,
    )


def fault(_: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer what Litestar itself refuses (no such path, wrong method, bad query) in the form of all our answers."""
    word = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return _json(Fault(word, error.detail), error.status_code)


def away(_: Request[Any, Any, Any], error: RedisError) -> Response[bytes]:
    """Answer a look at Redis that is not possible just now."""
    log.warning("redis away", error=type(error).__name__)
    return _json(Fault("store_unavailable", "Redis does not answer as it should. Try again in a moment."), 503)


def broken(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer a fault of Sluice itself, and log where it happened."""
    log.error("request broke", path=request.scope["path"], exc_info=error)
    return _json(Fault("internal_error", "A fault of Sluice itself; the log says where."), 500)


def too_deep(_: Request[Any, Any, Any], __: RecursionError) -> Response[bytes]:
    """Answer a body that is nested so deeply that nobody can have meant it."""
    return _json(Fault("bad_request", "the body is nested too deeply"), 400)


@get("/livez", media_type=MediaType.TEXT)
async def livez() -> str:
    """Say that the process runs; nothing else, so that a Redis outage restarts nobody."""
    return "ok"


class Readiness(Struct, frozen=True):
    """Whether this process can do its work, and if not, what is wrong. `ruleset` tells processes apart by their rules."""

    ready: bool
    problems: list[str]
    ruleset: str
    rules: int
    redis: bool
    spilled: int


def readyz(desk: Desk, store: Store) -> HTTPRouteHandler:
    """Make the handler of the readiness probe."""

    @get("/readyz")
    async def handle() -> Response[bytes]:
        """Say whether this process can do its work, and what is wrong."""
        # A probe waits for seconds only, and takes silence for "not ready".
        redis = await store.answers(within_s=1)
        # While Redis is down this process still answers its senders as it should (503, or the spill folder),
        # so it stays ready: taking it away would turn HubSpot's 503 into a refused connection, and lose Pipedrive's events.
        ready = desk.rules.usable
        problems = desk.rules.problems
        if not redis:
            problems.append(
                "Redis does not answer: HubSpot is told to come back, Pipedrive is spilled to disk if allowed"
            )
        spilled = desk.spill.state().deliveries if desk.spill else 0
        rule_set = desk.rules.rule_set
        report = Readiness(ready, problems, rule_set.version, len(rule_set.rules), redis, spilled)
        return _json(report, 200 if ready else 503)

    return handle


def _json(body: Struct, status: int) -> Response[bytes]:
    return Response(msgspec.json.encode(body), status_code=status, media_type=MediaType.JSON)
