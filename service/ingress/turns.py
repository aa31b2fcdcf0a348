"""Sharing out the turns of the event loop, so that Redis is at work while deliveries are still being worked out.

Bytes that were written leave at the end of a turn. Deliveries that came together would all be worked out in the same turn
before Redis saw the first one, and then all wait for it: the two would take turns instead of working side by side.
"""

import asyncio
from collections import deque

BUDGET = 8192
"""Bytes of bodies in one turn: some twenty deliveries of one event, or one large delivery."""


class Turns:
    """Deliveries that want to be worked out, first come first served."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = budget
        self._used = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def take(self, size: int) -> None:
        """Return in the first turn that has room for `size` bytes, or that has nothing else to do."""
        loop = self._loop = self._loop or asyncio.get_running_loop()
        size = max(size, 1)
        if not self._waiting and self._has_room(size):
            self._use(size, loop)
            return
        turn = loop.create_future()
        self._waiting.append((size, turn))
        await turn

    def _has_room(self, size: int) -> bool:
        return not self._used or self._used + size <= self._budget

    def _use(self, size: int, loop: asyncio.AbstractEventLoop) -> None:
        if not self._used:
            loop.call_soon(self._next, loop)
        self._used += size

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        self._used = 0
        while self._waiting and self._has_room(self._waiting[0][0]):
            size, turn = self._waiting.popleft()
            if not turn.done():  # else whoever was waiting has gone
                turn.set_result(None)
                self._use(size, loop)
