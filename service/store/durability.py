"""Can this Redis keep the promise that a 2xx means stored? Asked once, at start-up."""

from redis.exceptions import RedisError, ResponseError

from service.errors import SettingsError
from service.store.connection import Store


async def check(store: Store) -> list[str]:
    """Look at the server's settings; warnings come back as sentences.

    Raises SettingsError if deliveries are to wait for the append-only file and this server cannot do that. An unreachable
    server is a warning: it may come up later, and until then senders are told that nothing was stored.
    """
    try:
        return await _fsync(store) + await _eviction(store)
    except (RedisError, OSError, TimeoutError) as error:
        return [f"Redis does not answer ({type(error).__name__}); until it does, senders are told to come back"]


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
