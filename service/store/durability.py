"""A 2xx means stored. Can this Redis keep that promise? Asked at start-up; whether it has kept it is asked in disk.py."""

import time
from collections.abc import Mapping
from typing import Any

from redis.exceptions import ResponseError

from service.errors import SettingsError
from service.store.connection import Store
from service.store.disk import syncs
from service.store.options import Options

_OLDEST = (6, 2)
_SKEW_S = 2.0


async def check(store: Store) -> list[str]:
    """Look at the server's settings; warnings come back as sentences.

    Raises SettingsError if this server is too old, or if deliveries are to wait for the append-only file and it cannot do
    that; and the client's own errors if it does not answer.
    """
    await _version(store)
    skew = await _clock(store)
    replication = await store.redis.info("replication")
    if replication.get("role") == "slave":
        return ["this Redis is a replica and refuses writes: nothing is accepted until it is promoted"]
    doubts = skew + await _fsync(store) + _replicas(store.options, replication)
    return doubts + await _eviction(store) + ailments(await store.redis.info("persistence"))


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
    synced, knows = await syncs(store.redis), await _knows_waitaof(store)
    if synced is False or not (synced or knows):
        remedy = "start Redis with `--appendonly yes --appendfsync always`"
        accept = "or set SLUICE_DURABILITY=memory and accept that its last second may be lost"
        raise SettingsError([f"this Redis answers before its disk is done, so a 2xx could be lost; {remedy}, {accept}"])
    if store.options.replicas and not knows:
        raise SettingsError(["this Redis has no WAITAOF, so it cannot wait for replicas: unset SLUICE_REPLICAS"])
    if synced is None:
        return [
            "this Redis does not tell its settings: make sure that it has `appendfsync always`, or a 2xx may be lost"
        ]
    return []


async def _knows_waitaof(store: Store) -> bool:
    """Tell whether the server knows WAITAOF, and writes an append-only file for which it can wait."""
    try:
        await store.redis.execute_command("WAITAOF", 1, 0, 1000)  # type: ignore[no-untyped-call]  # untyped in redis-py
    except ResponseError:
        return False
    return True


def _replicas(options: Options, replication: Mapping[str, Any]) -> list[str]:
    """Say whether there are as many replicas as are waited for. They may come later, so this stops no start."""
    if not options.replicas:
        return []
    if not options.fsync:
        return ["SLUICE_REPLICAS is of no use with SLUICE_DURABILITY=memory: no replica is waited for"]
    there = replication.get("connected_slaves", 0)
    if there >= options.replicas:
        return []
    said = f"SLUICE_REPLICAS is {options.replicas}, but this Redis has {there} connected"
    return [f"{said}: until they are there nothing is accepted, and deliveries are answered with 503"]


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
