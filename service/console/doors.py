"""The doors of the console: signing in and out, who may pass, and that a form is ours."""

import re
from typing import Any
from urllib.parse import quote, urlsplit

import structlog
from litestar import Request, Response, get, post
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.exceptions import HTTPException, NotAuthorizedException, PermissionDeniedException
from litestar.handlers import HTTPRouteHandler
from litestar.handlers.base import BaseRouteHandler
from litestar.params import FromQuery
from litestar.response import Redirect
from litestar.types import Guard

from service.console import session
from service.console.desk import Desk
from service.console.render import PRIVATE
from service.insight.throttle import Throttle

log = structlog.get_logger("sluice.console")

Asked = Request[Any, Any, Any]


def cookie_name(desk: Desk) -> str:
    """The session's cookie; over https with the prefix that binds it to this host."""
    return "__Host-sluice" if desk.secure else "sluice-console"


def signed_in(desk: Desk) -> Guard:
    """Let only those pass who are signed in; what they send must come from a page of ours."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        who = session.read(desk.tokens, connection.cookies.get(cookie_name(desk), ""), now=desk.now())
        if who is None:
            raise NotAuthorizedException("You are not signed in, or your session has ended.")
        connection.scope["state"]["who"] = who
        if connection.scope.get("method") == "POST":
            request: Asked = Request(connection.scope, connection.receive)
            from_here(request, desk)
            offered = request.headers.get("x-csrf") or str((await request.form()).get("csrf", ""))
            if not session.same(offered, who.csrf):
                raise PermissionDeniedException("This form is not of your session. Load the page again and repeat it.")

    return guard


def may_act(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Let only admins pass."""
    if not connection.scope["state"]["who"].may_act:
        raise PermissionDeniedException("You are signed in to look only. This needs a token of SLUICE_ADMIN_TOKEN.")


def from_here(request: Asked, desk: Desk) -> None:
    """Refuse what another site made the browser send. Raises PermissionDeniedException.

    Browsers say where a POST comes from in `Sec-Fetch-Site`, and in `Origin`, which is `null` here by our referrer policy.
    """
    site, origin = request.headers.get("sec-fetch-site", ""), request.headers.get("origin", "null")
    ours = {urlsplit(desk.public_url).netloc, request.headers.get("host", "")}
    if site not in ("", "same-origin") or (origin != "null" and urlsplit(origin).netloc not in ours):
        raise PermissionDeniedException("This was sent by another site.")


def doors(desk: Desk) -> list[HTTPRouteHandler]:
    """Make the pages that need no session."""
    throttle = Throttle()

    @get("/sign-in")
    async def ask(next: FromQuery[str] = "") -> Response[str]:  # noqa: A002 - the word in the address
        return desk.page("sign_in.html", None, next=_safe(next, desk), fault="")

    @post("/sign-in", status_code=200)
    async def sign_in(request: Asked) -> Response[Any]:
        from_here(request, desk)
        form = await request.form()
        goal, now = _safe(str(form.get("next", "")), desk), desk.now()
        address = request.client.host if request.client else ""
        if throttle.blocked(address, now=now):
            return desk.page("sign_in.html", None, status=429, next=goal, fault="Too many tries. Wait a minute.")
        found = session.role_of(desk.tokens, str(form.get("token", "")).strip())
        if found is None:
            throttle.wrong(address, now=now)
            log.warning("sign-in refused", hint="the token is none of SLUICE_ADMIN_TOKEN and SLUICE_VIEWER_TOKEN")
            return desk.page("sign_in.html", None, status=401, next=goal, fault="This token is not valid.")
        log.info("signed in", role=found[0])
        cookie = _cookie(desk, session.begin(*found, now=now), session.LIFE_S)
        return Redirect(goal or desk.base, status_code=303, cookies=[cookie], headers=PRIVATE)

    @post("/sign-out", status_code=303, guards=[signed_in(desk)])
    async def sign_out() -> Response[Any]:
        return Redirect(f"{desk.base}/sign-in", status_code=303, cookies=[_cookie(desk, "", 0)], headers=PRIVATE)

    return [ask, sign_in, sign_out]


def turned_away(desk: Desk) -> Any:
    """Make the answer to those who are not signed in: the sign-in page, for what a browser asks for by itself."""

    def handle(request: Asked, error: HTTPException) -> Response[Any]:
        if request.method != "GET" or "/live/" in request.url.path:
            return desk.page("error.html", None, status=401, title="Please sign in", detail=error.detail)
        path = desk.base + request.url.path.partition("/console")[2]
        goal = quote(path + ("?" + request.url.query if request.url.query else ""))
        return Redirect(f"{desk.base}/sign-in?next={goal}", status_code=303, headers=PRIVATE)

    return handle


def _safe(goal: str, desk: Desk) -> str:
    """A page of the console to go to, or nothing: never another site."""
    return goal if re.fullmatch(re.escape(desk.base) + r"(/[\w/.-]*)?(\?[\w=&%.+-]*)?", goal, re.ASCII) else ""


def _cookie(desk: Desk, value: str, life_s: int) -> Cookie:
    return Cookie(
        key=cookie_name(desk),
        value=value,
        max_age=life_s,
        path="/",
        httponly=True,
        samesite="strict",
        secure=desk.secure,
    )
