"""One connection to Redis that carries whole rounds: commands go out together, then all answers are read.

redis-py's pipeline does the same at about four times the CPU time: it borrows a connection and looks whether that is alive,
packs commands in Python, and sets a timer for each answer. What connects, logs in and asks sentinels is redis-py's still.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import hiredis
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

Command = tuple[Any, ...]
"""Its name and arguments: text, bytes or numbers."""


class Wire:
    """A connection of its own beside those of `pool`, made as that makes them. One round at a time."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._make: Callable[[], AbstractConnection] = pool.make_connection
        self._connection: AbstractConnection | None = None
        self.opened = 0
        """How many connections there have been, the present one included."""

    async def round(self, commands: Sequence[Command], within_s: float) -> list[Any]:
        """Send the commands and give their answers, an error in place of each that was refused.

        If the connection turns out to be dead, everything is sent once more: commands must bear being run twice.
        Raises RedisError or OSError if there is no Redis, or if it takes longer than `within_s` seconds.
        """
        packed = b"".join([hiredis.pack_command(command) for command in commands])
        try:
            async with asyncio.timeout(within_s):
                try:
                    return await self._exchange(packed, len(commands))
                except (RedisConnectionError, OSError):
                    return await self._exchange(packed, len(commands))
        except TimeoutError:
            await self.close()
            raise RedisTimeoutError("Redis did not answer in time") from None
        except BaseException:
            await self.close()  # answers may be on their way that nobody waits for any more
            raise

    async def _exchange(self, packed: bytes, answers: int) -> list[Any]:
        connection = self._connection
        if connection is None:
            connection = self._connection = self._make()
            connection.socket_timeout = None  # a round has one bound for everything
            self.opened += 1
        try:
            await connection.send_packed_command(packed, check_health=False)
            found = [await _answer(connection) for _ in range(answers)]
            if any(isinstance(answer, ReadOnlyError) for answer in found):
                # It was the primary once. Behind the address there may be another one by now: a new connection finds it.
                raise RedisConnectionError("this Redis is a replica")  # noqa: TRY301
        except (RedisConnectionError, OSError):
            await self.close()
            raise
        except RuntimeError as error:  # uvloop's word for a write to a connection that has just been closed
            await self.close()
            raise RedisConnectionError("the connection was closed") from error
        return found

    async def close(self) -> None:
        """Close the connection; the next round opens another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(RedisConnectionError, OSError):
                await connection.disconnect(nowait=True)


async def _answer(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error
