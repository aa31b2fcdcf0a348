"""Readings on the shelf: one reader at a time, current all at once, fresh for as long as was asked for."""

from typing import Any

import pytest

from service.store import Store, keys
from service.store.snapshots import SnapshotShelf

CHRIS, KIM = b"chris---", b"kim-----"
LOCK_MS = 15_000


class Shelf:
    """A shelf whose time the test sets."""

    def __init__(self, store: Store) -> None:
        self.now = 1_795_350_000_000
        self.shelf = SnapshotShelf(store, "demo", lock_ms=LOCK_MS, now=lambda: self.now)

    async def look(self, *wanted: bytes, fresh_ms: int = 30_000) -> Any:
        return await self.shelf.look("c", list(wanted), fresh_ms)

    async def read(self, *blocks: tuple[bytes, bytes], takes_ms: int = 0, fresh_ms: int = 30_000) -> str:
        """Do a whole reading of these blocks and their keys."""
        self.now += 1
        look = await self.look(fresh_ms=0)
        assert look.state == "ours"
        for place, (block, found_by) in enumerate(blocks):
            assert await self.shelf.put("c", look.reading, place, block, found_by)
        self.now += takes_ms
        assert await self.shelf.publish("c", look.reading, len(blocks), fresh_ms)
        return str(look.reading)


@pytest.fixture
def at(store: Store) -> Shelf:
    return Shelf(store)


async def test_blocks_are_found_by_their_keys_in_order(at: Shelf) -> None:
    await at.read((b"0", CHRIS), (b"1", KIM + CHRIS), (b"2", b"other---"), (b"3", CHRIS))
    assert (await at.look(CHRIS)).blocks == (b"0", b"1", b"3")
    assert (await at.look(KIM, b"nobody--")).blocks == (b"1",)
    assert (await at.look(b"nobody--")).blocks == ()
    look = await at.look()
    assert (look.blocks, look.total) == ((), 4)
    assert await at.shelf.blocks("c", look.reading, 1, 4) == [b"1", b"2", b"3", None]


async def test_keys_that_overlap_in_the_index_are_told_apart(at: Shelf) -> None:
    """Both stand in the same part of the index, and the bytes of one can be seen within the entry of the other."""
    key, seen_within = b"\x04\x01\x00\x01abcd", b"\x00\x01abcd\x00\x00"
    assert seen_within in key + b"\x00\x00\x00\x00"
    await at.read((b"0", key))
    assert (await at.look(seen_within)).blocks == ()
    await at.read((b"0", key), (b"1", seen_within))
    assert (await at.look(seen_within)).blocks == (b"1",)
    assert (await at.look(key)).blocks == (b"0",)


async def test_one_reader_at_a_time(at: Shelf) -> None:
    assert [(await at.look()).state for _ in range(3)] == ["ours", "busy", "busy"]


async def test_another_campaign_is_another_reading(at: Shelf) -> None:
    assert (await at.look()).state == "ours"
    assert (await at.shelf.look("d", [], 0)).state == "ours"


async def test_a_reader_that_dies_is_followed_by_another_and_can_write_nothing_more(at: Shelf) -> None:
    dead = (await at.look()).reading
    at.now += LOCK_MS
    alive = (await at.look()).reading
    assert alive not in {"", dead}
    assert not await at.shelf.put("c", dead, 0, b"old", CHRIS)
    assert not await at.shelf.renew("c", dead)
    assert not await at.shelf.publish("c", dead, 1, 0)
    await at.shelf.give_up("c", dead, b"late", 1000)
    assert (await at.look()).state == "busy"
    assert await at.shelf.put("c", alive, 0, b"new", CHRIS)


async def test_a_reader_that_lives_keeps_its_place(at: Shelf) -> None:
    reading = (await at.look()).reading
    for _ in range(3):
        at.now += LOCK_MS - 1
        assert await at.shelf.renew("c", reading)
    at.now += LOCK_MS - 1
    assert (await at.look()).state == "busy"


async def test_what_is_being_read_is_not_seen_before_it_is_complete(at: Shelf) -> None:
    await at.read((b"old", CHRIS))
    at.now += 30_001
    reading = (await at.look(CHRIS)).reading
    await at.shelf.put("c", reading, 0, b"new", CHRIS)
    assert (await at.look(CHRIS, fresh_ms=60_000)).blocks == (b"old",)
    await at.shelf.publish("c", reading, 1, 30_000)
    assert (await at.look(CHRIS, fresh_ms=60_000)).blocks == (b"new",)


@pytest.mark.parametrize(
    ("fresh_ms", "takes_ms", "later_ms", "state"),
    [
        (30_000, 0, 30_000, "found"),
        (30_000, 0, 30_001, "ours"),
        (30_000, 10_000, 20_000, "found"),  # counted from the start of the reading
        (30_000, 10_000, 20_001, "ours"),
        (1_000, 10_000, 10_000, "found"),  # nobody can have it younger than a reading takes
        (1_000, 10_000, 10_001, "ours"),
    ],
)
async def test_how_long_a_reading_is_fresh(at: Shelf, fresh_ms: int, takes_ms: int, later_ms: int, state: str) -> None:
    await at.read((b"0", CHRIS), takes_ms=takes_ms, fresh_ms=fresh_ms)
    at.now += later_ms
    assert (await at.look(CHRIS, fresh_ms=fresh_ms)).state == state


async def test_a_failure_is_told_for_a_while_and_then_somebody_tries_again(at: Shelf) -> None:
    reading = (await at.look()).reading
    await at.shelf.put("c", reading, 0, b"half", CHRIS)
    await at.shelf.give_up("c", reading, b"why", 5_000)
    look = await at.look(CHRIS)
    assert (look.state, look.failure) == ("failed", b"why")
    at.now += 5_000
    assert (await at.look(CHRIS)).state == "ours"


async def test_an_old_reading_is_still_good_for_who_asks_for_less_while_the_new_one_fails(at: Shelf) -> None:
    await at.read((b"0", CHRIS), fresh_ms=600_000)
    at.now += 60_000
    await at.shelf.give_up("c", (await at.look()).reading, b"why", 5_000)
    assert (await at.look(CHRIS, fresh_ms=600_000)).state == "found"
    assert (await at.look(CHRIS)).state == "failed"


async def test_everything_goes_away_by_itself(at: Shelf, store: Store) -> None:
    first = await at.read((b"0", CHRIS), fresh_ms=60_000)
    place = f"{keys.READING}demo:c:{first}"
    assert 50_000 < await store.redis.pttl(place) <= 61_000
    await at.look(CHRIS, fresh_ms=600_000)
    assert 590_000 < await store.redis.pttl(place) <= 601_000, "whoever wants to see it for longer keeps it for longer"
    assert await store.redis.pttl(keys.SNAPSHOT + "demo:c") > 0


async def test_the_one_before_stays_for_a_moment_for_who_is_looking_through_it(at: Shelf, store: Store) -> None:
    first = await at.read((b"0", CHRIS), fresh_ms=600_000)
    second = await at.read((b"1", CHRIS))
    assert 0 < await store.redis.pttl(f"{keys.READING}demo:c:{first}") <= 10_000
    assert (await at.look(CHRIS)).reading == second
    assert await at.shelf.blocks("c", first, 0, 1) == [b"0"]
    await store.redis.delete(f"{keys.READING}demo:c:{second}")
    assert (await at.look(CHRIS)).state == "ours", "a reading that Redis has lost is none"
