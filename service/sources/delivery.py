"""What goes through a source: a delivery comes in, is verified, and is normalised into events and misfits."""

from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct

from service.model import Event, Misfit

Scheme = Literal["v3", "v2", "v1", "secret", "basic"]
"""How a sender proved itself: HubSpot's three signatures, a static secret, or HTTP Basic."""


class Delivery(Struct, frozen=True, kw_only=True):
    """One HTTP request as it came, before anybody believed it.

    It holds personal data and maybe a secret, so its repr gives neither headers, nor query, nor body.
    """

    method: str
    target: str
    """Raw path plus `?query`, exactly as on the wire; latin-1 decoded. HubSpot signs these bytes."""
    headers: dict[str, str]
    """Names in lower case, values latin-1 decoded."""
    body: bytes
    received_at: int
    """Milliseconds since the epoch."""

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("method", self.method), ("path", self.target.partition("?")[0]), ("size", len(self.body))]

    def __repr__(self) -> str:
        return f"Delivery(method={self.method!r}, path={self.target.partition('?')[0]!r}, size={len(self.body)})"


class Verified(Struct, frozen=True):
    """A delivery whose sender is proven. Only a route's `verify` makes one, and `normalise` takes nothing else."""

    delivery: Delivery
    scheme: Scheme


class Normalised(Struct, frozen=True):
    """What became of one delivery, in the order of its body."""

    events: tuple[Event, ...] = ()
    misfits: tuple[Misfit, ...] = ()


class Route(Struct, frozen=True, kw_only=True):
    """One path that takes webhooks, and what to do with them."""

    source: str
    """`hubspot`."""
    path: str
    """`/webhooks/hubspot`."""
    verify: Callable[[Delivery], Verified]
    """Raises Unverified(reason)."""
    normalise: Callable[[Verified], Normalised]
    """Never raises: what does not fit comes back as a misfit."""
    sign: Callable[[str, str, bytes, int], dict[str, str]]
    """(method, target, body, now in ms) -> the headers that prove a delivery: for `sluice send`, tests, benchmarks."""
    spills: bool
    """Whether a delivery that Redis cannot store goes to a spill file, because the CRM does not retry for long."""


def wire(text: str) -> bytes:
    """The bytes that a header or target had before they were decoded as latin-1."""
    return text.encode("latin-1", "replace")
