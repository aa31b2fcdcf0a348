"""The token is fetched by one worker at a time, and a refused one is forgotten by whoever saw it refused."""

import asyncio

from service.store import Store, keys
from service.store.tokens import SharedToken


async def test_one_holder_at_a_time_and_the_others_read_again(store: Store) -> None:
    cache = SharedToken(store, "a")
    fetched = 0

    async def want() -> bytes | None:
        nonlocal fetched
        while (value := await cache.get()) is None:
            async with cache.lock() as first:
                if first and await cache.get() is None:
                    fetched += 1
                    await cache.put(b"token", 60_000)
        return value

    assert await asyncio.gather(*(want() for _ in range(20))) == [b"token"] * 20
    assert fetched == 1


async def test_only_the_token_that_was_seen_is_dropped(store: Store) -> None:
    cache = SharedToken(store, "a")
    await cache.put(b"new", 60_000)
    await cache.drop(b"old")
    assert await cache.get() == b"new"
    await cache.drop(b"new")
    assert await cache.get() is None


async def test_accounts_do_not_share(store: Store) -> None:
    await SharedToken(store, "a").put(b"token", 60_000)
    assert await SharedToken(store, "b").get() is None


async def test_a_holder_that_dies_holds_nobody_up_for_long(store: Store) -> None:
    async with SharedToken(store, "a").lock() as first:
        assert first
        assert 0 < await store.redis.pttl(keys.TOKEN_LOCK + "a") <= 10_000
