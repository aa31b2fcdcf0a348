"""Reading JSON that somebody else wrote: what looks flat is flat."""

import pytest

from service.errors import Malformed
from service.sources.payload import decode


def test_what_is_nested_among_flat_elements_is_found() -> None:
    deep = b"[" * 70 + b"]" * 70
    with pytest.raises(Malformed, match="deep"):
        decode(b"[" + b"1," * 100 + deep + b"]")
    with pytest.raises(Malformed, match="deep"):
        decode(b'[{"a":1},' * 1 + b'{"a":' + deep + b'},{"b":"]"}]')
    assert decode(b'[{"a":"{["},{"b":2},3,[]]') == [{"a": "{["}, {"b": 2}, 3, []]
