"""What each rule is, and what it did lately."""

from typing import Literal

from msgspec import Struct

from service.engine import RuleSet
from service.engine.rule import Mode
from service.store import Store, overview


class RuleState(Struct, frozen=True, kw_only=True):
    """A rule in force, with its counts of the last hour."""

    id: str
    description: str
    mode: Mode
    events: tuple[str, ...]
    steps: tuple[str, ...]
    """Their actions."""
    file: str
    line: int
    matched: int
    """How often it matched within the last hour, in whatever mode."""
    failed: int
    """How often it matched but could not be planned."""
    by_minute: tuple[int, ...]
    last_event: str
    """Id of the last event that it matched; empty if it never did."""


async def rule_states(store: Store, rule_set: RuleSet, *, now: int) -> list[RuleState]:
    """Every rule in the order of the set. Raises redis.exceptions.RedisError."""
    minutes = await overview.minutes(store, now=now)
    firings = await overview.last_firings(store)

    def count(rule: str, *kinds: Literal["live", "shadow", "failed"]) -> tuple[int, ...]:
        return tuple(sum(minute.counts.get(f"{kind} {rule}", 0) for kind in kinds) for minute in minutes)

    states = []
    for rule in rule_set.rules:
        by_minute = count(rule.id, "live", "shadow", "failed")
        last = [firings.get(f"{kind} {rule.id}", "") for kind in ("live", "shadow", "failed")]
        state = RuleState(
            id=rule.id,
            description=rule.description,
            mode=rule.mode,
            events=rule.events,
            steps=tuple(step.do for step in rule.steps),
            file=rule.file,
            line=rule.line,
            matched=sum(by_minute),
            failed=sum(count(rule.id, "failed")),
            by_minute=by_minute,
            last_event=max(last, key=_order),
        )
        states.append(state)
    return states


def _order(event_id: str) -> tuple[int, int]:
    ms, _, number = event_id.partition("-")
    return (int(ms), int(number)) if number else (0, 0)
