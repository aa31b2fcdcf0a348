"""What happened lately in the installation as a whole: the tallies of the last minutes, and when each rule matched last."""

from collections.abc import Mapping

from msgspec import Struct

from service.store import keys
from service.store.connection import Store
from service.store.options import TALLY_MS

MINUTE_MS = 60_000


class Minute(Struct, frozen=True):
    """What happened within one minute; `at`: its beginning (ms)."""

    at: int
    counts: Mapping[str, int] = {}
    """`accepted|redelivered|overlapping|misfit <source>`: events. `live|shadow|failed <rule>`: rules that matched.
    `refused <source> <reason>`: deliveries that were turned away; both are words of ours, so there are few.
    `run <state>`: goes at a run, by what they came to (`waiting`, `retrying`: it is to go on); of its ends only the last is
    counted, since a retry by a person takes a death out of the minute that it was counted in. `took <n>`: runs whose first end
    came at most √2ⁿ ms after their event was accepted, and later than √2ⁿ⁻¹ ms."""

    def total(self, *kinds: str) -> int:
        """Sum what was counted under some first words, over all sources, rules or states."""
        return sum(number for what, number in self.counts.items() if what.partition(" ")[0] in kinds)


async def minutes(store: Store, *, now: int, most: int = 60) -> list[Minute]:
    """Fetch the tallies of the last minutes, oldest first; the last is the one that has not ended yet."""
    this = now // MINUTE_MS
    numbers = range(this - most + 1, this + 1)
    async with store.redis.pipeline(transaction=False) as pipe:
        for number in numbers:
            pipe.hgetall(f"{keys.TALLY}{number}")
        found = await pipe.execute()
    return [
        Minute(number * MINUTE_MS, {what.decode(): int(count) for what, count in counts.items()})
        for number, counts in zip(numbers, found, strict=True)
    ]


async def count(store: Store, counts: Mapping[str, int], *, now: int) -> None:
    """Add to the tallies of this minute. Raises redis.exceptions.RedisError, or OSError."""
    tally = f"{keys.TALLY}{now // MINUTE_MS}"
    async with store.redis.pipeline() as pipe:
        for what, number in counts.items():
            pipe.hincrby(tally, what, number)
        pipe.pexpire(tally, TALLY_MS)
        await pipe.execute()


async def last_firings(store: Store) -> dict[str, str]:
    """Fetch when rules matched last: `live|shadow|failed <rule>` -> event id."""
    found = await store.mapping(keys.LAST_FIRINGS)
    return {what.decode(): event.decode() for what, event in found.items()}


def took_ms(counted: list[Minute], share: float) -> int | None:
    """Within how many ms that share of the runs had ended (0.5: the median), to 41 % at worst; None if none has."""
    steps: dict[int, int] = {}
    for minute in counted:
        for what, number in minute.counts.items():
            word, _, step = what.partition(" ")
            if word == "took":
                steps[int(step)] = steps.get(int(step), 0) + number
    wanted, seen = share * sum(steps.values()), 0
    for half_octaves in sorted(steps):
        seen += steps[half_octaves]
        if seen >= wanted:
            return round(2 ** (half_octaves / 2))
    return None
