"""Reading JSON that somebody else wrote. Whatever is wrong with it becomes Malformed, and no other exception."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from service.errors import Malformed

DEEPEST = 64
"""Levels of nesting that a body may have: far above any CRM, far below what exhausts the stack of a later encoder."""
LONGEST_ID = 200
LATEST = 2**53
"""The largest instant in milliseconds that is exact in every JSON reader: the year 287396."""

_ESCAPES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a surrogate pair: one character
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"  # half of a pair: no character at all
    rb"|\\.",
    re.DOTALL,
)


def decode(body: bytes) -> Any:
    """The JSON value of `body`, fit to be stored: valid Unicode, integers of at most 64 bits, at most 64 levels deep.

    Half of a surrogate pair (a CRM cuts a value in the middle of an emoji) becomes U+FFFD, an integer beyond 64 bits
    becomes its decimal text: neither is a reason to lose the other 99 events. Of duplicate keys the last one counts.
    Raises Malformed.
    """
    try:
        value = _parse(body)
        large = _overflows(value)
    except msgspec.DecodeError as error:
        raise Malformed(f"not JSON: {error}") from None
    except UnicodeDecodeError:
        raise Malformed("not JSON: not UTF-8") from None
    except RecursionError:
        raise Malformed("nested too deeply") from None
    if not large and _is_flat(value, body):
        return value  # nothing to settle; a delivery of a hundred events has a thousand values
    return _settle([value], DEEPEST, large=large)[0]


def _parse(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        whole = _ESCAPES.sub(lambda match: rb"\ufffd" if match[1] else match[0], body)
        if whole == body:
            raise
        return msgspec.json.decode(whole)


def _overflows(value: Any) -> bool:
    """Tell whether MessagePack cannot hold the value: encoding it is ten times quicker than looking at each integer."""
    try:
        _encoder.encode(value)
    except OverflowError:
        return True
    return False


_encoder = msgspec.msgpack.Encoder()


def _is_flat(value: Any, body: bytes) -> bool:
    """Tell whether nothing is nested in the elements of a list: no more brackets open than there are elements that need one."""
    if type(value) is not list:
        return False
    opened = body.count(b"{") + body.count(b"[")
    return opened == 1 + sum([type(item) is dict or type(item) is list for item in value])


def _settle(value: Any, levels: int, *, large: bool) -> Any:
    """Walk a dict or list in place: replace integers that MessagePack cannot hold, refuse what is too deep.

    `large`: whether there may be such integers at all.
    """
    if not levels:
        raise Malformed("nested too deeply")
    for item in value.values() if type(value) is dict else value:
        if type(item) is dict or type(item) is list:
            _settle(item, levels - 1, large=large)
    if large:
        for key, item in value.items() if type(value) is dict else enumerate(value):
            if type(item) is int and not -(2**63) <= item < 2**64:
                value[key] = str(item)
    return value


def identifier(value: Any, where: str) -> str:
    """A CRM's id as text. Lanes and keys are built from it, hence: printable, no `/`, at most 200 characters."""
    if type(value) is int:
        return str(value)
    if type(value) is str and 0 < len(value) <= LONGEST_ID and value.isprintable() and "/" not in value:
        return value
    if value is None:
        raise Malformed(f"{where}: missing")
    raise Malformed(f"{where}: expected an integer, or 1 to {LONGEST_ID} printable characters without '/'")


def instant(value: Any, where: str) -> int:
    """Milliseconds since the epoch."""
    if type(value) is int and 0 <= value <= LATEST:
        return value
    raise Malformed(
        f"{where}: missing" if value is None else f"{where}: expected milliseconds since 1970 as an integer"
    )


def as_object(value: Any, where: str) -> dict[str, Any]:
    if type(value) is dict:
        return value
    raise Malformed(f"{where}: missing" if value is None else f"{where}: expected an object")


def count(value: Any) -> int | None:
    """A number of attempts; None if it cannot be one."""
    return value if type(value) is int and 0 <= value < 2**31 else None


def leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every leaf of a decoded `value` with its dotted path below `path`; a list is a leaf."""
    if type(value) is not dict:
        yield path, value
        return
    for key, item in value.items():
        yield from leaves(f"{path}.{key}", item)
