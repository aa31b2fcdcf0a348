"""How the whole installation is doing: what waits, and the last hour minute by minute."""

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from service.sources import SOURCES
from service.store import Store, overview
from service.store.levels import Levels, levels
from service.store.overview import Minute
from service.store.records import ENDED

_RECENT = 5
"""Minutes."""


class Source(Struct, frozen=True, kw_only=True):
    """What one source sent within the last hour."""

    name: str
    accepted: int
    duplicates: int
    """Redelivered, or the same fact by another subscription."""
    misfits: int
    refused: dict[str, int]
    """Deliveries that were turned away: why, in a fixed word -> how many, most first."""
    by_minute: tuple[int, ...]
    """Accepted."""
    quiet_minutes: int | None
    """Since it last sent anything that was taken; None if that is an hour or more."""


class Installation(Struct, frozen=True, kw_only=True):
    """Everything on the overview. Lists by minute: the last 60, oldest first; the last one has not ended."""

    at: int
    levels: Levels
    sources: tuple[Source, ...]
    accepted: tuple[int, ...]
    ended: tuple[int, ...]
    """Runs that ended, in whatever way; one that a person has retried is counted once, when it ended last."""
    retried: tuple[int, ...]
    """Goes at a run that failed and will be repeated."""
    died: tuple[int, ...]
    """What became a dead letter: runs that failed, rules that could not be planned, deliveries that made no sense. Without
    the runs that a person has retried since: how those ended last counts."""
    median_ms: tuple[int | None, ...]
    """By minute: within how long half of the runs had ended, from acceptance on; None where none ended."""
    slow_ms: int | None
    """Within how long 95 % of the runs of the last hour had ended."""
    recent_median_ms: int | None
    """The median of the last five minutes."""


async def installation(store: Store, *, now: int) -> Installation:
    """Look at everything, in a few round trips. Raises redis.exceptions.RedisError."""
    levels_now = await levels(store)
    minutes = await overview.minutes(store, now=now)
    return Installation(
        at=now,
        levels=levels_now,
        sources=tuple(_source(name, minutes) for name in SOURCES),
        accepted=tuple(minute.total("accepted") for minute in minutes),
        ended=tuple(sum(minute.counts.get(f"run {state}", 0) for state in ENDED) for minute in minutes),
        retried=tuple(minute.counts.get("run retrying", 0) for minute in minutes),
        died=tuple(minute.counts.get("run dead", 0) + minute.total("failed", "misfit") for minute in minutes),
        median_ms=tuple(overview.took_ms([minute], 0.5) for minute in minutes),
        slow_ms=overview.took_ms(minutes, 0.95),
        recent_median_ms=overview.took_ms(minutes[-_RECENT:], 0.5),
    )


def _source(name: str, minutes: Sequence[Minute]) -> Source:
    def count(*kinds: str) -> list[int]:
        return [sum(minute.counts.get(f"{kind} {name}", 0) for kind in kinds) for minute in minutes]

    heard = [back for back, number in enumerate(reversed(count(*_HEARD))) if number]
    return Source(
        name=name,
        accepted=sum(count("accepted")),
        duplicates=sum(count("redelivered", "overlapping")),
        misfits=sum(count("misfit")),
        refused=_refused(name, minutes),
        by_minute=tuple(count("accepted")),
        quiet_minutes=heard[0] if heard else None,
    )


def _refused(name: str, minutes: Sequence[Minute]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for minute in minutes:
        for what, number in minute.counts.items():
            word, _, rest = what.partition(" ")
            source, _, reason = rest.partition(" ")
            if (word, source) == ("refused", name):
                found[reason] += number
    return dict(found.most_common())


_HEARD = ("accepted", "redelivered", "overlapping", "misfit")
