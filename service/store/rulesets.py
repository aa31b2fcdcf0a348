"""Rule sets by version: a run names the version that decided it, and every worker can fetch that version."""

import msgspec

from service.store import keys
from service.store.connection import Store

_files = msgspec.msgpack.Decoder(dict[str, str])


async def keep(store: Store, version: str, files: dict[str, str]) -> None:
    """Keep a rule set's files under its version; keeping it again renews its life.

    It is as durable as the deliveries that are planned under it: a run whose rule set is gone could not be executed.
    """
    await store.durable.ask(
        "SET", keys.RULESET + version, msgspec.msgpack.encode(files), "PX", store.options.ruleset_ms
    )


async def read(store: Store, version: str) -> dict[str, str] | None:
    """Fetch a rule set's files by name; None if that version was never kept, or too long ago."""
    blob = await store.redis.get(keys.RULESET + version)
    return _files.decode(blob) if blob else None


async def announce(store: Store, version: str, *, if_none: bool = False) -> None:
    """Note which rule set is in force: the one that an ingress took into use last. `if_none`: unless one is noted."""
    await store.durable.ask("SET", keys.RULESET_IN_FORCE, version, *(["NX"] if if_none else []))


async def in_force(store: Store) -> tuple[str, dict[str, str]] | None:
    """Fetch version and files of the rule set that an ingress took into use last; None if there is none (any more)."""
    version = await store.redis.get(keys.RULESET_IN_FORCE)
    files = await read(store, version.decode()) if version else None
    return (version.decode(), files) if version and files is not None else None
