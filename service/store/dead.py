"""Dead letters: look at them, retry them, drop them."""

import msgspec

from service.store import keys, tickets
from service.store.connection import Store
from service.store.records import DeadLetter, waiting

_letter = msgspec.msgpack.Decoder(DeadLetter)


async def newest(store: Store, most: int) -> list[DeadLetter]:
    """Fetch the last dead letters, newest first."""
    ids = await store.redis.zrevrange(keys.DEAD, 0, most - 1)
    if not ids:
        return []
    blobs = await store.redis.mget([keys.DEAD_LETTER + i.decode() for i in ids])
    return [_letter.decode(blob) for blob in blobs if blob]


async def read(store: Store, letter_id: str) -> DeadLetter | None:
    """Fetch one dead letter."""
    blob = await store.redis.get(keys.DEAD_LETTER + letter_id)
    return _letter.decode(blob) if blob else None


async def retry(store: Store, letter: DeadLetter, *, expires_at: int) -> bool:
    """Put the run of a letter back into its lane, with its ledger: steps that are done stay done.

    `expires_at`: until when (ms) it may be tried this time. False if the letter was gone. Only letters of kind `run` can be
    retried; raises ValueError for the others.
    """
    if letter.kind != "run":
        raise ValueError(f"a dead letter of kind `{letter.kind}` holds no run that could be tried again")
    run = waiting(letter.lane, letter.member, letter.occurred_at, []).run
    pairs = ["state", "retrying", "reason", "", "message", "", "tries", 0, "expires_at", expires_at]
    args = ["", keys.DEAD_LETTER + letter.id, letter.id, run.lane, run.occurred_at, letter.member]
    revived = await store.run(
        "revive",
        [keys.READY, keys.OWNERS, keys.DEAD, tickets.QUEUE, keys.RUN + run.key, keys.LANE + run.lane],
        args + tickets.bell(store) + pairs,
    )
    return bool(revived)


async def drop(store: Store, letter: DeadLetter) -> bool:
    """Forget a letter. Its run, if it had one, is recorded as dropped by a person. False if the letter was gone."""
    async with store.redis.pipeline(transaction=True) as pipe:
        pipe.delete(keys.DEAD_LETTER + letter.id)
        pipe.zrem(keys.DEAD, letter.id)
        if letter.run_key:
            pipe.hset(keys.RUN + letter.run_key, mapping={"state": "dropped"})
            pipe.pexpire(keys.RUN + letter.run_key, store.options.ledger_ms)
        gone, *_ = await pipe.execute()
    return bool(gone)
