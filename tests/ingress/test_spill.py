"""The spill folder: what was taken is on disk, in order, within bounds, for nobody else to read, and is brought in once."""

import asyncio
import itertools
import os
import stat
from pathlib import Path

import msgspec
import pytest

from service.errors import StoreUnavailable
from service.ingress.spill import Spill, Spilled, Waiting
from service.sources.delivery import Delivery, Route

NOW = 1_790_000_000_000
MOST = 1_000_000
ROUTE = Route(
    source="pipedrive",
    path="/webhooks/pipedrive",
    verify=lambda _: pytest.fail("spilling verifies nothing"),
    normalise=lambda _: pytest.fail("spilling reads nothing"),
    sign=lambda *_: {},
    spills=True,
)


def _delivery(body: bytes = b"{}", at: int = NOW) -> Delivery:
    return Delivery(
        method="POST",
        target="/webhooks/pipedrive?secret=in-the-query",
        headers={"authorization": "Basic hidden"},
        body=body,
        received_at=at,
    )


class _Shelf:
    """Takes what is drained; refuses it after `room` deliveries."""

    def __init__(self, room: int = 1000) -> None:
        self.taken: list[Spilled] = []
        self._room = room

    async def store(self, spilled: Spilled) -> None:
        if len(self.taken) >= self._room:
            raise StoreUnavailable("Redis is away")
        self.taken.append(spilled)


@pytest.fixture
def spill(tmp_path: Path) -> Spill:
    return Spill(tmp_path / "a" / "spill", MOST)


async def test_what_was_put_comes_back_in_the_order_of_arrival(spill: Spill) -> None:
    for at, body in ((NOW + 1, b"second"), (NOW, b"first"), (NOW + 1, b"third")):
        await spill.put(ROUTE, _delivery(body, at))
    shelf = _Shelf()

    assert await spill.drain(shelf.store) == 3
    assert [spilled.body for spilled in shelf.taken] == [b"first", b"second", b"third"]
    assert shelf.taken[0] == Spilled("/webhooks/pipedrive", b"first", NOW)
    assert spill.waiting == []
    assert await spill.drain(shelf.store) == 0


async def test_its_state_says_how_much_waits_and_since_when(spill: Spill) -> None:
    assert spill.state() == Waiting(0, 0, 0)
    await spill.put(ROUTE, _delivery(at=NOW + 5))
    await spill.put(ROUTE, _delivery(at=NOW))
    state = spill.state()
    assert (state.deliveries, state.oldest_at) == (2, NOW)
    assert state.bytes == sum(path.stat().st_size for path in spill.waiting)
    spill.waiting[0].rename(spill.waiting[0].with_name("!somebody-elses.delivery"))
    assert spill.state().oldest_at == 0


async def test_neither_headers_nor_the_query_are_written(spill: Spill) -> None:
    await spill.put(ROUTE, _delivery())
    (path,) = spill.waiting
    assert b"hidden" not in path.read_bytes()
    assert b"in-the-query" not in path.read_bytes()


async def test_only_the_owner_may_read_it_whatever_the_umask(spill: Spill) -> None:
    before = os.umask(0)
    try:
        await spill.put(ROUTE, _delivery())
    finally:
        os.umask(before)
    (path,) = spill.waiting
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_no_half_written_file_is_left(spill: Spill) -> None:
    await spill.put(ROUTE, _delivery())
    assert [path.suffix for path in spill.waiting[0].parent.iterdir()] == [".delivery"]


async def test_a_full_folder_takes_nothing_more_and_keeps_what_it_has(tmp_path: Path) -> None:
    spill = Spill(tmp_path, 1000)
    await spill.put(ROUTE, _delivery(b"x" * 500))
    with pytest.raises(StoreUnavailable, match="full"):
        await spill.put(ROUTE, _delivery(b"x" * 500))
    await spill.put(ROUTE, _delivery(b"x" * 300))
    assert len(spill.waiting) == 2
    shelf = _Shelf()
    await spill.drain(shelf.store)
    await spill.put(ROUTE, _delivery(b"x" * 900))


async def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "spill", MOST)
    (tmp_path / "spill").rmdir()
    with pytest.raises(StoreUnavailable, match="cannot be written: No such file"):
        await spill.put(ROUTE, _delivery())


async def test_draining_stops_where_redis_stops_and_goes_on_from_there(spill: Spill) -> None:
    for n in range(3):
        await spill.put(ROUTE, _delivery(str(n).encode(), NOW + n))
    shelf = _Shelf(room=1)
    assert await spill.drain(shelf.store) == 1
    assert len(spill.waiting) == 2

    rest = _Shelf()
    assert await spill.drain(rest.store) == 2
    assert [spilled.body for spilled in shelf.taken + rest.taken] == [b"0", b"1", b"2"]


@pytest.mark.parametrize(
    "blob",
    [b"", b"\xc1", msgspec.msgpack.encode([1, 2]), msgspec.msgpack.encode([b"p", b"b", 1]).replace(b"p", b"\xff")]
    + [b"\x93\xa2\xff\xfe\xc4\x01b\x01"],
    ids=["nothing", "no MessagePack", "another shape", "bytes as path", "no UTF-8"],
)
async def test_a_damaged_file_is_set_aside_and_stops_nothing(spill: Spill, blob: bytes) -> None:
    await spill.put(ROUTE, _delivery(b"before", NOW))
    await spill.put(ROUTE, _delivery(b"damaged", NOW + 1))
    await spill.put(ROUTE, _delivery(b"after", NOW + 2))
    spill.waiting[1].write_bytes(blob)
    shelf = _Shelf()

    assert await spill.drain(shelf.store) == 2
    assert [spilled.body for spilled in shelf.taken] == [b"before", b"after"]
    assert spill.waiting == []
    (kept,) = spill._folder.glob("*.unreadable")
    assert kept.read_bytes() == blob


async def test_two_processes_on_one_folder_bring_in_everything_and_lose_nothing(tmp_path: Path) -> None:
    one, two = Spill(tmp_path, MOST), Spill(tmp_path, MOST)
    two._number = itertools.count(500_000)  # as another process has another id
    await asyncio.gather(
        *(
            each.put(ROUTE, _delivery(f"{name}{n}".encode()))
            for n in range(20)
            for name, each in (("1", one), ("2", two))
        )
    )
    shelf = _Shelf()
    await asyncio.gather(one.drain(shelf.store), two.drain(shelf.store))

    assert {spilled.body for spilled in shelf.taken} == {f"{name}{n}".encode() for n in range(20) for name in "12"}
    assert one.waiting == []


async def test_a_file_that_another_process_has_just_brought_in_costs_nothing(spill: Spill) -> None:
    await spill.put(ROUTE, _delivery())
    gone = spill.waiting[0].with_name("0000000000000-1-000000.delivery")
    gone.symlink_to("brought-in-by-the-other-process")  # listed, but not there any more
    await spill.put(ROUTE, _delivery(at=NOW + 1))
    shelf = _Shelf()

    assert await spill.drain(shelf.store) == 2


async def test_processes_with_one_number_on_one_folder_overwrite_nothing(tmp_path: Path) -> None:
    """As in containers, where each is process 1: same millisecond, same count."""
    for body in (b"one", b"other"):
        await Spill(tmp_path, MOST).put(ROUTE, _delivery(body))
    shelf = _Shelf()
    assert await Spill(tmp_path, MOST).drain(shelf.store) == 2
    assert {spilled.body for spilled in shelf.taken} == {b"one", b"other"}
