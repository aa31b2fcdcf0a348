"""What Redis can promise is asked once: a broken promise stops the start, a doubt is a sentence."""

import time
from pathlib import Path

import pytest
from msgspec.structs import replace
from redis.exceptions import ConnectionError as RedisConnectionError

from service.dev.processes import embedded_redis
from service.errors import SettingsError, StoreUnavailable
from service.store import Options, Store, accept, durability, open_store, rulesets
from tests.store.conftest import NOW, MakePlan
from tests.system.conftest import until


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
    assert "answers before its disk is done" in str(caught.value)


async def test_a_server_that_syncs_once_a_second_is_refused_since_it_may_say_that_it_did(tmp_path: Path) -> None:
    async with embedded_redis(tmp_path, "--appendfsync", "everysec") as url:
        careless = open_store(url, Options())
        with pytest.raises(SettingsError, match="--appendfsync always"):
            await durability.check(careless)
        await careless.close()


async def test_after_a_failover_to_a_server_that_does_not_sync_nothing_is_accepted(
    tmp_path: Path, make_plan: MakePlan
) -> None:
    async with embedded_redis(tmp_path) as url:
        store = open_store(url, Options())
        assert (await accept(store, "hubspot", [make_plan()], [], now=NOW)).accepted == 1
        await store.redis.config_set("appendfsync", "everysec")
        await store.redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")  # type: ignore[no-untyped-call]
        with pytest.raises(StoreUnavailable):
            await accept(store, "hubspot", [make_plan("later")], [], now=NOW)
        await store.redis.config_set("appendfsync", "always")
        assert (await accept(store, "hubspot", [make_plan("later still")], [], now=NOW)).accepted == 1
        await store.close()


async def test_eviction_is_a_warning(store: Store) -> None:
    await store.redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        (warning,) = await durability.check(store)
    finally:
        await store.redis.config_set("maxmemory-policy", "noeviction")
    assert "allkeys-lru" in warning


async def test_a_server_that_forbids_config_is_believed_with_a_warning(store: Store, make_plan: MakePlan) -> None:
    await _acl(store, "-config")
    try:
        (warning,) = await durability.check(store)
        assert (await accept(store, "hubspot", [make_plan()], [], now=NOW)).accepted == 1
    finally:
        await _acl(store, "+config")
    assert "appendfsync always" in warning


async def test_a_server_that_does_not_answer_may_come_up_later() -> None:
    nowhere = open_store("redis://127.0.0.1:1/0", Options())
    with pytest.raises(RedisConnectionError):
        await durability.check(nowhere)
    await nowhere.close()


async def test_a_server_too_old_to_say_when_data_is_on_disk_is_named(tmp_path: Path) -> None:
    async with embedded_redis(tmp_path, "--rename-command", "WAITAOF", "", "--appendfsync", "everysec") as url:
        old = open_store(url, Options())
        with pytest.raises(SettingsError, match="answers before its disk is done"):
            await durability.check(old)
        await old.close()


async def test_an_old_server_that_syncs_before_it_answers_will_do(tmp_path: Path, make_plan: MakePlan) -> None:
    async with embedded_redis(tmp_path, "--rename-command", "WAITAOF", "") as url:
        old = open_store(url, Options())
        assert await durability.check(old) == []
        assert (await accept(old, "hubspot", [make_plan()], [], now=NOW)).accepted == 1
        await rulesets.keep(old, "v1", {})
        with pytest.raises(SettingsError, match="SLUICE_REPLICAS"):
            await durability.check(replace(old, options=Options(replicas=1)))
        await old.redis.config_set("appendfsync", "everysec")
        with pytest.raises(StoreUnavailable):
            await accept(old, "hubspot", [make_plan("later")], [], now=NOW)
        await old.close()


async def test_a_replica_is_named(store: Store, tmp_path: Path) -> None:
    port = str(store.redis.connection_pool.connection_kwargs["port"])
    async with embedded_redis(tmp_path, "--replicaof", "127.0.0.1", port) as url:
        replica = open_store(url, Options())
        assert any("is a replica" in warning for warning in await durability.check(replica))
        await replica.close()


async def test_replicas_that_are_waited_for_and_are_not_there_are_a_warning(store: Store, tmp_path: Path) -> None:
    wanting = replace(store, options=Options(replicas=1))
    (warning,) = await durability.check(wanting)
    assert "SLUICE_REPLICAS is 1, but this Redis has 0 connected" in warning
    port = str(store.redis.connection_pool.connection_kwargs["port"])
    async with embedded_redis(tmp_path, "--replicaof", "127.0.0.1", port):

        async def connected() -> bool:
            return bool((await store.redis.info("replication"))["connected_slaves"])

        await until(connected)
        assert await durability.check(wanting) == []


async def test_replicas_that_nobody_waits_for_are_a_warning(store: Store) -> None:
    warnings = await durability.check(replace(store, options=Options(fsync=False, replicas=1)))
    assert "SLUICE_REPLICAS is of no use" in warnings[-1]


async def test_clocks_that_disagree_are_a_warning(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine has one clock, so what this process reads of it is what is moved."""
    honest = time.time
    monkeypatch.setattr(time, "time", lambda: honest() - 20)
    (warning,) = await durability.check(store)
    assert "20 s apart" in warning


async def test_a_file_that_could_not_be_written_is_a_warning(store: Store) -> None:
    """Only the reading of the server's answer is tried here: no disk is made to fail."""
    found = {"aof_last_write_status": "err", "aof_last_bgrewrite_status": "err"}
    warnings = durability.ailments(found)
    assert [word in warning for word, warning in zip(("write", "rewrite"), warnings, strict=True)] == [True, True]
    assert durability.ailments(await store.redis.info("persistence")) == []
