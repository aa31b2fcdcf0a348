"""A 2xx means stored. Can this Redis keep that promise? Asked at start-up. Has it? Asked with every round."""

from typing import Any

from redis.asyncio.client import Pipeline
from redis.exceptions import ResponseError

from service.errors import SettingsError
from service.store.connection import Options, Store

_OLDEST = (6, 2)


async def check(store: Store) -> list[str]:
    """Look at the server's settings; warnings come back as sentences.

    Raises SettingsError if this server is too old, or if deliveries are to wait for the append-only file and it cannot do
    that; and the client's own errors if it does not answer.
    """
    await _version(store)
    if (await store.redis.info("replication")).get("role") == "slave":
        return ["this Redis is a replica and refuses writes: nothing is accepted until it is promoted"]
    return await _fsync(store) + await _eviction(store) + await _health(store)


async def _version(store: Store) -> None:
    version = str((await store.redis.info("server")).get("redis_version", ""))
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < _OLDEST:
        raise SettingsError([f"this Redis is {version}; Sluice needs {'.'.join(map(str, _OLDEST))} or later"])


async def _fsync(store: Store) -> list[str]:
    if not store.options.fsync:
        return ["durability is `memory`: what was accepted in the last second is lost if Redis is killed"]
    remedy = "start Redis with `--appendonly yes` (7.2 or later), or set SLUICE_DURABILITY=memory and accept the risk"
    try:
        await store.redis.execute_command("WAITAOF", 1, 0, 1000)  # type: ignore[no-untyped-call]
    except ResponseError as error:
        if not _unknown(error):
            raise SettingsError([f"this Redis does not write an append-only file; {remedy}"]) from None
        if not await _writes_always(store):
            raise SettingsError(
                [f"this Redis has no WAITAOF, so it cannot say when data is on disk; {remedy}, or `appendfsync always`"]
            ) from None
        if store.options.replicas:
            raise SettingsError(
                ["this Redis has no WAITAOF, so it cannot wait for replicas: unset SLUICE_REPLICAS"]
            ) from None
    return []


def wait_for_disk(pipe: Pipeline, options: Options) -> None:
    """Ask, as the last command of a pipeline, that what went before it is on disk: here, and on as many replicas as wanted.

    `WAITAOF` speaks for the writes of its own connection only.
    """
    pipe.execute_command("WAITAOF", 1, options.replicas, options.accept_timeout_ms)


async def confirmed(store: Store, answer: Any) -> bool:
    """Tell from the answer to `wait_for_disk` (or the error that came instead) whether everything is on disk."""
    if isinstance(answer, ResponseError) and _unknown(answer):
        return not store.options.replicas and await _writes_always(store)
    return not isinstance(answer, Exception) and answer[0] >= 1 and answer[1] >= store.options.replicas


def _unknown(error: ResponseError) -> bool:
    return "unknown command" in str(error)


async def _writes_always(store: Store) -> bool:
    """Whether the server syncs before it answers, whatever it is asked: the way of servers before 7.2."""
    try:
        found = await store.redis.config_get("append*")
    except ResponseError:
        return False  # who forbids CONFIG cannot be believed blindly
    return bool(found.get("appendonly") == "yes" and found.get("appendfsync") == "always")


async def _health(store: Store) -> list[str]:
    """Say what the server itself knows to be wrong with it."""
    found = await store.redis.info("persistence")
    warnings = []
    if found.get("aof_last_write_status", "ok") != "ok":
        warnings.append("Redis could not write its append-only file the last time: is its disk full?")
    if found.get("aof_last_bgrewrite_status", "ok") != "ok":
        warnings.append("Redis could not rewrite its append-only file the last time: is its disk or memory full?")
    return warnings


async def _eviction(store: Store) -> list[str]:
    try:
        policy = (await store.redis.config_get("maxmemory-policy")).get("maxmemory-policy", "noeviction")
    except ResponseError:
        return []  # managed servers often forbid CONFIG
    if policy == "noeviction":
        return []
    return [f"Redis may evict keys (maxmemory-policy {policy}): that would lose events; set it to noeviction"]
