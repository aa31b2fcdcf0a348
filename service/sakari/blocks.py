"""Executions in blocks of some dozens: they are alike, so a block of them compresses to a fifth."""

import zlib
from collections.abc import AsyncIterator

import msgspec

from service.sakari.identity import identities, key
from service.sakari.models import SEEN, Execution, execution

SIZE = 32


async def blocks(pages: AsyncIterator[list[Execution]]) -> AsyncIterator[list[Execution]]:
    """The executions of all pages in blocks of SIZE; the last one may be shorter."""
    waiting: list[Execution] = []
    async for page in pages:
        waiting += page
        while len(waiting) >= SIZE:
            yield waiting[:SIZE]
            waiting = waiting[SIZE:]
    if waiting:
        yield waiting


def packed(block: list[Execution]) -> tuple[bytes, bytes]:
    """A block as bytes, and the keys (see `identity.key`) that it is found by. Only what a rule can see of it is kept."""
    rows = [{name: each.raw[name] for name in SEEN if name in each.raw} for each in block]
    found_by = {key(identity) for each in block for identity in identities(each)}
    return zlib.compress(msgspec.json.encode(rows)), b"".join(found_by)


def unpacked(block: bytes) -> list[Execution]:
    """The executions of a block."""
    return [execution(row) for row in msgspec.json.decode(zlib.decompress(block))]
