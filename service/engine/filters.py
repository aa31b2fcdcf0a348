"""The filters of templates: they format one value and hold no logic. One table; the docstrings are the documentation.

Filters leave a missing value and null alone, so that `default(…)` works wherever it stands.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from msgspec import Struct

from service import phones
from service.engine.values import EPOCH, MISSING, instant, text_of, to_json
from service.errors import Permanent

_DATE_PARTS: Final[dict[str, str]] = {
    "Y": "{0.year:04d}", "m": "{0.month:02d}", "d": "{0.day:02d}", "H": "{0.hour:02d}", "M": "{0.minute:02d}",
    "S": "{0.second:02d}", "y": "{1:02d}", "j": "{2:03d}", "B": "{3}", "b": "{3:.3}", "A": "{4}", "a": "{4:.3}",
    "%": "%",
}  # fmt: skip
# English names, whatever the locale of the machine: the same event must give the same text everywhere.
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DIRECTIVE = re.compile("%(.?)", re.DOTALL)

_PHONE_PUNCTUATION = re.compile(r"[\s().\-/\u2010-\u2015\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
_NATIONAL = re.compile(r"[0-9]{4,15}")


class ArgumentError(Exception):
    """A filter cannot use its argument; the message says what it takes."""


class Filter(Struct, frozen=True):
    """One word after a `|`."""

    name: str
    argument: Callable[[Any], Any] | None
    """Checks an argument at load, raises ArgumentError; None if the filter takes none."""
    apply: Callable[[Any, Any], Any]
    """`(value, argument) -> value`; raises Permanent. Never sees a missing value or null, `default` excepted."""
    without: Any = None
    """The argument where none is given; None if one must be."""


def _anything(argument: Any) -> Any:
    return argument


def _date_format(argument: Any) -> str:
    if not isinstance(argument, str) or not argument:
        raise ArgumentError("a format like `%Y-%m-%d`")
    for directive in _DIRECTIVE.findall(argument):
        if directive not in _DATE_PARTS:
            raise ArgumentError(
                f"`%{directive}` is not known; there are {' '.join('%' + part for part in _DATE_PARTS)}"
            )
    return argument


def _country(argument: Any) -> str:
    if not isinstance(argument, str) or argument not in phones.REGIONS:
        raise ArgumentError("an ISO 3166 code of two letters like `NO`")
    return argument


def _text(value: Any, filter_name: str) -> str:
    text = text_of(value)
    if text is None:
        raise Permanent("bad_value", f"the filter {filter_name} takes text, not a {type(value).__name__}")
    return text


def e164(value: Any, region: str) -> str:
    """A phone number in its international form, `+` and digits.

    `+1 (555) 010-0000` gives `+15550100000`. A number without its country code is of the country in the brackets; with
    none there it only loses its punctuation, and the action decides.
    """
    text = _text(value, "e164")
    if not region and not phones.is_international(text):
        national = _PHONE_PUNCTUATION.sub("", text)
        if not _NATIONAL.fullmatch(national):
            raise Permanent("bad_phone", "the value is not a phone number")
        return national
    try:
        return phones.e164(text, region)
    except phones.NotAPhoneNumber as fault:
        raise Permanent("bad_phone", f"the value is not a possible phone number: {fault}") from None


def lower(value: Any, _argument: None) -> str:
    """Lower case."""
    return _text(value, "lower").lower()


def upper(value: Any, _argument: None) -> str:
    """Upper case."""
    return _text(value, "upper").upper()


def trim(value: Any, _argument: None) -> str:
    """Without blanks at both ends."""
    return _text(value, "trim").strip()


def default(value: Any, argument: Any) -> Any:
    """The given value where there is none: the path is missing, null, or an empty text."""
    return argument if value is MISSING or value is None or value == "" else value


def date(value: Any, argument: str) -> str:
    """A date in a format of your choice, in UTC: `%Y %m %d %H %M %S %y %j %B %b %A %a %%`."""
    moment = instant(value)
    if moment is None:
        raise Permanent("bad_date", "the value is not a date")
    then = EPOCH + timedelta(milliseconds=moment)
    parts = (then, then.year % 100, then.timetuple().tm_yday, _MONTHS[then.month - 1], _DAYS[then.weekday()])
    return _DIRECTIVE.sub(lambda match: _DATE_PARTS[match[1]].format(*parts), argument)


def json(value: Any, _argument: None) -> str:
    """The value as JSON text."""
    return to_json(value)


FILTERS: Final[dict[str, Filter]] = {
    entry.name: entry
    for entry in (
        Filter("e164", _country, e164, without=""),
        Filter("lower", None, lower),
        Filter("upper", None, upper),
        Filter("trim", None, trim),
        Filter("default", _anything, default),
        Filter("date", _date_format, date),
        Filter("json", None, json),
    )
}
