"""Who may use the admin API: a bearer token, of people who may act or of people who may look."""

import hmac
import time
from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException, TooManyRequestsException
from litestar.handlers.base import BaseRouteHandler
from litestar.types import Guard
from msgspec import Struct

from service.insight.throttle import Throttle


class Bearers(Struct, frozen=True):
    """The tokens that are valid; every one of them."""

    admin: tuple[str, ...]
    viewer: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "Bearers()"


def gate(bearers: Bearers) -> Guard:
    """Let only those pass who bring a token. Those who may only look get neither personal data nor anything done.

    An address that brought ten wrong tokens within a minute has to wait, as at the sign-in, whatever it brings.
    """
    throttle = Throttle()
    tokens = [(token.encode(), True) for token in bearers.admin] + [(token.encode(), False) for token in bearers.viewer]

    def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        address, now = connection.client.host if connection.client else "", time.monotonic_ns() // 1_000_000
        if throttle.blocked(address, now=now):
            raise TooManyRequestsException("Too many wrong tokens. Wait a minute.")
        scheme, _, offered = connection.headers.get("authorization", "").partition(" ")
        # Every token is compared, whichever is right.
        right = [acts for token, acts in tokens if hmac.compare_digest(offered.encode(), token)]
        if scheme.lower() != "bearer" or not right:
            if offered:
                throttle.wrong(address, now=now)
            raise NotAuthorizedException("A bearer token is needed: SLUICE_ADMIN_TOKEN, or SLUICE_VIEWER_TOKEN to look")
        if not any(right) and (handler.opt.get("acts") or "unmasked" in connection.query_params):
            raise PermissionDeniedException("This needs a token of SLUICE_ADMIN_TOKEN")

    return guard
