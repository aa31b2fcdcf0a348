"""Rule sets by version: a run names the version that decided it, and every worker can fetch that version."""

import msgspec

from service.store import keys
from service.store.connection import Store

_files = msgspec.msgpack.Decoder(dict[str, str])


async def keep(store: Store, version: str, files: dict[str, str]) -> None:
    """Keep a rule set's files under its version; keeping it again renews its life."""
    await store.redis.set(keys.RULESET + version, msgspec.msgpack.encode(files), px=store.options.ruleset_ms)


async def read(store: Store, version: str) -> dict[str, str] | None:
    """Fetch a rule set's files by name; None if that version was never kept, or too long ago."""
    blob = await store.redis.get(keys.RULESET + version)
    return _files.decode(blob) if blob else None
