"""What an unquoted scalar means."""

import math
import re
from collections.abc import Mapping
from typing import Final

Scalar = str | int | float | bool | None

_WORDS: Final[Mapping[str, bool | None]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
# YAML 1.2 also takes `+1`, `0123` and hundreds of digits for numbers: in a CRM those are phone numbers and ids.
_INT = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_RADIX_INT = re.compile(r"0x[0-9a-fA-F]{1,15}|0o[0-7]{1,20}")
_FLOAT = re.compile(
    r"-?(?:(?:0|[1-9][0-9]{0,17})?\.[0-9]{1,40}|(?:0|[1-9][0-9]{0,17})(?=[eE]))(?:[eE][-+]?[0-9]{1,4})?"
)


def plain_scalar(text: str) -> Scalar:
    """The value of an unquoted scalar: YAML 1.2's null, booleans and numbers, all else is text.

    `NO`, `on`, `12:30`, `2026-01-31`, `0123`, `+15551234567`, `.inf` and integers of 19 digits or more are text.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "-.0123456789":
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _RADIX_INT.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text
