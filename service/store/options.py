"""How the store keeps what it keeps, and for how long."""

from msgspec import Struct

from service.settings import StoreSettings

HOUR_MS = 3_600_000
TALLY_MS = 2 * HOUR_MS


class Options(Struct, frozen=True, kw_only=True):
    """How the store keeps what it keeps. Times in milliseconds."""

    fsync: bool = True
    """Whether an accepted delivery waits for the append-only file."""
    replicas: int = 0
    """How many replicas must have an accepted delivery on their disks too: with a failover, the primary alone is not enough."""
    accept_timeout_ms: int = 3_000
    """How long a sender may be kept waiting for Redis before it is told that nothing was stored."""
    claim_ms: int = 72 * HOUR_MS
    fence_ms: int = 30 * 24 * HOUR_MS
    """For how long an older fact is known to be older; a dead letter that is retried later than that is not checked."""
    ledger_ms: int = 7 * 24 * HOUR_MS
    dead_ms: int = 90 * 24 * HOUR_MS
    """How long a dead letter waits for a person before it is dropped."""
    ruleset_ms: int = 90 * 24 * HOUR_MS
    journal_length: int = 1_000_000
    """Events kept for explain, replay and backtest."""
    lease_ms: int = 15_000
    hold_ms: int = 15_000
    """How long one writer may hold a Sakari record: as long as a lease, since the holder needs both."""
    ticket_ms: int = 7 * 24 * HOUR_MS
    lanes_per_ticket: int = 16
    most_tickets: int = 8
    late_ms: int = 2_000


def options(settings: StoreSettings) -> Options:
    """Turn settings into what the store wants to know."""
    return Options(
        fsync=settings.durability == "fsync",
        replicas=settings.replicas,
        claim_ms=settings.claim_hours * HOUR_MS,
        journal_length=settings.journal_length,
        dead_ms=settings.dead_days * 24 * HOUR_MS,
        lease_ms=settings.lease_s * 1000,
        hold_ms=settings.lease_s * 1000,
    )
