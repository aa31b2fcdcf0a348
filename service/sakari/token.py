"""The OAuth token, fetched once for all workers and shared through a cache.

Documented: `POST /oauth2/token` with JSON client credentials, answered `{"access_token": <JWT>, "token_type": …}`. How
long a token lives is not documented: `expires_in` if the answer has it, else the JWT's own claims, else one hour.
"""

import base64
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from service.errors import Permanent, Retryable, StepError
from service.model import DEFAULT_ACCOUNT
from service.sakari.exchange import Answer, exchange
from service.sakari.line import Line
from service.sakari.outcome import retry_after

DEFAULT_LIFETIME_S = 3600.0
SETTINGS = "SLUICE_SAKARI_"
_ROUNDS = 20
_SENDABLE = re.compile(r"[\x21-\x7e]{1,16384}")
_OAUTH_ERRORS = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    }
)
"""RFC 6749, section 5.2: only these words are ever repeated from an answer."""


def settings_of(account: str) -> str:
    """How the names of an account's settings begin."""
    return SETTINGS if account == DEFAULT_ACCOUNT else f"{SETTINGS}{account.upper()}_"


class Token(Struct, frozen=True, array_like=True):
    """Times in milliseconds since the epoch. Its repr hides the secret."""

    access_token: str
    refresh_at: int
    """From here on a new one is fetched: the expiry less a margin of 60 s or 10 %, whichever is longer."""
    expires_at: int

    def __repr__(self) -> str:
        return f"Token(refresh_at={self.refresh_at}, expires_at={self.expires_at})"


class TokenCache(Protocol):
    """Where all processes share one token, as opaque bytes: what they mean is this module's business alone."""

    async def get(self) -> bytes | None: ...

    async def put(self, value: bytes, lifetime_ms: int) -> None:
        """Keep `value`, for at most `lifetime_ms`."""
        ...

    async def drop(self, value: bytes) -> None:
        """Forget the kept value if it is still exactly this one."""
        ...

    def lock(self) -> AbstractAsyncContextManager[bool]:
        """True to one holder at a time over all processes; False to whoever waited for a holder: read again then."""
        ...


class Tokens:
    """Gives the current token, fetching at most one at a time over all who share `cache`.

    `clock`: seconds since the epoch. `within_s`: limit for one token request. `settings`: how the names of the account's
    settings begin, for messages.
    """

    def __init__(
        self,
        line: Line,
        client_id: str,
        client_secret: str,
        *,
        cache: TokenCache,
        clock: Callable[[], float],
        within_s: float = 30.0,
        settings: str = SETTINGS,
    ) -> None:
        self._line = line
        self._credentials = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
        }
        self._cache = cache
        self.clock = clock
        self._within_s = within_s
        self._settings = settings

    async def get(self) -> Token:
        """A token that is not due for refresh.

        Raises Permanent (`bad_credentials`, `token_refused`, `redirect`) or Retryable.
        """
        for _ in range(_ROUNDS):
            if token := await self.current():
                return token
            async with self._cache.lock() as held:
                if held:
                    return await self.current() or await self._fetch()
        raise Retryable("token_busy", "other workers kept the lock on the Sakari token without leaving one")

    async def drop(self, token: Token) -> None:
        """Forget a token that Sakari refused, unless another worker has replaced it already."""
        await self._cache.drop(msgspec.msgpack.encode(token))

    async def current(self) -> Token | None:
        """The shared token, if there is one that is not due for refresh."""
        kept = await self._cache.get()
        if kept is None:
            return None
        try:
            token = msgspec.msgpack.decode(kept, type=Token)
        except msgspec.DecodeError:
            return None  # left by another version of Sluice
        return token if self.clock() * 1000 < token.refresh_at else None

    async def _fetch(self) -> Token:
        credentials = msgspec.json.encode(self._credentials)
        request = self._line.request("POST", "oauth2/token", content=credentials, within_s=self._within_s)
        answer = await exchange(self._line, request, repeatable=True, endpoint="token")
        token = read_token(answer, self.clock(), self._settings)
        lifetime_ms = token.expires_at - int(self.clock() * 1000)
        await self._cache.put(msgspec.msgpack.encode(token), max(lifetime_ms, 1))
        return token


def read_token(answer: Answer, now: float, settings: str = SETTINGS) -> Token:
    """The token in a token endpoint's answer; `now`: seconds since the epoch; `settings` as in Tokens."""
    content = answer.decoded()
    if not isinstance(content, dict):
        content = {}
    if answer.status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
        raise _refusal(answer, content, now, settings)
    access_token = content.get("access_token")
    if not isinstance(access_token, str) or not _SENDABLE.fullmatch(access_token):
        raise Retryable("unreadable_token", "Sakari's token endpoint answered without a usable access_token")
    lifetime = _lifetime(content, access_token, now)
    margin = min(max(60.0, lifetime / 10), lifetime / 2)
    return Token(access_token, int((now + lifetime - margin) * 1000), int((now + lifetime) * 1000))


def _lifetime(content: dict[str, Any], access_token: str, now: float) -> float:
    claims = _claims(access_token)
    issued, expiry = _number(claims.get("iat")), _number(claims.get("exp"))
    stated = expiry - (issued if issued is not None else now) if expiry is not None else None
    for lifetime in (_number(content.get("expires_in")), stated):
        if lifetime is not None and 0 < lifetime < 366 * 86_400:
            return lifetime
    return DEFAULT_LIFETIME_S


def _claims(access_token: str) -> dict[str, Any]:
    """The claims of a JWT, unverified: they only say when to ask for the next one."""
    payload = access_token.partition(".")[2].partition(".")[0]
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=dict[str, Any])
    except (ValueError, RecursionError):
        return {}


def _number(value: Any) -> float | None:
    try:
        return msgspec.convert(value, float, strict=False)
    except msgspec.ValidationError:
        return None


def _refusal(answer: Answer, content: dict[str, Any], now: float, settings: str) -> StepError:
    status = answer.status
    error = content.get("error")
    told = f"HTTP {status}, {error}" if isinstance(error, str) and error in _OAUTH_ERRORS else f"HTTP {status}"
    if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        remedy = f"check {settings}CLIENT_ID and {settings}CLIENT_SECRET"
        return Permanent("bad_credentials", f"Sakari refused the client credentials ({told}): {remedy}")
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        reason = "rate_limited" if status == HTTPStatus.TOO_MANY_REQUESTS else "unavailable"
        return Retryable(reason, f"Sakari's token endpoint answered {told}", after_s=retry_after(answer, now))
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Permanent(
            "redirect", f"Sakari's token endpoint answered HTTP {status}, a redirect, which is never followed"
        )
    return Permanent("token_refused", f"Sakari's token endpoint answered {told}: check {settings}URL")
