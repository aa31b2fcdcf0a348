"""Reading a collection page by page from a server that may page otherwise than its documentation says.

The page of "Fetch executions" shows one object and no `pagination`, and takes an `offset` but no `limit`; its siblings
answer lists with `hasNext`. Whatever comes, reading ends, and an execution that was seen is given out once.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from service.errors import Permanent, Retryable
from service.sakari.models import Execution, Pagination, execution, lenient


async def pages(fetch: Callable[[int], Awaitable[dict[str, Any]]], *, most: int) -> AsyncIterator[list[Execution]]:
    """The pages of executions, each without what an earlier page had.

    `fetch`: the envelope at an offset. The offset advances by what was received, since the page size is undocumented.
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
