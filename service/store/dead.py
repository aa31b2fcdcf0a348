"""Dead letters: find them, retry them, drop them."""

from collections.abc import AsyncIterator, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from service.store import keys, tickets
from service.store.connection import Store
from service.store.records import DeadLetter

_letter = msgspec.msgpack.Decoder(DeadLetter)
_PAGE = 200
DAY_MS = 86_400_000


class Which(Struct, frozen=True, kw_only=True):
    """Which dead letters are meant; what is empty does not restrict."""

    reason: str = ""
    rule: str = ""
    kind: str = ""
    object: str = ""
    """The end of the lane: an object's id (`123`), or its type and id (`contact/123`)."""
    since: int = 0
    """Milliseconds since the epoch."""
    until: int = 0

    def fits(self, letter: DeadLetter) -> bool:
        """Tell whether a letter is one of those that are meant (its time aside)."""
        return (
            self.reason in ("", letter.reason)
            and self.rule in ("", letter.rule)
            and self.kind in ("", letter.kind)
            and (not self.object or f"/{letter.lane}".endswith(f"/{self.object}"))
        )


async def find(store: Store, which: Which = Which()) -> AsyncIterator[DeadLetter]:  # noqa: B008 - frozen
    """Yield dead letters, newest first."""
    at = 0
    while True:
        ids = await store.redis.zrevrangebyscore(
            keys.DEAD, which.until or "+inf", which.since or "-inf", start=at, num=_PAGE
        )
        if not ids:
            return
        letters = [letter for letter in await _read(store, ids) if letter is not None]
        for letter in letters:
            if which.fits(letter):
                yield letter
        at += len(ids)


async def newest(store: Store, most: int, which: Which = Which()) -> list[DeadLetter]:  # noqa: B008 - frozen
    """Fetch the last dead letters, newest first."""
    found: list[DeadLetter] = []
    async for letter in find(store, which):
        found.append(letter)
        if len(found) >= most:
            break
    return found


async def count(store: Store) -> int:
    """Count all dead letters."""
    number: int = await store.redis.zcard(keys.DEAD)
    return number


async def read(store: Store, letter_id: str) -> DeadLetter | None:
    """Fetch one dead letter."""
    return (await _read(store, [letter_id.encode()]))[0]


async def _read(store: Store, ids: list[bytes]) -> list[DeadLetter | None]:
    blobs = await store.redis.mget([keys.DEAD_LETTER + letter_id.decode() for letter_id in ids])
    return [_letter.decode(blob) if blob else None for blob in blobs]


async def retry(store: Store, letter: DeadLetter, *, expires_at: int, by: str = "") -> bool:
    """Put the run of a letter back into its lane, with its ledger: steps that are done stay done, and why it died is kept.

    `expires_at`: until when (ms) it may be tried this time; `by`: where a person asked for it. False if the letter was gone.
    Only letters of kind `run` can be retried; raises ValueError for the others.
    """
    if letter.kind != "run":
        raise ValueError(f"a dead letter of kind `{letter.kind}` holds no run that could be tried again")
    pairs = ["state", "retrying", "reason", "", "message", "", "tries", 0, "expires_at", expires_at]
    pairs += ["died_of", letter.reason, "died_message", letter.message, "retried_by", by]
    args = ["", keys.DEAD_LETTER + letter.id, letter.id, letter.lane, letter.occurred_at, letter.member]
    ledger, lane = keys.RUN + letter.run_key, keys.LANE + letter.lane
    revived = await store.run(
        "revive",
        [keys.READY, keys.OWNERS, keys.DEAD, tickets.QUEUE, ledger, lane, keys.TALLY],
        args + tickets.bell(store) + pairs,
    )
    return bool(revived)


class Settled(Struct, frozen=True):
    """With how many letters it was done; how many were gone already; how many cannot be retried."""

    done: int
    gone: int
    refused: int
    ids: tuple[str, ...] = ()
    """Those with which it was done."""


async def ids(store: Store, which: Which) -> list[str]:
    """Fetch the ids of all letters that are meant."""
    return [letter.id async for letter in find(store, which)]


async def settle(
    store: Store, what: Literal["retry", "drop"], letter_ids: Sequence[str], *, now: int, by: str
) -> Settled:
    """Retry letters, each for another day, or drop them. `by`: where a person asked for it, `console` say."""
    done: list[str] = []
    gone = refused = 0
    for letter_id in letter_ids:
        letter = await read(store, letter_id)
        if letter is None:
            gone += 1
        elif what == "retry" and letter.kind != "run":
            refused += 1
        elif await (retry(store, letter, expires_at=now + DAY_MS, by=by) if what == "retry" else drop(store, letter)):
            done.append(letter_id)
        else:
            gone += 1
    return Settled(len(done), gone, refused, tuple(done))


async def drop(store: Store, letter: DeadLetter) -> bool:
    """Forget a letter. Its run, if it had one, is recorded as dropped by a person. False if the letter was gone."""
    dropped = await store.run(
        "drop",
        [keys.DEAD, keys.DEAD_LETTER + letter.id, keys.RUN + letter.run_key],
        [letter.id, int(bool(letter.run_key)), store.options.ledger_ms],
    )
    return bool(dropped)


async def drop_old(store: Store, *, now: int) -> int:
    """Drop the letters that nobody has looked after for as long as letters are kept; how many those were."""
    old = [letter async for letter in find(store, Which(until=now - store.options.dead_ms))]
    return sum([await drop(store, letter) for letter in old])
