"""The routes of the admin API put together, their faults, and their description."""

from collections.abc import Callable
from typing import Any

from litestar import MediaType, Request, Response, Router
from litestar.datastructures import ResponseHeader
from litestar.exceptions import NotFoundException, ValidationException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from service.ingress.admin.events import events
from service.ingress.admin.letters import letters
from service.ingress.admin.looks import looks
from service.ingress.admin.playground import playground
from service.ingress.gate import Bearers, gate
from service.ingress.http import fault
from service.ingress.rulebook import RuleBook
from service.insight.stories import RuleSets
from service.insight.trial import MOST_BYTES
from service.store import Store


def admin(bearers: Bearers, store: Store, book: RuleBook, rule_sets: RuleSets, now: Callable[[], int]) -> Router:
    """Make the routes. Every one of them needs a token."""
    handlers = [
        *looks(store, book, now),
        *events(store, rule_sets),
        *letters(store, now),
        playground(store, now),
    ]
    return Router(
        "/api",
        route_handlers=handlers,
        guards=[gate(bearers)],
        security=[{"token": []}],
        response_headers=[ResponseHeader(name="cache-control", value="no-store", description="Nobody may keep it.")],
        exception_handlers={ValidationException: _invalid},
        request_max_body_size=4 * MOST_BYTES,
    )


def describe(bearers: Bearers) -> OpenAPIConfig:
    """Describe the API at /api/openapi.json, for those who may use it. The console shows it as a page."""
    return OpenAPIConfig(
        title="Sluice",
        version="1",
        description="Webhooks in, and what operators look at and do. Times are milliseconds since the epoch, UTC.",
        components=Components(security_schemes={"token": SecurityScheme(type="http", scheme="bearer")}),
        use_handler_docstrings=True,
        render_plugins=[JsonRenderPlugin(path="/openapi.json", media_type=MediaType.JSON)],
        openapi_router=Router(
            "/api", route_handlers=[], guards=[gate(bearers)], include_in_schema=False, after_request=_no_page
        ),
    )


async def _no_page(response: Response[Any]) -> Response[Any]:
    """Litestar answers an unknown path below that of a description with a page; here it gets what every fault gets."""
    if response.status_code == 404:
        raise NotFoundException("there is no such path; /api/openapi.json lists those that there are")
    return response


def _invalid(request: Request[Any, Any, Any], error: ValidationException) -> Response[bytes]:
    """Say what is wrong with a request, and where; never what it held."""
    found = error.extra if isinstance(error.extra, list) else []
    said = [f"{one.get('key', 'the request')}: {one.get('message', '')}" for one in found]
    said = ["the body is missing" if one == "data: 'data'" else one for one in said]
    return fault(request, ValidationException("; ".join(said) or error.detail))
