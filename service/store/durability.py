"""A 2xx means stored. Can this Redis keep that promise? Asked at start-up. Has it? Asked with every round."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import Any

from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError, ResponseError

from service.errors import SettingsError
from service.store.connection import Store

_OLDEST = (6, 2)
_SKEW_S = 2.0
_FIRST_KNOCK_S = 0.001
_LAST_KNOCK_S = 0.02


async def check(store: Store) -> list[str]:
    """Look at the server's settings; warnings come back as sentences.

    Raises SettingsError if this server is too old, or if deliveries are to wait for the append-only file and it cannot do
    that; and the client's own errors if it does not answer.
    """
    await _version(store)
    skew = await _clock(store)
    if (await store.redis.info("replication")).get("role") == "slave":
        return ["this Redis is a replica and refuses writes: nothing is accepted until it is promoted"]
    return skew + await _fsync(store) + await _eviction(store) + ailments(await store.redis.info("persistence"))


async def _version(store: Store) -> None:
    version = str((await store.redis.info("server")).get("redis_version", ""))
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < _OLDEST:
        raise SettingsError([f"this Redis is {version}; Sluice needs {'.'.join(map(str, _OLDEST))} or later"])


async def _clock(store: Store) -> list[str]:
    before = time.time()
    seconds, micros = await store.redis.time()
    off_s = seconds + micros / 1e6 - (before + time.time()) / 2
    if abs(off_s) < _SKEW_S:
        return []
    return [
        f"the clocks of Redis and of this machine are {abs(off_s):.0f} s apart: retries and expiries are as wrong; use NTP"
    ]


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


async def execute(store: Store, pipe: Pipeline) -> list[Any]:
    """Run a pipeline, and wait until what it wrote is on disk: here, and on as many replicas as wanted.

    Gives the commands' answers, an error in place of each that was refused. Raises RedisError if the disk was not confirmed.
    """
    options = store.options
    if not options.fsync:
        return await pipe.execute(raise_on_error=False)
    # WAITAOF speaks for the writes of its own connection only, so it has to be part of the pipeline.
    pipe.execute_command("WAITAOF", 1, options.replicas, options.accept_timeout_ms)
    execution = asyncio.ensure_future(pipe.execute(raise_on_error=False))
    knocking = asyncio.create_task(_knock(store, execution))
    try:
        *answers, synced = await execution
        await knocking  # it ends by itself, at once: cutting it short would cost its connection
    except BaseException:
        knocking.cancel()
        raise
    if not await _confirmed(store, synced):
        raise RedisError("Redis did not confirm that everything is on disk")
    return answers


async def _knock(store: Store, execution: asyncio.Future[Any]) -> None:
    """Keep the server's loop turning until it has answered.

    An idle server looks `hz` times a second, by default ten times, whether its disk is done: WAITAOF would take 100 ms for
    a sync of one. Any command makes it look at once.
    """
    pause_s = _FIRST_KNOCK_S
    while not execution.done():
        await asyncio.wait([execution], timeout=pause_s)
        pause_s = min(pause_s * 1.5, _LAST_KNOCK_S)
        if not execution.done():
            with contextlib.suppress(RedisError, OSError):
                await store.redis.ping()


async def _confirmed(store: Store, answer: Any) -> bool:
    """Tell from the answer to WAITAOF, or from the error that came instead, whether everything is on disk."""
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


def ailments(persistence: Mapping[str, Any]) -> list[str]:
    """Say what the server itself knows to be wrong with it. `persistence`: that section of its `INFO`."""
    warnings = []
    if persistence.get("aof_last_write_status", "ok") != "ok":
        warnings.append("Redis could not write its append-only file the last time: is its disk full?")
    if persistence.get("aof_last_bgrewrite_status", "ok") != "ok":
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
