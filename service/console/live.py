"""Pages that keep themselves fresh: the part that changes, rendered again here and sent when it did (server-sent events)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any

from litestar import Request, get
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Stream
from redis.exceptions import RedisError

from service.console.desk import Desk, who
from service.console.pages import look_around, story_of
from service.console.render import PRIVATE, fragment
from service.console.session import Who

Asked = Request[Any, Any, Any]

_EVERY_S = 2.0
_LONGEST_S = 600.0
"""A browser comes back by itself, with its session checked anew."""
_MOST, _MOST_OF_VIEWERS, _MOST_OF_ONE = 32, 24, 4
"""Streams at a time, in one process: of all, of all viewers together, of one session."""


def live(desk: Desk, stopping: asyncio.Event) -> list[HTTPRouteHandler]:
    """Make the handlers. `stopping`: set when the process is told to stop, which would otherwise wait for its readers."""
    open_now: dict[object, Who] = {}

    async def changes(make: Callable[[], Awaitable[str]], reader: Who) -> AsyncIterator[str]:
        mark, last = object(), ""
        open_now[mark] = reader
        try:
            ends = asyncio.get_running_loop().time() + min(_LONGEST_S, max(0, reader.until - desk.now()) / 1000)
            yield "retry: 3000\n\n"
            while asyncio.get_running_loop().time() < ends and not stopping.is_set():
                try:
                    now = await make()
                except (RedisError, OSError, TimeoutError):
                    yield "event: lost\ndata: Redis does not answer\n\n"
                    now = ""
                if now and now != last:
                    last = now
                    yield "".join(f"data: {line}\n" for line in now.splitlines()) + "\n"
                else:
                    yield ": still here\n\n"
                await _pause(stopping)
        finally:
            del open_now[mark]

    def stream(request: Asked, make: Callable[[], Awaitable[str]]) -> Stream:
        reader = who(request)
        _refuse_too_many(open_now.values(), reader)
        return Stream(changes(make, reader), media_type="text/event-stream", headers=PRIVATE)

    @get("/live/overview")
    async def overview(request: Asked) -> Stream:
        async def make() -> str:
            return fragment("overview_live.html", base=desk.base, **await look_around(desk))

        return stream(request, make)

    @get("/live/events/{event_id:str}")
    async def event(request: Asked, event_id: FromPath[str]) -> Stream:
        await story_of(desk, event_id)

        async def make() -> str:
            return fragment("story_live.html", base=desk.base, **await story_of(desk, event_id))

        return stream(request, make)

    return [overview, event]


def _refuse_too_many(readers: Collection[Who], one: Who) -> None:
    """Raise HTTPException if this one may not have another stream. No viewer keeps others out, nor all of them an admin."""
    if sum(reader.csrf == one.csrf for reader in readers) >= _MOST_OF_ONE:
        raise HTTPException("You have many live pages open; close one, or load this one by hand.", status_code=429)
    viewers = sum(not reader.may_act for reader in readers)
    if len(readers) >= _MOST or (not one.may_act and viewers >= _MOST_OF_VIEWERS):
        raise HTTPException("Too many pages are live; load this one again by hand.", status_code=503)


async def _pause(stopping: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_EVERY_S):
            await stopping.wait()
    except TimeoutError:
        pass
