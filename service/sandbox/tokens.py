"""Issuing and checking the sandbox's access tokens: of the form of a JWT, signed by nobody."""

import base64
import secrets
import time
from typing import Any

import msgspec
from litestar import Request, Response, post
from litestar.di import NamedDependency

from service.sandbox.contract import TokenRequest
from service.sandbox.envelope import Refused, answer
from service.sandbox.state import Sandbox


@post("/oauth2/token")
async def issue_token(request: Request[Any, Any, Any], sandbox: NamedDependency[Sandbox]) -> Response[bytes]:
    settings = sandbox.settings
    if request.content_type[0] != "application/json":
        return answer({"error": "invalid_request"}, 400)
    try:
        asked = msgspec.json.decode(await request.body(), type=TokenRequest)
    except msgspec.DecodeError:
        return answer({"error": "invalid_request"}, 400)
    if (asked.client_id, asked.client_secret) != (settings.client_id, settings.client_secret):
        return answer({"error": "invalid_client"}, 401)
    expiry = int(time.time()) + settings.token_lifetime_s
    token = _jwt({"sub": asked.client_id, "iat": int(time.time()), "exp": expiry, "jti": secrets.token_hex(8)})
    sandbox.tokens[token] = expiry
    told = {"expires_in": settings.token_lifetime_s} if settings.tell_expires_in else {}
    return answer({"access_token": token, "token_type": "Bearer", **told})


def admit(request: Request[Any, Any, Any], sandbox: Sandbox, account: str) -> str:
    """Whom the request's token was issued to. Raises Refused: 401 without a valid token, 403 for a foreign account."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or sandbox.tokens.get(token, 0) <= time.time():
        raise Refused(401, None, "Unauthorized")
    if account != sandbox.settings.account:
        raise Refused(403, "ACCT-016", "Insufficient access to this API")
    return sandbox.settings.client_id


def _jwt(claims: dict[str, Any]) -> str:
    parts = (msgspec.json.encode({"typ": "JWT", "alg": "RS256"}), msgspec.json.encode(claims), secrets.token_bytes(32))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
