"""Why deliveries were turned away, for the log and for `/readyz`: a flood of them makes one line a second."""

from typing import Literal

import structlog
from msgspec import Struct

log = structlog.get_logger("sluice.ingress")

_PAUSE_MS = 1_000
_FRESH_MS = 60_000

What = Literal["not stored", "refused"]


class _Heard(Struct):
    """One complaint that comes again and again. Times in ms."""

    last_at: int
    told_at: int | None = None
    untold: int = 0


class Complaints:
    """Tells the first of its kind (what, source, reason) at once, and then at most one line a second with how many came since.

    A reason is a text of ours, so there are only a few kinds.
    """

    def __init__(self) -> None:
        self._heard: dict[tuple[What, str, str], _Heard] = {}

    def hear(self, what: What, source: str, reason: str, hint: str, *, now: int) -> None:
        """Take a complaint, and log it unless its kind was logged just now."""
        heard = self._heard.setdefault((what, source, reason), _Heard(now))
        heard.last_at = now
        heard.untold += 1
        if heard.told_at is None or now - heard.told_at >= _PAUSE_MS:
            log.warning(what, source=source, reason=reason, deliveries=heard.untold, hint=hint)
            heard.told_at, heard.untold = now, 0

    def fresh(self, now: int) -> list[str]:
        """Say of each source why its deliveries were not stored within the last minute."""
        return [
            f"a delivery of {source} was not stored {(now - heard.last_at) / 1000:.0f} s ago: {reason}"
            for (what, source, reason), heard in self._heard.items()
            if what == "not stored" and now - heard.last_at < _FRESH_MS
        ]
