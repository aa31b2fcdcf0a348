"""Rounds that are answered once they are on disk: a 2xx means stored."""

from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from service.store.options import Options
from service.store.wire import Command, Wire


class NotOnDisk(RedisError):
    """Written, but the disk, or as many replicas as wanted, did not confirm it in time."""


class Disk:
    """Carries rounds over `wire`, and answers once what they wrote is in the append-only file, and the file on disk.

    The server has to sync before it answers (`appendfsync always`). WAITAOF alone would not do: with `everysec` many versions
    say that everything is on disk as soon as their buffer is empty (https://github.com/redis/redis/pull/13793 mended it in
    Redis; Valkey 9.1 has it still), and those that do not take up to a second.
    """

    def __init__(self, wire: Wire, redis: Redis, options: Options) -> None:
        self._wire = wire
        self._redis = redis
        self._options = options
        self._trusted = 0
        """Which connection of the wire leads to a server that is known to sync."""

    async def round(self, commands: list[Command], within_s: float) -> list[Any]:
        """Run the commands, and wait until what they wrote is on disk: here, and on as many replicas as wanted.

        Gives their answers, an error in place of each that was refused. Raises NotOnDisk, another RedisError, or
        OSError.
        """
        if not self._options.fsync:
            return await self._wire.round(commands, within_s)
        # WAITAOF speaks for the writes of its own connection only, so it has to be part of the round.
        wait: Command = ("WAITAOF", 1, self._options.replicas, self._options.accept_timeout_ms)
        *answers, synced = await self._wire.round([*commands, wait], within_s)
        if self._trusted != self._wire.opened:  # after a failover there may be another server behind the address
            if await syncs(self._redis) is False:
                raise NotOnDisk("this Redis answers before its disk is done: it needs `appendfsync always`")
            self._trusted = self._wire.opened
        if not await self._confirmed(synced):
            raise NotOnDisk("Redis did not confirm that everything is on disk")
        return answers

    async def _confirmed(self, answer: Any) -> bool:
        """Tell from the answer to WAITAOF, or from the error that came instead, whether everything is on disk."""
        if isinstance(answer, ResponseError) and unknown(answer):
            return not self._options.replicas and await syncs(self._redis) is True
        return not isinstance(answer, Exception) and answer[0] >= 1 and answer[1] >= self._options.replicas


def unknown(error: ResponseError) -> bool:
    """Tell whether the server does not know the command."""
    return "unknown command" in str(error)


async def syncs(redis: Redis) -> bool | None:
    """Tell whether the server syncs its append-only file before it answers; None if it does not tell."""
    try:
        found = await redis.config_get("append*")
    except ResponseError:
        return None
    return bool(found.get("appendonly") == "yes" and found.get("appendfsync") == "always")
