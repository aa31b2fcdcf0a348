"""The connection to Redis, and the running of scripts over it."""

from importlib.resources import files
from typing import Any

from msgspec import Struct
from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

HOUR_MS = 3_600_000
NAMES = ("accept", "begin", "claim", "forget", "record", "renew", "revive", "sweep")


class Options(Struct, frozen=True, kw_only=True):
    """How the store keeps what it keeps. Times in milliseconds."""

    fsync: bool = True
    """Whether an accepted delivery waits for the append-only file."""
    accept_timeout_ms: int = 3_000
    """How long a sender may be kept waiting for Redis before it is told that nothing was stored."""
    claim_ms: int = 72 * HOUR_MS
    ledger_ms: int = 7 * 24 * HOUR_MS
    ruleset_ms: int = 90 * 24 * HOUR_MS
    journal_length: int = 1_000_000
    """Events kept for explain, replay and backtest."""
    lease_ms: int = 15_000
    hold_ms: int = 15_000
    """How long one writer may hold a Sakari record: as long as a lease, since the holder needs both."""
    ticket_ms: int = 7 * 24 * HOUR_MS
    lanes_per_ticket: int = 16
    most_tickets: int = 8
    late_ms: int = 2_000


class Store(Struct, frozen=True):
    """Redis, its scripts, and how to keep things there. Made by `open_store`; the functions of this room take it."""

    redis: Redis
    scripts: dict[str, AsyncScript]
    options: Options

    async def run(self, script: str, keys: list[str], args: list[Any]) -> Any:
        """Run one script, atomically. Raises redis.exceptions.RedisError."""
        return await self.scripts[script](keys=keys, args=args)

    async def answers(self) -> bool:
        """Tell whether Redis answers at all."""
        try:
            return bool(await self.redis.ping())
        except (RedisError, OSError, TimeoutError):
            return False

    async def close(self) -> None:
        """Close every connection."""
        await self.redis.aclose()
        await self.redis.connection_pool.disconnect()


def open_store(url: str, options: Options, *, timeout_s: float = 5.0, connections: int = 64) -> Store:
    """Make a store on the Redis of `url` (redis://, rediss:// or unix://). Connects when first used."""
    redis = Redis(connection_pool=pool(url, timeout_s=timeout_s, connections=connections))
    return Store(redis, load_scripts(redis), options)


def pool(url: str, *, timeout_s: float, connections: int) -> ConnectionPool:
    """Make a pool that waits for a free connection rather than failing, with a bound on every wait.

    A command is repeated once, and only if the connection turned out to be dead: every script of ours may be run twice.
    """
    return BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 1),
        retry_on_error=[RedisConnectionError],
    )


def load_scripts(redis: Redis) -> dict[str, AsyncScript]:
    """Read every script, with the prelude before it."""
    folder = files("service.store") / "scripts"
    prelude = (folder / "prelude.lua").read_text()
    return {name: AsyncScript(redis, prelude + (folder / f"{name}.lua").read_text()) for name in NAMES}
