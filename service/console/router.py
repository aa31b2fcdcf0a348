"""The console as one router: every page behind the guard, but for the sign-in page and the files that look the same to all."""

import asyncio
from importlib.resources import files
from typing import Any

from litestar import Request, Response, Router, get
from litestar.exceptions import HTTPException, NotAuthorizedException, NotFoundException
from litestar.params import FromPath
from redis.exceptions import RedisError

from service.console.api_page import api_page
from service.console.desk import Desk
from service.console.doors import doors, signed_in, turned_away
from service.console.letters import letters
from service.console.live import live
from service.console.pages import pages
from service.console.playground import playground
from service.console.render import HEADERS

_MOST_BODY = 512 * 1024
_STATIC = {"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}


def console(desk: Desk, stopping: asyncio.Event) -> Router:
    """Make the routes under /console."""

    def fault(request: Request[Any, Any, Any], error: HTTPException) -> Response[str]:
        who = request.scope["state"].get("who")
        titles = {403: "Not allowed", 404: "Not found", 400: "That was not understood", 413: "Too large"}
        title = titles.get(error.status_code, "That did not work")
        return desk.page("error.html", who, status=error.status_code, title=title, detail=error.detail)

    def no_redis(request: Request[Any, Any, Any], _: Exception) -> Response[str]:
        detail = (
            "Redis does not answer, so there is nothing to show. Deliveries are refused or spilled meanwhile, not lost."
        )
        who = request.scope["state"].get("who")
        return desk.page("error.html", who, status=503, title="Redis does not answer", detail=detail)

    behind = Router(
        "/",
        route_handlers=[*pages(desk), *letters(desk), *playground(desk), *live(desk, stopping), api_page(desk)],
        guards=[signed_in(desk)],
    )
    return Router(
        "/console",
        route_handlers=[_static, *doors(desk), behind],
        exception_handlers={
            HTTPException: fault,
            NotAuthorizedException: turned_away(desk),
            RedisError: no_redis,
            TimeoutError: no_redis,
            OSError: no_redis,
        },
        request_max_body_size=_MOST_BODY,
        include_in_schema=False,
    )


@get("/static/{name:str}")
async def _static(name: FromPath[str]) -> Response[bytes]:
    """Give a file of ours."""
    if name not in _STATIC:
        raise NotFoundException("There is no such file.")
    body = (files("service.console") / "static" / name).read_bytes()
    headers = HEADERS | {"cache-control": "public, max-age=300"}
    return Response(body, media_type=_STATIC[name], headers=headers)
