"""The connection to Redis, and the running of scripts over it."""

import asyncio
import re
from importlib.resources import files
from typing import Any
from urllib.parse import unquote

from msgspec import Struct
from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import AuthenticationError, ReadOnlyError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError

from service.store.disk import Disk
from service.store.options import Options
from service.store.rounds import Items, Rounds
from service.store.wire import Wire

NAMES = (
    "accept", "claim", "drop", "forget", "record", "renew", "replay", "revive", "snapshot_give_up",
    "snapshot_look", "snapshot_publish", "snapshot_put", "sweep",
)  # fmt: skip
OF_ACCOUNTS = {
    "admit": ("prelude_account", "prelude_admit"),
    "begin": ("prelude_account", "prelude_admit"),
    "report": ("prelude_account",),
}
"""Scripts with preludes of their own besides."""


class Store(Struct, frozen=True):
    """Redis, its scripts, and how to keep things there. Made by `open_store`; the functions of this room take it."""

    redis: Redis
    scripts: dict[str, AsyncScript]
    options: Options
    quick: Rounds
    """For what is answered from memory."""
    durable: Rounds
    """For what is answered once it is on disk, if the options say so."""
    wires: tuple[Wire, ...]

    async def run(self, script: str, keys: list[str], args: list[Any], *, durably: bool = False) -> Any:
        """Run one script, atomically. Raises redis.exceptions.RedisError, OSError."""
        return await (self.durable if durably else self.quick).run(self.scripts[script], keys, args)

    async def join(
        self, script: str, keys: list[str], args: list[Any], items: Items, *, durably: bool = False
    ) -> list[Any]:
        """Run one script together with all who wait for the same but for their items (see rounds.py). Raises as `run`."""
        return await (self.durable if durably else self.quick).join(self.scripts[script], keys, args, items)

    async def mapping(self, key: str) -> dict[bytes, bytes]:
        """Fetch a hash whole; empty if there is none. Raises RedisError."""
        found: dict[bytes, bytes] = await self.redis.hgetall(key)  # type: ignore[misc]  # typed as if it might not be awaited
        return found

    async def answers(self, *, within_s: float = 5.0) -> bool:
        """Tell whether Redis answers at all."""
        return not await self.silence(within_s=within_s)

    async def silence(self, *, within_s: float = 5.0) -> str:
        """Say why Redis does not answer; empty if it does.

        Without the bound, a silent network could hold this up for twice its timeout.
        """
        try:
            async with asyncio.timeout(within_s):
                await self.redis.ping()
        except (RedisError, OSError, TimeoutError) as error:
            return why_silent(error)
        return ""

    async def close(self) -> None:
        """Wait for what is under way, and close every connection."""
        await self.durable.finish()
        await self.quick.finish()
        for wire in self.wires:
            await wire.close()
        await self.redis.aclose()
        own = self.redis.connection_pool
        await own.disconnect()
        if isinstance(own, SentinelConnectionPool):
            for sentinel in own.sentinel_manager.sentinels:
                await sentinel.aclose()


def why_silent(error: Exception) -> str:
    """Say in our own words why Redis does not answer."""
    if isinstance(error, AuthenticationError):
        return "the server refused the user or the password, or wants one"
    return f"nothing answers there ({type(error).__name__})"


def open_store(url: str, options: Options, *, timeout_s: float = 5.0, connections: int = 64) -> Store:
    """Make a store on the Redis of `url` (redis://, rediss://, unix:// or redis+sentinel://). Connects when first used."""
    redis = Redis(connection_pool=pool(url, timeout_s=timeout_s, connections=connections))
    wires = tuple(Wire(redis.connection_pool) for _ in range(3))
    quick, *waiting = wires
    # Two, since one of them mostly waits for the disk.
    disks = [Disk(wire, redis, options).round for wire in waiting]
    return Store(
        redis=redis,
        scripts=load_scripts(redis),
        options=options,
        quick=Rounds([quick.round], timeout_s),
        durable=Rounds(disks, options.accept_timeout_ms / 1000),
        wires=wires,
    )


def pool(url: str, *, timeout_s: float, connections: int) -> ConnectionPool:
    """Make a pool that waits for a free connection rather than failing, with a bound on every wait.

    A command is repeated once, and only if the connection turned out to be dead: every script of ours may be run twice.
    """
    bounds: dict[str, Any] = {
        "max_connections": connections,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 1),
        "retry_on_error": [RedisConnectionError, ReadOnlyError],  # who was the primary once may not be it any more
    }
    if url.startswith(SENTINEL):
        return _sentinel_pool(url, bounds)
    return BlockingConnectionPool.from_url(url, timeout=timeout_s, **bounds)


SENTINEL = "redis+sentinel://"
_SENTINEL_URL = re.compile(
    r"redis\+sentinel://(?:(?P<user>[^:@/]*):(?P<password>[^@/]*)@)?(?P<hosts>[^/@]+)/(?P<name>[^/?]+)(?:/(?P<db>\d+))?"
)


class _OneAtATime(Sentinel):
    """Sentinels that are asked by one connection at a time.

    redis-py 5.3 puts the one that knew the primary at the top of its list, and loses one if two do that at once.
    """

    def __init__(self, addresses: list[tuple[str, int]], **settings: Any) -> None:
        super().__init__(addresses, **settings)  # type: ignore[no-untyped-call]  # redis-py types no sentinels
        self._asking = asyncio.Lock()

    async def discover_master(self, service_name: str) -> Any:
        """Ask for the address of the primary."""
        async with self._asking:
            return await super().discover_master(service_name)


def _sentinel_pool(url: str, bounds: dict[str, Any]) -> ConnectionPool:
    """Make a pool that asks sentinels for the primary whenever it connects: `redis+sentinel://host:26379,host/name/0`.

    User and password are those of Redis itself. Raises ValueError if the URL is not of that form.
    """
    match = _SENTINEL_URL.fullmatch(url)
    if match is None:
        raise ValueError("a sentinel URL looks like redis+sentinel://[user:password@]host:26379,host:26379/name[/db]")
    hosts = [host.partition(":") for host in match["hosts"].split(",")]
    login = {"username": unquote(match["user"] or "") or None, "password": unquote(match["password"] or "") or None}
    timeouts = {"socket_timeout": 1.0, "socket_connect_timeout": 1.0}
    addresses = [(host, int(port or 26379)) for host, _, port in hosts]
    sentinels = _OneAtATime(addresses, sentinel_kwargs=timeouts)
    wanted = {"db": int(match["db"] or 0), **login, **bounds}
    return SentinelConnectionPool(match["name"], sentinels, **wanted)  # type: ignore[no-untyped-call]  # as above


def load_scripts(redis: Redis) -> dict[str, AsyncScript]:
    """Read every script, with what comes before it."""
    folder = files("service.store") / "scripts"

    def script(*parts: str) -> AsyncScript:
        return AsyncScript(redis, "".join((folder / f"{part}.lua").read_text() for part in parts))

    alone = {name: script("prelude", name) for name in NAMES}
    return alone | {name: script("prelude", *preludes, name) for name, preludes in OF_ACCOUNTS.items()}
