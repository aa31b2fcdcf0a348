"""Hiding personal data in what people are shown by default."""

import re
from typing import Any

HIDDEN = "•••"
_PERSONAL = re.compile(r"email|phone|mobile|number|name|address", re.IGNORECASE)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_DIGITS = re.compile(r"(?<![\w.\-])[+(]?\d(?:[ ().\-/]{0,3}\d)*(?!\w|-\w)")
"""Digits with what people put between those of a phone number; no part of a UUID."""
_NO_PHONE = re.compile(r"\d{4}-\d{2}-\d{2}(?: \d{2})?|1\d{12}|-?\d+\.\d+")
"""A date, milliseconds since the epoch (2001 to 2033), an amount."""
_FEWEST, _MOST = 7, 15
"""Digits of a phone number, the most by E.164."""
_KEY = re.compile(
    r"(?:^|[._])(?:ids?|at|time|timestamp|version|key|hash|campaign|actor)$|[._]value$|(?:date|amount)$|[a-z](?:Id|At|Date)s?$"
)
"""Names of fields that hold an id, a time or an amount."""


def is_personal(name: str) -> bool:
    """Tell whether a field of this name is likely to hold personal data."""
    return bool(_PERSONAL.search(name))


def holds_phone(text: str) -> bool:
    """Tell whether a text holds digits that look like a phone number: `(030) 1234567`, `call 0151 2345678`."""
    return any(
        _FEWEST <= sum(letter.isdecimal() for letter in found[0]) <= _MOST and not _NO_PHONE.fullmatch(found[0])
        for found in _DIGITS.finditer(text)
    )


def _looks_personal(text: str, name: str) -> bool:
    return _EMAIL.search(text) is not None or ((text.startswith("+") or not _KEY.search(name)) and holds_phone(text))


def mask(value: Any, name: str = "", ids: frozenset[str] = frozenset()) -> Any:
    """Give back plain data with everything hidden whose name or form suggests personal data.

    `ids`: texts that are known to be no phone numbers, whatever their form. Under a telling name they are hidden all the same.
    """
    if isinstance(value, dict):
        return {key: mask(inner, str(key), ids) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [mask(inner, name, ids) for inner in value]
    if value is None or isinstance(value, bool):
        return value
    if is_personal(name) or (isinstance(value, str) and value not in ids and _looks_personal(value, name)):
        return HIDDEN
    return value
