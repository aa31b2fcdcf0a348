"""Hiding personal data in what people are shown by default."""

import re
from typing import Any

HIDDEN = "•••"
_PERSONAL = re.compile(r"email|phone|mobile|number|name|address", re.IGNORECASE)
_LOOKS_PERSONAL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|\+\d[\d ().-]{6,}\d")


def is_personal(name: str) -> bool:
    """Tell whether a field of this name is likely to hold personal data."""
    return bool(_PERSONAL.search(name))


def mask(value: Any, name: str = "") -> Any:
    """Give back plain data with everything hidden whose name or form suggests personal data."""
    if isinstance(value, dict):
        return {key: mask(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [mask(inner, name) for inner in value]
    if value is None or isinstance(value, bool):
        return value
    if is_personal(name) or (isinstance(value, str) and _LOOKS_PERSONAL.search(value)):
        return HIDDEN
    return value
