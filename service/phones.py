"""Phone numbers in the one form that every network knows them by: E.164, `+` with country code and number.

What a number may look like in which country comes from the library `phonenumbers` (the metadata of Google's
libphonenumber). A number is refused only if it is impossible (too short, no such country code), not if it is merely not
assigned as far as the metadata knows: new ranges are assigned faster than libraries are released.
"""

import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, ValidationResult

REGIONS = frozenset(phonenumbers.SUPPORTED_REGIONS)
"""ISO 3166 codes of two letters, such as `NO`."""

_INVISIBLE = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
"""Marks of direction and width, which come along when a number is copied from a web page."""

_NO_COUNTRY = "it has no country code, and nothing says which country it is of"
_UNKNOWN_COUNTRY = "its country code does not exist"
_NO_NUMBER = "there is no number in it"
_TOO_SHORT = "it is too short for its country"
_TOO_LONG = "it is too long for its country"
_EXTENSION = "it has an extension, which cannot be texted"

_UNREADABLE = {
    NumberParseException.NOT_A_NUMBER: _NO_NUMBER,
    NumberParseException.TOO_SHORT_AFTER_IDD: _TOO_SHORT,
    NumberParseException.TOO_SHORT_NSN: _TOO_SHORT,
    NumberParseException.TOO_LONG: _TOO_LONG,
}
_IMPOSSIBLE = {
    ValidationResult.INVALID_COUNTRY_CODE: _UNKNOWN_COUNTRY,
    ValidationResult.TOO_SHORT: _TOO_SHORT,
    ValidationResult.TOO_LONG: _TOO_LONG,
    ValidationResult.INVALID_LENGTH: "no number of its country has this length",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "it lacks its area code",
}


class NotAPhoneNumber(ValueError):
    """The number cannot be brought to E.164. The message says why, and never holds the number."""


def e164(number: str, *regions: str) -> str:
    """`+15550100000`, however it was written. A number without country code is of the first of `regions` that is known.

    Raises NotAPhoneNumber.
    """
    text = _INVISIBLE.sub("", number).strip()
    region = next((known for known in map(_region, regions) if known), None)
    try:
        return _formatted(text, region)
    except NotAPhoneNumber:
        if not text.startswith("00"):
            raise
    return _formatted(f"+{text[2:]}", None)


def is_international(number: str) -> bool:
    """Whether the number says its country itself: it begins with `+` or `00`."""
    return _INVISIBLE.sub("", number).strip().startswith(("+", "\uff0b", "00"))


def digits(number: str) -> str:
    """The digits as they are written, without a `00` at the front: `+1 555…`, `001555…` and `1555…` are one."""
    found = "".join(c for c in number if c in "0123456789")
    return found.removeprefix("00")


def comparable(number: str, *regions: str) -> str:
    """The digits by which numbers are compared: those of E.164 if the number can be brought to it, else as written."""
    try:
        return e164(number, *regions).removeprefix("+")
    except NotAPhoneNumber:
        return digits(number)


def _region(text: str) -> str | None:
    code = text.strip().upper()
    return code if code in REGIONS else None


def _formatted(text: str, region: str | None) -> str:
    found = _parsed(text, region)
    if found.extension:
        raise NotAPhoneNumber(_EXTENSION)
    verdict = phonenumbers.is_possible_number_with_reason(found)
    if verdict != ValidationResult.IS_POSSIBLE:
        raise NotAPhoneNumber(_IMPOSSIBLE[verdict])
    return str(phonenumbers.format_number(found, PhoneNumberFormat.E164))


def _parsed(text: str, region: str | None) -> PhoneNumber:
    try:
        return phonenumbers.parse(text, region)
    except NumberParseException as error:
        unknown = _UNKNOWN_COUNTRY if region or is_international(text) else _NO_COUNTRY
        raise NotAPhoneNumber(_UNREADABLE.get(error.error_type, unknown)) from None
