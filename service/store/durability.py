"""Can this Redis keep the promise that a 2xx means stored? Asked once, at start-up."""

from redis.exceptions import ResponseError

from service.errors import SettingsError
from service.store.connection import Store

_OLDEST = (6, 2)


async def check(store: Store) -> list[str]:
    """Look at the server's settings; warnings come back as sentences.

    Raises SettingsError if this server is too old, or if deliveries are to wait for the append-only file and it cannot do
    that; and the client's own errors if it does not answer.
    """
    await _version(store)
    return await _fsync(store) + await _eviction(store)


async def _version(store: Store) -> None:
    version = str((await store.redis.info("server")).get("redis_version", ""))
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < _OLDEST:
        raise SettingsError([f"this Redis is {version}; Sluice needs {'.'.join(map(str, _OLDEST))} or later"])


async def _fsync(store: Store) -> list[str]:
    if not store.options.fsync:
        return ["durability is `memory`: what was accepted in the last second is lost if Redis is killed"]
    try:
        await store.redis.execute_command("WAITAOF", 1, 0, 1000)  # type: ignore[no-untyped-call]
    except ResponseError as error:
        remedy = (
            "start Redis with `--appendonly yes` (7.2 or later), or set SLUICE_DURABILITY=memory and accept the risk"
        )
        if "unknown command" in str(error):
            raise SettingsError(
                [f"this Redis has no WAITAOF, so it cannot say when data is on disk; {remedy}"]
            ) from None
        raise SettingsError([f"this Redis does not write an append-only file; {remedy}"]) from None
    return []


async def _eviction(store: Store) -> list[str]:
    try:
        policy = (await store.redis.config_get("maxmemory-policy")).get("maxmemory-policy", "noeviction")
    except ResponseError:
        return []  # managed servers often forbid CONFIG
    if policy == "noeviction":
        return []
    return [f"Redis may evict keys (maxmemory-policy {policy}): that would lose events; set it to noeviction"]
