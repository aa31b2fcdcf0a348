"""Reading a collection page by page from a server that may page otherwise than its documentation says.

The page of "Fetch executions" shows one object and no `pagination`, and takes an `offset` but no `limit`; its siblings
answer lists with `hasNext`. Whatever comes, reading ends, and an execution that was seen is given out once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from service.errors import Permanent, Retryable
from service.sakari.models import Execution, Pagination, execution, lenient

Fetch = Callable[[int], Awaitable[dict[str, Any]]]
"""Gives the envelope at an offset."""


async def pages(fetch: Fetch, *, most: int) -> AsyncIterator[list[Execution]]:
    """The pages of executions, each without what an earlier page had.

    The offset advances by what was received, since the page size is undocumented.
    The end is: an empty page, `hasNext: false`, a single object, null, or a page with nothing new (a server that
    ignores `offset`). Raises Permanent("too_many_pages") after `most` pages. The collection lives while it is read: an
    execution that leaves it meanwhile may hide another one from us.
    """
    seen: set[str | bytes] = set()
    offset = 0
    for _ in range(most):
        answer = await fetch(offset)
        rows, last = _rows(answer)
        fresh = _unseen(rows, seen)
        if not fresh:
            return
        yield fresh
        if last:
            return
        offset += len(rows)
    raise Permanent("too_many_pages", f"the campaign has more than {most} pages of executions")


def patient(fetch: Fetch, *, now: Callable[[], float], most_s: float = 120.0) -> Fetch:
    """`fetch`, for a reading that should not be lost for one page: what may succeed later is tried again.

    A page is waited for as long as Sakari or our own pace ask, `most_s` seconds in all; then its error is raised.
    `now`: seconds since the epoch.
    """

    async def fetch_patiently(offset: int) -> dict[str, Any]:
        waited, wait = 0.0, 0.5
        while True:
            try:
                return await fetch(offset)
            except Retryable as error:
                wait = _asked_s(error, now()) or min(2 * wait, 30.0)
                waited += wait
                if waited > most_s:
                    raise
            await asyncio.sleep(wait)

    return fetch_patiently


def _asked_s(error: Retryable, now: float) -> float | None:
    return max(error.due / 1000 - now, 0.01) if error.due is not None else error.after_s


def _rows(answer: dict[str, Any]) -> tuple[list[Any], bool]:
    """What a page holds, and whether the answer says that it is the last."""
    data, pagination = answer.get("data"), answer.get("pagination")
    if data is None:
        return [], True
    if isinstance(data, dict):
        return [data], True
    if not isinstance(data, list):
        raise Retryable("unreadable_answer", "Sakari's `data` is neither an object nor a list")
    has_next = lenient(Pagination, pagination).has_next if isinstance(pagination, dict) else None
    return data, has_next is False


def _unseen(rows: list[Any], seen: set[str | bytes]) -> list[Execution]:
    fresh: list[Execution] = []
    for row in rows:
        if not isinstance(row, dict):
            continue
        found = execution(row)
        known_by = str(found.id) if found.id is not None else msgspec.json.encode(row, order="deterministic")
        if known_by not in seen:
            seen.add(known_by)
            fresh.append(found)
    return fresh
