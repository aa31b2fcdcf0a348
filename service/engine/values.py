"""How values of a CRM are compared: as text, as numbers, as instants. HubSpot sends every value as text.

Nothing here raises, whatever the value: what cannot be read is None, and a condition on it is unknown.
"""

import json
import math
import re
from collections.abc import Hashable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec import UNSET

MISSING: Final = UNSET
"""What a lookup gives for a path that is not there (an event may carry null, which is a value)."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DURATION_HINT: Final = "a whole number and one of s, m, h, d, w: `30s`, `15m`, `24h`, `7d`, `2w`"

_COMPOSITE: Final = object()
_NUMBER = re.compile(r"\s*([-+]?[0-9]+)(\.[0-9]+)?([eE][-+]?[0-9]+)?\s*")
_ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ]([0-9]{2}:[0-9]{2})(?:(:[0-9]{2})(?:\.([0-9]{1,9}))?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_EPOCH_MS = re.compile(r"[0-9]{13}")
_DURATION = re.compile(r"([0-9]{1,6})([smhdw])")
_UNIT_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_MIN_MS, _MAX_MS = -62_135_596_800_000, 253_402_300_799_999  # the years 1 to 9999, which is what datetime can show
_LONGEST_NUMBER = 300


def canonical(value: Any) -> Hashable:
    """What two values have in common when they are equal: 5, 5.0 and "5" give "5"; "0123" stays; null gives None.

    Lists and mappings give something that equals no scalar.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        value = int(value) if value.is_integer() else repr(value)
    if isinstance(value, int):
        return str(value) if value.bit_length() < 4_000 else hex(value)  # str() refuses very long integers
    return value if value is None or isinstance(value, str) else _COMPOSITE


def text_of(value: Any) -> str | None:
    """The value as text if it is a text, number or boolean, else None."""
    return text if isinstance(text := canonical(value), str) else None


def number(value: Any) -> float | None:
    """The value as an int or float if it is a number or the text of one, else None; a boolean is no number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        match = _NUMBER.fullmatch(value) if len(value) <= _LONGEST_NUMBER else None
        if match is None:
            return None
        value = int(match[1]) if not match[2] and not match[3] else float(value)
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def iso_instant(text: str) -> int | None:
    """Milliseconds since the epoch of an ISO date or date-time, else None. Without an offset it is UTC.

    `2026-01-31`, `2026-01-31T12:30:00.5+02:00`, and Pipedrive's `2026-01-31 12:30:00`.
    """
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    date, minutes, seconds, fraction, offset = match.groups()
    fraction = f"{fraction or '':0<6}"[:6]
    try:
        moment = datetime.fromisoformat(f"{date}T{minutes or '00:00'}{seconds or ':00'}.{fraction}{offset or 'Z'}")
    except ValueError:
        return None
    since = (moment - EPOCH) // timedelta(milliseconds=1)
    return since if _MIN_MS <= since <= _MAX_MS else None


def instant(value: Any) -> int | None:
    """Milliseconds since the epoch of ISO text, of a number of milliseconds, or of 13 digits as text, else None."""
    if isinstance(value, str):
        if _EPOCH_MS.fullmatch(value):
            return int(value)
        return iso_instant(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if _MIN_MS <= value <= _MAX_MS else None


def duration_ms(text: Any) -> int | None:
    """Milliseconds of `30s`, `15m`, `24h`, `7d`, `2w`, else None."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    return int(match[1]) * _UNIT_MS[match[2]] if match else None


def to_json(value: Any) -> str:
    """Compact JSON text, characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
