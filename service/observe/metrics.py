"""Every metric of Sluice, in one place. Labels are bounded: sources, fixed words, rule ids; never ids of people or events."""

import functools
from typing import TypeVar, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside every counter, which nothing of ours reads
REGISTRY = CollectorRegistry()

_Metric = TypeVar("_Metric", Counter, Gauge, Histogram)


def of(metric: _Metric, *labels: str) -> _Metric:
    """Give the child of a metric for these labels, as `metric.labels` does, at a tenth of the cost the second time."""
    return cast("_Metric", _child(metric, labels))


@functools.lru_cache(10_000)
def _child(metric: Counter | Gauge | Histogram, labels: tuple[str, ...]) -> Counter | Gauge | Histogram:
    return metric.labels(*labels)


DELIVERIES = Counter(
    "sluice_deliveries", "Webhook requests, by source and what was answered", ["source", "verdict"], registry=REGISTRY
)
EVENTS = Counter(
    "sluice_events",
    "Events: accepted, redelivered, overlapping (same fact, other notification), misfit, spilled",
    ["source", "outcome"],
    registry=REGISTRY,
)
PLANNED = Counter(
    "sluice_planned", "Rules that matched an event, by mode: live, shadow, failed", ["rule", "mode"], registry=REGISTRY
)
ACKNOWLEDGE = Histogram(
    "sluice_acknowledge_seconds",
    "From the last byte of a delivery to its answer",
    ["source"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    registry=REGISTRY,
)
LAG = Histogram(
    "sluice_event_lag_seconds",
    "From when the oldest new event of a delivery occurred in the CRM to when it was accepted",
    ["source"],
    buckets=(1, 2, 5, 15, 60, 300, 900, 3600, 6 * 3600, 24 * 3600),
    registry=REGISTRY,
)
RETRIED = Counter(
    "sluice_retried_deliveries",
    "Deliveries that the source had tried before: each stands for a first attempt that failed",
    ["source"],
    registry=REGISTRY,
)
LAST_ACCEPTED = Gauge(
    "sluice_last_accepted_timestamp_seconds",
    "When this process last took a verified delivery of a source",
    ["source"],
    registry=REGISTRY,
)
RUNS = Counter("sluice_runs", "Goes at a run, by what they came to", ["rule", "state"], registry=REGISTRY)
RUN_SECONDS = Histogram(
    "sluice_run_seconds",
    "From when an event was accepted to the end of one of its runs, waits and tries included",
    ["source"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 4 * 3600, 24 * 3600),
    registry=REGISTRY,
)
STEPS = Counter(
    "sluice_steps",
    "Goes at a step, by action and what they came to: done, skipped, superseded, put_off, retryable, permanent, uncertain",
    ["action", "outcome"],
    registry=REGISTRY,
)
RELOADS = Counter(
    "sluice_rules_reloads",
    "Changes of the rules folder that were taken up, by result: good, or broken (last good versions stay)",
    ["result"],
    registry=REGISTRY,
)
RULESET = Gauge("sluice_ruleset_info", "The version of the rule set in force, always 1", ["version"], registry=REGISTRY)
RULE_FILES_BROKEN = Gauge("sluice_rules_broken_files", "Rule files with errors", registry=REGISTRY)
SPILLED = Gauge("sluice_spilled_deliveries", "Deliveries that wait in the spill folder for Redis", registry=REGISTRY)
SPILLED_BYTES = Gauge("sluice_spilled_bytes", "Their size", registry=REGISTRY)
SPILLED_AGE = Gauge(
    "sluice_spilled_oldest_seconds", "For how long the oldest of them has been waiting", registry=REGISTRY
)

SAKARI_CALLS = Counter(
    "sluice_sakari_calls",
    "Calls of the Sakari API, by account, endpoint, and HTTP status or what became of the connection",
    ["account", "endpoint", "outcome"],
    registry=REGISTRY,
)
SAKARI_SECONDS = Histogram(
    "sluice_sakari_seconds",
    "From the first byte of a call of the Sakari API to the last of its answer",
    ["account", "endpoint"],
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60),
    registry=REGISTRY,
)
SAKARI_WAITED = Histogram(
    "sluice_sakari_waited_seconds",
    "For how long a call waited in place until it was let in",
    ["account"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20),
    registry=REGISTRY,
)
PUT_OFF = Counter(
    "sluice_sakari_put_off",
    "Calls that were not let in, by reason: paced, rate_limited, circuit_open, account_paused",
    ["account", "reason"],
    registry=REGISTRY,
)
SAKARI_RATE = Gauge(
    "sluice_sakari_rate", "Calls a second that the account allows itself just now", ["account"], registry=REGISTRY
)
SAKARI_CIRCUIT = Gauge(
    "sluice_sakari_circuit",
    "1 for the state that the account is in: closed, open (Sakari is down), paused (it refuses the account)",
    ["account", "state"],
    registry=REGISTRY,
)
SAKARI_QUEUE = Gauge(
    "sluice_sakari_queue_seconds", "Until the last lane that was put off has its turn", ["account"], registry=REGISTRY
)

LEVELS = CollectorRegistry()
"""How things stand in Redis, read by an ingress when somebody asks. It is about the whole installation, so every ingress tells
the same: take the maximum, not the sum. While Redis does not answer, all but the first are not a number. A process that does
not look must not tell them either: its zeros would say that Redis is away."""

REDIS_UP = Gauge("sluice_redis_up", "Whether Redis answers this process: 1 or 0", registry=LEVELS)
LANES = Gauge(
    "sluice_lanes",
    "Lanes with work: due (could be worked on now), later (waiting for a retry or a pause), leased (a worker is at it)",
    ["state"],
    registry=LEVELS,
)
OLDEST_DUE = Gauge(
    "sluice_lanes_oldest_due_seconds",
    "For how long the oldest due lane has been waiting for a worker",
    registry=LEVELS,
)
TICKETS = Gauge("sluice_tickets", "Tickets in arq's queue", registry=LEVELS)
DEAD_LETTERS = Gauge("sluice_dead_letters", "Dead letters that wait for a person", registry=LEVELS)
JOURNAL_EVENTS = Gauge("sluice_journal_events", "Events in the journal", registry=LEVELS)
REDIS_KEYS = Gauge(
    "sluice_redis_keys", "Keys in Redis: mostly a claim for each event, and a ledger for each run", registry=LEVELS
)
REDIS_MEMORY = Gauge("sluice_redis_memory_bytes", "Memory that Redis uses", registry=LEVELS)
REDIS_MEMORY_LIMIT = Gauge(
    "sluice_redis_memory_limit_bytes", "Memory that Redis may use, 0 if there is no limit", registry=LEVELS
)


def exposition(*, levels: bool = False) -> bytes:
    """Write the metrics of this process in Prometheus' text format; with `levels` how things stand in Redis, too."""
    return generate_latest(REGISTRY) + (generate_latest(LEVELS) if levels else b"")
