"""Who may use the admin API: a bearer token, of people who may act or of people who may look."""

import hmac
from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers.base import BaseRouteHandler
from litestar.types import Guard
from msgspec import Struct


class Bearers(Struct, frozen=True):
    """The tokens that are valid; every one of them."""

    admin: tuple[str, ...]
    viewer: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "Bearers()"


def gate(bearers: Bearers) -> Guard:
    """Let only those pass who bring a token. Those who may only look get neither personal data nor anything done.

    Wrong tokens shut nobody out, as they do at the sign-in: behind a proxy everybody comes from one address, and a stranger
    could keep the programs of operators away.
    """
    tokens = [(token.encode(), True) for token in bearers.admin] + [(token.encode(), False) for token in bearers.viewer]

    def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        scheme, _, offered = connection.headers.get("authorization", "").partition(" ")
        # Every token is compared, whichever is right.
        right = [acts for token, acts in tokens if hmac.compare_digest(offered.encode(), token)]
        if scheme.lower() != "bearer" or not right:
            raise NotAuthorizedException("A bearer token is needed: SLUICE_ADMIN_TOKEN, or SLUICE_VIEWER_TOKEN to look")
        if not any(right) and (handler.opt.get("acts") or "unmasked" in connection.query_params):
            raise PermissionDeniedException("This needs a token of SLUICE_ADMIN_TOKEN")

    return guard
