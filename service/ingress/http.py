"""HTTP for the ingress beside its webhooks: errors as answers, and whether the process is alive and ready."""

from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import MediaType, Request, Response, get
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct
from redis.exceptions import RedisError

from service.ingress.receive import Desk
from service.store import Store

log = structlog.get_logger("sluice.ingress")


class Fault(Struct, frozen=True):
    """The body of an answer that is not 2xx: a fixed word, and what to do."""

    error: str
    message: str


BROKEN = Fault("internal_error", "A fault of Sluice itself; the log says where.")


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
    return _json(BROKEN, 500)


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
        silence = await store.silence(within_s=1)
        # While Redis is down this process still answers its senders as it should (503, or the spill folder),
        # so it stays ready: taking it away would turn HubSpot's 503 into a refused connection, and lose Pipedrive's events.
        ready = desk.rules.usable
        problems = desk.rules.problems
        if silence:
            problems.append(f"Redis: {silence}; HubSpot is told to come back, Pipedrive is spilled to disk if allowed")
        problems += desk.complaints.fresh(desk.now())
        spilled = desk.spill.state().deliveries if desk.spill else 0
        rule_set = desk.rules.rule_set
        report = Readiness(ready, problems, rule_set.version, len(rule_set.rules), not silence, spilled)
        return _json(report, 200 if ready else 503)

    return handle


def _json(body: Struct, status: int) -> Response[bytes]:
    return Response(msgspec.json.encode(body), status_code=status, media_type=MediaType.JSON)
