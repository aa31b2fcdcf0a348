"""Who is signed in: a signed cookie that names nobody, and the marks that prove a form is ours."""

import hashlib
import hmac
import secrets
from typing import Literal

from msgspec import Struct

Role = Literal["admin", "viewer"]
LIFE_S = 12 * 3600


class Who(Struct, frozen=True):
    """Someone who signed in with a token of this role."""

    role: Role
    csrf: str
    """What every form of this session must carry."""
    until: int
    """When the session ends (ms)."""

    @property
    def may_act(self) -> bool:
        """Whether this role may change anything and see personal data."""
        return self.role == "admin"


class Tokens(Struct, frozen=True):
    """The tokens that are valid, by role."""

    admin: tuple[str, ...]
    viewer: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "Tokens()"

    def of(self, role: Role) -> tuple[str, ...]:
        """The tokens of a role."""
        return self.admin if role == "admin" else self.viewer


_ROLES: tuple[Role, ...] = ("admin", "viewer")


def role_of(tokens: Tokens, offered: str) -> tuple[Role, str] | None:
    """Whose token this is, and the token; None if it is nobody's. Takes as long for a wrong one as for a right one."""
    found: tuple[Role, str] | None = None
    for role in _ROLES:
        for token in tokens.of(role):
            if hmac.compare_digest(offered.encode(), token.encode()) and found is None:
                found = role, token
    return found


def begin(role: Role, token: str, *, now: int) -> str:
    """Make the value of a cookie. It is signed with a key derived from the token: a token taken away ends its sessions."""
    told = f"{now + LIFE_S * 1000}.{secrets.token_urlsafe(16)}"
    return f"{told}.{_sign(token, role, told)}"


def read(tokens: Tokens, cookie: str, *, now: int) -> Who | None:
    """Tell who a cookie stands for; None if it is not ours, or too old."""
    told, _, signature = cookie.rpartition(".")
    ends = told.partition(".")[0]
    if not (ends.isascii() and ends.isdecimal()) or len(ends) > len(str(2**53)) or int(ends) <= now:
        return None
    for role in _ROLES:
        for token in tokens.of(role):
            if hmac.compare_digest(_sign(token, role, told).encode(), signature.encode()):
                return Who(role, _sign(token, "csrf", told), int(ends))
    return None


def same(one: str, other: str) -> bool:
    """Compare two texts in a time that says nothing about them."""
    return hmac.compare_digest(one.encode(), other.encode())


def _sign(token: str, purpose: str, told: str) -> str:
    key = hmac.digest(token.encode(), b"sluice console session", hashlib.sha256)
    return hmac.new(key, f"{purpose} {told}".encode(), hashlib.sha256).hexdigest()
