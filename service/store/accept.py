"""Accepting: everything that a delivery means goes into Redis in one atomic call, before the sender gets its answer."""

import hashlib
from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct
from redis.exceptions import RedisError

from service.errors import StoreUnavailable
from service.model import Misfit, Plan
from service.store import keys, tickets
from service.store.connection import Store
from service.store.options import TALLY_MS
from service.store.records import DeadLetter, JournalEntry, encode
from service.store.rounds import Items

_KEYS = [keys.JOURNAL, keys.READY, keys.OWNERS, keys.DEAD, tickets.QUEUE]

_KNOWN = {b"": "redelivered", b"=": "overlapping"}
"""What accept.lua says of an event that is not new."""


class Receipt(Struct, frozen=True):
    """What became of each event of a delivery, in order: its id, or why it was nothing new."""

    events: tuple[str, ...]
    """Event id; or `redelivered` (the same notification again), or `overlapping` (the same fact by another one)."""
    duplicates: int = 0
    """How many were known already."""

    @property
    def accepted(self) -> int:
        """How many events were new."""
        return len(self.events) - self.duplicates


async def accept(store: Store, source: str, plans: Sequence[Plan], misfits: Sequence[Misfit], *, now: int) -> Receipt:
    """Store the events of a delivery, their runs and its misfits, all or nothing.

    Raises StoreUnavailable if Redis did not confirm in time. It may then have stored the delivery all the same: the sender
    has to send it again, and the claims make that harmless.
    """
    if not plans and not misfits:
        return Receipt(())
    try:
        items = _items(source, plans, misfits, now)
        ids = await store.join("accept", _KEYS, _shared(store, source), items, durably=True)
    except (RedisError, OSError) as error:
        raise StoreUnavailable(f"Redis could not store: {type(error).__name__}") from error
    told = ids[: len(plans)]
    return Receipt(tuple([_KNOWN.get(event) or event.decode() for event in told]), sum([e in _KNOWN for e in told]))


def _shared(store: Store, source: str) -> list[Any]:
    """What deliveries of one source have in common, as accept.lua wants it: those that wait together are stored in one go."""
    options = store.options
    prefixes = (keys.LANE, keys.CLAIM, keys.DEAD_LETTER)
    tallies = (keys.TALLY, TALLY_MS, keys.LAST_FIRINGS, source)
    now = ""  # the server's clock
    return [now, options.claim_ms, options.journal_length, *prefixes, *tickets.bell(store), *tallies]


def _items(source: str, plans: Sequence[Plan], misfits: Sequence[Misfit], now: int) -> Items:
    """Lay the events of a delivery out as accept.lua wants them."""
    args: list[Any] = []
    for plan in plans:
        event = plan.event
        rules = tuple([run.rule for run in plan.runs])
        entry = JournalEntry(event, plan.ruleset, now, rules, plan.shadowed, plan.failures)
        if not (rules or plan.shadowed or plan.failures):
            args += (event.fact_key, event.delivery_key, encode(entry), "")
            continue
        args += (event.fact_key, event.delivery_key, encode(entry), len(plan.runs))
        for run in plan.runs:
            args += (run.lane, run.occurred_at, run.key, encode(run))
        letters = [_rule_letter(plan, n, now) for n in range(len(plan.failures))]
        args += (len(letters), *(part for letter in letters for part in (letter.id, encode(letter))))
        marks = _marks(plan)
        args += (len(marks), *marks)
    for misfit in misfits:
        letter = _delivery_letter(source, misfit, now)
        args += ("", "", "", 0, 1, letter.id, encode(letter), 0)
    return Items(args, len(plans) + len(misfits))


def _marks(plan: Plan) -> list[str]:
    """Say what each rule that matched came to, as it is tallied: `live <rule>`, `shadow <rule>` or `failed <rule>`."""
    return [
        *(f"live {run.rule}" for run in plan.runs),
        *(f"shadow {rule}" for rule in plan.shadowed),
        *(f"failed {failure.rule}" for failure in plan.failures),
    ]


def _rule_letter(plan: Plan, n: int, now: int) -> DeadLetter:
    failure, event = plan.failures[n], plan.event
    return DeadLetter(
        id=rule_letter_id(event.fact_key, failure.rule),
        kind="rule",
        reason=failure.reason,
        message=failure.message,
        source=event.source,
        at=now,
        rule=failure.rule,
        lane=event.lane,
        occurred_at=event.occurred_at,
        run_key=f"{event.fact_key}/{failure.rule}",
    )


def _delivery_letter(source: str, misfit: Misfit, now: int) -> DeadLetter:
    return DeadLetter(
        id=_letter_id("delivery", source, misfit.body),
        kind="delivery",
        reason="malformed",
        message=misfit.message,
        source=source,
        at=now,
        body=misfit.body,
    )


def rule_letter_id(fact_key: str, rule: str) -> str:
    """Name the letter of a rule that could not be planned for a fact."""
    return _letter_id("rule", fact_key, rule)


def _letter_id(kind: Literal["rule", "delivery"], *parts: str | bytes) -> str:
    """Name a letter by its content, so that a redelivery does not bury the same thing twice."""
    digest = hashlib.sha256(kind.encode())
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
    return digest.hexdigest()[:16]
