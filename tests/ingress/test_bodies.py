"""What strangers may take of memory and time, and that nothing but the whole body counts as one."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import Overloaded, TooLarge, TooSlow, Truncated
from service.ingress.bodies import SMALL, Bodies, Gone

MOST = 4 * SMALL


def arriving(pieces: Iterable[bytes], *, stalls: asyncio.Event | None = None, gone: bool = False) -> Any:
    """What a server hands over: the pieces one after the other, and after the last a pause until `stalls`, if any."""
    left = list(pieces)

    async def receive() -> dict[str, Any]:
        if left:
            return {"type": "http.request", "body": left.pop(0), "more_body": bool(left or stalls or gone)}
        if gone:
            return {"type": "http.disconnect"}
        assert stalls is not None
        await stalls.wait()
        return {"type": "http.request", "body": b"", "more_body": False}

    return receive


@given(st.lists(st.binary(max_size=40), min_size=1), st.booleans(), st.booleans())
def test_a_body_comes_whole_however_it_was_cut(pieces: list[bytes], announced: bool, arrived: bool) -> None:
    body = b"".join(pieces)
    headers = {"content-length": str(len(body))} if announced else {}
    assert asyncio.run(Bodies(MOST).read(headers, arriving(pieces), arrived=arrived)) == body


@given(st.binary(max_size=40), st.integers(0, 80))
def test_only_what_was_announced_is_a_body(body: bytes, length: int) -> None:
    read = Bodies(MOST).read({"content-length": str(length)}, arriving([body]))
    if length == len(body):
        assert asyncio.run(read) == body
    else:
        with pytest.raises(Truncated):
            asyncio.run(read)


async def test_a_body_over_the_limit_is_refused_whether_it_says_so_or_not() -> None:
    bodies = Bodies(100)
    with pytest.raises(TooLarge):
        await bodies.read({"content-length": "101"}, arriving([b""]))
    with pytest.raises(TooLarge):
        await bodies.read({}, arriving([b"x" * 60, b"x" * 60]))


async def test_whoever_hangs_up_has_sent_nothing() -> None:
    with pytest.raises(Gone):
        await Bodies(MOST).read({"content-length": "10"}, arriving([b"half"], gone=True))


@pytest.mark.parametrize("headers", [{"content-length": "10"}, {"content-length": str(SMALL + 1)}, {}])
async def test_a_body_that_never_ends_is_given_up(headers: dict[str, str]) -> None:
    with pytest.raises(TooSlow):
        await Bodies(MOST, within_s=0.05).read(headers, arriving([b"x"], stalls=asyncio.Event()))


async def test_large_bodies_share_their_room_and_give_it_back() -> None:
    bodies, stalls = Bodies(MOST, at_once=2 * MOST), asyncio.Event()
    held = [asyncio.create_task(bodies.read({}, arriving([b"x"], stalls=stalls))) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await bodies.read({"content-length": str(SMALL + 1)}, arriving([b""]))
    assert await bodies.read({"content-length": "1"}, arriving([b"x"])) == b"x", "small ones take no room"
    stalls.set()
    assert await asyncio.gather(*held) == [b"x", b"x"]
    assert await bodies.read({}, arriving([b"y"])) == b"y"


async def test_an_offer_to_speak_another_protocol_is_refused_before_it_takes_the_body_away() -> None:
    headers = {"content-length": "2", "connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c"}
    with pytest.raises(Truncated):
        await Bodies(MOST).read(headers, arriving([b""]))
    assert await Bodies(MOST).read({**headers, "connection": "keep-alive"}, arriving([b"[]"])) == b"[]"
