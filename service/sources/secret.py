"""Comparing secrets in constant time, and keeping them out of reprs."""

import hmac
from collections.abc import Iterable
from typing import Any

from msgspec import Struct


def matches_any(offered: bytes, accepted: Iterable[bytes]) -> bool:
    """Whether `offered` is one of `accepted`; looks at all of them, so that the time taken says nothing."""
    found = False
    for candidate in accepted:
        found |= hmac.compare_digest(offered, candidate)
    return found


def masked(config: Struct) -> list[tuple[str, Any]]:
    """The fields of a source's configuration for its repr: of secrets (tuples) only how many there are."""
    fields = ((name, getattr(config, name)) for name in config.__struct_fields__)
    return [(name, f"<{len(value)} set>" if isinstance(value, tuple) else value) for name, value in fields]
