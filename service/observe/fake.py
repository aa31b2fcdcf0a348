"""Plausible values in the place of personal ones: what a recorded event becomes before it may stand in a repository."""

import re
from typing import Any

from service.observe.mask import holds_phone, is_personal

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"[+(]?\d[\d ()./-]{5,}\d")
_PLAIN = re.compile(r"-?\d{1,18}(\.\d+)?|\d{4}-\d{2}-\d{2}([T ][\d:.]+(Z|[+-]\d{2}:?\d{2})?)?")
"""Numbers and dates: they name nobody, unless the field says so."""
_LONGEST_WORD = 40

_PHONE_NAME = re.compile(r"phone|mobile|number", re.IGNORECASE)
_BY_NAME = (
    (re.compile(r"email", re.IGNORECASE), "ada@example.com"),
    (_PHONE_NAME, "+15550100123"),
    (re.compile(r"first_?name", re.IGNORECASE), "Ada"),
    (re.compile(r"last_?name", re.IGNORECASE), "Example"),
    (re.compile(r"address", re.IGNORECASE), "1 Example Street"),
)


def fake(value: Any, name: str, *, words: bool, phone: bool = False) -> Any:
    """The value with everything personal replaced.

    `words`: whether single short words may stay (`active`, `won`). `phone`: a rule uses it as a phone number.
    """
    if phone and isinstance(value, str | int) and not isinstance(value, bool) and holds_phone(str(value)):
        return 15550100123 if isinstance(value, int) else "+15550100123"
    if isinstance(value, dict):
        return {key: fake(inner, f"{name}.{key}", words=words) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [fake(inner, name, words=words) for inner in value]
    if isinstance(value, str) and value:
        return _fake_text(value, name, words)
    if isinstance(value, int) and not isinstance(value, bool) and _PHONE_NAME.search(name) and abs(value) >= 10**6:
        return 15550100123
    return value


def _fake_text(value: str, name: str, words: bool) -> str:
    if _EMAIL.fullmatch(value.strip()):
        return "ada@example.com"
    if is_personal(name):
        return next((text for pattern, text in _BY_NAME if pattern.search(name)), "Ada Example")
    if _PLAIN.fullmatch(value):
        return value
    if _PHONE.fullmatch(value.strip()):
        return "+15550100123"
    if words and len(value) <= _LONGEST_WORD and not re.search(r"[\s@/]", value):
        return value
    return "Example text"
