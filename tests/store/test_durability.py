"""What Redis can promise is asked once: a broken promise stops the start, a doubt is a sentence."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from redis.exceptions import ConnectionError as RedisConnectionError

from service.dev.processes import embedded_redis
from service.errors import SettingsError
from service.store import Options, Store, durability, open_store


async def _acl(store: Store, rule: str) -> None:
    await store.redis.execute_command("ACL", "SETUSER", "default", rule)  # type: ignore[no-untyped-call]


async def test_a_redis_with_an_append_only_file_raises_no_doubt(store: Store) -> None:
    assert await durability.check(store) == []


async def test_memory_is_a_choice_that_is_said_aloud(store: Store) -> None:
    (warning,) = await durability.check(replace(store, options=Options(fsync=False)))
    assert "lost if Redis is killed" in warning


async def test_without_an_append_only_file_nothing_starts(store: Store) -> None:
    await store.redis.config_set("appendonly", "no")
    try:
        with pytest.raises(SettingsError, match="SLUICE_DURABILITY=memory") as caught:
            await durability.check(store)
    finally:
        await store.redis.config_set("appendonly", "yes")
    assert "does not write an append-only file" in str(caught.value)


async def test_eviction_is_a_warning(store: Store) -> None:
    await store.redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        (warning,) = await durability.check(store)
    finally:
        await store.redis.config_set("maxmemory-policy", "noeviction")
    assert "allkeys-lru" in warning


async def test_a_server_that_forbids_config_raises_no_doubt(store: Store) -> None:
    await _acl(store, "-config")
    try:
        assert await durability.check(store) == []
    finally:
        await _acl(store, "+config")


async def test_a_server_that_does_not_answer_may_come_up_later() -> None:
    nowhere = open_store("redis://127.0.0.1:1/0", Options())
    with pytest.raises(RedisConnectionError):
        await durability.check(nowhere)
    await nowhere.close()


async def test_a_server_too_old_to_say_when_data_is_on_disk_is_named(tmp_path: Path) -> None:
    async with embedded_redis(tmp_path, "--rename-command", "WAITAOF", "") as url:
        old = open_store(url, Options())
        with pytest.raises(SettingsError, match="has no WAITAOF"):
            await durability.check(old)
        await old.close()
