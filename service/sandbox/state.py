"""What the sandbox remembers: campaigns, records, every call and every write."""

import hashlib
import random
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

Shape = Literal["list", "object", "null", "list_without_pagination", "hasnext_lies", "offset_ignored", "totalcount"]
"""How a campaign's executions are answered. The documentation shows `object`; its sibling endpoints answer `list`."""


FAULT = "sandbox_fault"
"""Key in a request's state: the Fault that the call meets, or None."""


def contact_id(digits: str) -> str:
    """The id of the contact with this number: as opaque as Sakari's, since ids are shown where numbers are hidden."""
    return hashlib.sha256(digits.encode()).hexdigest()[:24]


class Settings(Struct, frozen=True, kw_only=True):
    account: str = "demo"
    client_id: str = "sandbox-client"
    client_secret: str = "sandbox-secret"  # noqa: S105 - opens nothing but this sandbox
    token_lifetime_s: int = 3600
    tell_expires_in: bool = False
    """The documented token answer has no `expires_in`."""
    limit: float = 0.0
    """API calls a second, as a token bucket; above it a call is answered 429 with Retry-After. 0: no limit."""
    limit_burst: int = 0
    """The size of the bucket; 0: a second's worth."""


class Campaign(Struct, frozen=True, forbid_unknown_fields=True):
    executions: list[dict[str, Any]] = []
    shape: Shape = "list"
    page_size: int = 25


class Fault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way of misbehaving, for calls whose method and path match. The first that matches counts."""

    method: str | None = None
    path: str | None = None
    """A part of the path; None matches every path outside /_sandbox."""
    status: int | None = None
    cut: Literal["before", "midway", "after"] | None = None
    """The connection closes: before the effect, after it with half of the answer sent, or after it with none."""
    slow_ms: int = 0
    """Milliseconds between the effect and the answer."""
    body: Any = UNSET
    """Sent in place of the answer: text as it is, anything else as JSON."""
    content_type: str = "application/json"
    retry_after: int | str | UnsetType = UNSET
    times: int | None = None
    """How often, then the fault is spent; None: for ever."""
    probability: float = 1.0
    applied: bool = False
    """For `status` and `body`: whether the effect happened all the same."""


class Misbehaviour(Struct, frozen=True, forbid_unknown_fields=True):
    faults: list[Fault] = []
    seed: int = 0
    """Of the dice for `probability`."""


class Write(Struct, frozen=True):
    endpoint: str
    record: str
    body: dict[str, Any]
    at: float
    """Seconds since the epoch."""
    subject: str
    """Whom the token was issued to."""
    merge_strategy: str | None = None
    fault: Fault | None = None
    """What happened to the answer, which tells a judge whether the caller could know of this write."""


class Sandbox:
    """`campaigns` gives the campaigns to start from, and to come back to at a reset."""

    def __init__(self, settings: Settings, campaigns: Callable[[], dict[str, Campaign]]) -> None:
        self.settings = settings
        self._campaigns = campaigns
        self.tokens: dict[str, float] = {}
        """Valid tokens -> expiry, seconds since the epoch."""
        self._bucket = 0.0
        self._filled_at = float("-inf")
        self.reset()

    def reset(self) -> None:
        """Back to the start; tokens stay valid."""
        self.campaigns = self._campaigns()
        self.records: dict[str, dict[str, Any]] = {}
        self.writes: list[Write] = []
        self.calls: dict[str, Counter[str]] = {}
        self.misbehave(Misbehaviour())

    def misbehave(self, misbehaviour: Misbehaviour) -> None:
        self._faults = [(fault, fault.times) for fault in misbehaviour.faults]
        self._dice = random.Random(misbehaviour.seed)

    def next_fault(self, method: str, path: str) -> Fault | None:
        for place, (fault, left) in enumerate(self._faults):
            if left == 0 or fault.method not in {None, method} or (fault.path or "") not in path:
                continue
            if self._dice.random() >= fault.probability:
                continue
            self._faults[place] = (fault, left and left - 1)
            return fault
        return None

    def over_limit(self, now: float) -> float:
        """Take one from the bucket. 0 if there was one, else the seconds until there is. `now`: seconds, monotonic."""
        rate = self.settings.limit
        if not rate:
            return 0
        most = self.settings.limit_burst or max(1.0, rate)
        self._bucket = min(most, self._bucket + (now - self._filled_at) * rate)
        self._filled_at = now
        if self._bucket < 1:
            return (1 - self._bucket) / rate
        self._bucket -= 1
        return 0

    def count(self, endpoint: str, outcome: str) -> None:
        self.calls.setdefault(endpoint, Counter())[outcome] += 1

    def merge(self, write: Write) -> bool:
        """Keep the write and merge its values into its record; True if the record is new."""
        new = write.record not in self.records
        record = self.records.setdefault(write.record, {})
        attributes = {**record.get("attributes", {}), **write.body.get("attributes", {})}
        record.update(write.body)
        if attributes:
            record["attributes"] = attributes
        self.writes.append(write)
        return new
