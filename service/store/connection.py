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
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError

HOUR_MS = 3_600_000
TALLY_MS = 2 * HOUR_MS
NAMES = (
    "accept", "begin", "claim", "drop", "forget", "record", "renew", "replay", "revive", "snapshot_give_up",
    "snapshot_look", "snapshot_publish", "snapshot_put", "sweep",
)  # fmt: skip
OF_ACCOUNTS = ("admit", "report")
"""Scripts with a prelude of their own besides."""


class Options(Struct, frozen=True, kw_only=True):
    """How the store keeps what it keeps. Times in milliseconds."""

    fsync: bool = True
    """Whether an accepted delivery waits for the append-only file."""
    replicas: int = 0
    """How many replicas must have an accepted delivery on their disks too: with a failover, the primary alone is not enough."""
    accept_timeout_ms: int = 3_000
    """How long a sender may be kept waiting for Redis before it is told that nothing was stored."""
    claim_ms: int = 72 * HOUR_MS
    fence_ms: int = 30 * 24 * HOUR_MS
    """For how long an older fact is known to be older; a dead letter that is retried later than that is not checked."""
    ledger_ms: int = 7 * 24 * HOUR_MS
    dead_ms: int = 90 * 24 * HOUR_MS
    """How long a dead letter waits for a person before it is dropped."""
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


class _Call(Struct):
    script: AsyncScript
    parts: list[Any]
    answer: asyncio.Future[Any]


class Calls:
    """Script calls of one process. Those that are asked for while others are on their way go together in one pipeline.

    A call costs a fraction of what it would alone, and each is as atomic as before.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: list[_Call] = []
        self._sender: asyncio.Task[None] | None = None

    async def run(self, script: AsyncScript, keys: list[str], args: list[Any]) -> Any:
        """Run one script, atomically. Raises redis.exceptions.RedisError, OSError."""
        call = _Call(script, [len(keys), *keys, *args], asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send())
        return await call.answer

    async def _send(self) -> None:
        while self._waiting:
            calls, self._waiting = self._waiting, []
            try:
                answers = await self._round(calls)
            except (RedisError, OSError) as error:
                answers = [error] * len(calls)
            except Exception as error:  # noqa: BLE001  # what cannot be sent must not take the others with it
                answers = [error] if len(calls) == 1 else [a for call in calls for a in await self._alone(call)]
            for call, answer in zip(calls, answers, strict=True):
                if call.answer.done():
                    continue  # whoever asked has been cancelled
                if isinstance(answer, Exception):
                    call.answer.set_exception(answer)
                else:
                    call.answer.set_result(answer)

    async def _alone(self, call: _Call) -> list[Any]:
        try:
            return await self._round([call])
        except Exception as error:  # noqa: BLE001  # it is handed to whoever asked
            return [error]

    async def _round(self, calls: list[_Call]) -> list[Any]:
        answers = await self._pipeline(calls)
        unknown = [n for n, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:  # the server was started anew, and has run none of these
            for script in {calls[n].script.sha: calls[n].script for n in unknown}.values():
                await self._redis.script_load(script.script)
            for n, answer in zip(unknown, await self._pipeline([calls[n] for n in unknown]), strict=True):
                answers[n] = answer
        return answers

    async def _pipeline(self, calls: list[_Call]) -> list[Any]:
        pipe = self._redis.pipeline(transaction=False)
        for call in calls:
            pipe.evalsha(call.script.sha, *call.parts)
        return await pipe.execute(raise_on_error=False)


class Store(Struct, frozen=True):
    """Redis, its scripts, and how to keep things there. Made by `open_store`; the functions of this room take it."""

    redis: Redis
    scripts: dict[str, AsyncScript]
    calls: Calls
    options: Options

    async def run(self, script: str, keys: list[str], args: list[Any]) -> Any:
        """Run one script, atomically. Raises redis.exceptions.RedisError, OSError."""
        return await self.calls.run(self.scripts[script], keys, args)

    async def answers(self, *, within_s: float = 5.0) -> bool:
        """Tell whether Redis answers at all. Without the bound, a silent network could hold this up for twice its timeout."""
        try:
            async with asyncio.timeout(within_s):
                return bool(await self.redis.ping())
        except (RedisError, OSError, TimeoutError):
            return False

    async def close(self) -> None:
        """Close every connection."""
        await self.redis.aclose()
        own = self.redis.connection_pool
        await own.disconnect()
        if isinstance(own, SentinelConnectionPool):
            for sentinel in own.sentinel_manager.sentinels:
                await sentinel.aclose()


def open_store(url: str, options: Options, *, timeout_s: float = 5.0, connections: int = 64) -> Store:
    """Make a store on the Redis of `url` (redis://, rediss://, unix:// or redis+sentinel://). Connects when first used."""
    redis = Redis(connection_pool=pool(url, timeout_s=timeout_s, connections=connections))
    return Store(redis, load_scripts(redis), Calls(redis), options)


def pool(url: str, *, timeout_s: float, connections: int) -> ConnectionPool:
    """Make a pool that waits for a free connection rather than failing, with a bound on every wait.

    A command is repeated once, and only if the connection turned out to be dead: every script of ours may be run twice.
    """
    bounds: dict[str, Any] = {
        "max_connections": connections,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 1),
        "retry_on_error": [RedisConnectionError],
    }
    if url.startswith(SENTINEL):
        return _sentinel_pool(url, bounds)
    return BlockingConnectionPool.from_url(url, timeout=timeout_s, **bounds)


SENTINEL = "redis+sentinel://"
_SENTINEL_URL = re.compile(
    r"redis\+sentinel://(?:(?P<user>[^:@/]*):(?P<password>[^@/]*)@)?(?P<hosts>[^/@]+)/(?P<name>[^/?]+)(?:/(?P<db>\d+))?"
)


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
    sentinels = Sentinel(addresses, sentinel_kwargs=timeouts)  # type: ignore[no-untyped-call]
    wanted = {"db": int(match["db"] or 0), **login, **bounds}
    return SentinelConnectionPool(match["name"], sentinels, **wanted)  # type: ignore[no-untyped-call]


def load_scripts(redis: Redis) -> dict[str, AsyncScript]:
    """Read every script, with what comes before it."""
    folder = files("service.store") / "scripts"

    def script(*parts: str) -> AsyncScript:
        return AsyncScript(redis, "".join((folder / f"{part}.lua").read_text() for part in parts))

    alone = {name: script("prelude", name) for name in NAMES}
    return alone | {name: script("prelude", "prelude_account", name) for name in OF_ACCOUNTS}
