"""What a run is going to be: the stream, the acts, and Sakari's moods, all from one seed."""

import random
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from tests.chaos import monkey, stream
from tests.chaos.monkey import Act
from tests.chaos.stage import INGRESSES, WORKERS
from tests.chaos.stream import Stream

_S_PER_KILL = 2.5
_OVERRUN = 1.3
"""Acts wait for one another, so that the schedule takes longer than planned."""

_MOODS: tuple[dict[str, Any], ...] = (
    {"path": "/attributes/", "status": 429, "retry_after": 0, "probability": 0.03},
    {"path": "/attributes/", "status": 500, "probability": 0.02},
    {"path": "/attributes/", "status": 500, "applied": True, "probability": 0.01},
    {"path": "/attributes/", "status": 400, "probability": 0.003},
    {"path": "/attributes/", "cut": "before", "probability": 0.01},
    {"path": "/attributes/", "cut": "midway", "probability": 0.005},
    {"path": "/attributes/", "cut": "after", "probability": 0.005},
    {"path": "/attributes/", "slow_ms": 200, "probability": 0.15},
    {"path": "/attributes/", "slow_ms": 2000, "probability": 0.03},
    {"path": "/executions", "status": 500, "probability": 0.05},
)
_TOO_LATE = {"path": "/attributes/", "slow_ms": 21_000, "probability": 0.002, "times": 4}


class Script(Struct, frozen=True, kw_only=True):
    """Everything that is decided beforehand."""

    seed: int
    stream: Stream
    acts: tuple[Act, ...]
    """At random moments, one on top of the other."""
    alone: tuple[Act, ...]
    """After those, one by one: workers are killed, and have recovered before the next blow."""
    moods: list[dict[str, Any]]
    """Faults of the sandbox, while the stream lasts."""
    lease_s: int
    settle_s: float
    """How long everything may take after the last event and the last act."""
    sabotage: str | None = None

    @property
    def kills(self) -> int:
        """How often a process is killed."""
        return sum(act.kind == "kill" for act in (*self.acts, *self.alone))


def full(seed: int, events: int, kills: int, sabotage: str | None = None) -> Script:
    """Write a run with the lease of production, and now and then an answer that comes too late."""
    alone = 4
    return _script(seed, events, kills, alone, lease_s=15, moods=[_TOO_LATE, *_MOODS], sabotage=sabotage)


def short(seed: int, events: int, kills: int, sabotage: str | None = None) -> Script:
    """Write a run that ends within a minute: short leases, and no answer that comes too late."""
    return _script(seed, events, kills, 1, lease_s=3, moods=list(_MOODS), sabotage=sabotage)


def _script(
    seed: int, events: int, kills: int, alone: int, *, lease_s: int, moods: list[dict[str, Any]], sabotage: str | None
) -> Script:
    dice = random.Random(seed)
    busy_s = (kills - alone) * _S_PER_KILL
    return Script(
        seed=seed,
        stream=stream.make(dice, events, busy_s * _OVERRUN + alone * (lease_s + 2)),
        acts=monkey.schedule(dice, kills - alone, busy_s, lease_s),
        alone=tuple(Act(0, WORKERS[n % 2], "kill", dice.uniform(0.1, 1.5)) for n in range(alone)),
        moods=moods,
        lease_s=lease_s,
        settle_s=12 * lease_s,
        sabotage=sabotage,
    )


def outages(seed: int, events: int, kills: int, sabotage: str | None = None) -> Script:
    """Write a run in which ingresses and Valkey are killed over a dense stream: the place to lose what was accepted."""
    dice, lasting_s = random.Random(seed), kills * 1.5
    targets = ("valkey", *INGRESSES)
    return Script(
        seed=seed,
        stream=stream.make(dice, events, lasting_s),
        acts=tuple(Act(1 + 1.4 * n + dice.random(), targets[n % 3], "kill", 0.5) for n in range(kills)),
        alone=(),
        moods=[],
        lease_s=3,
        settle_s=60,
        sabotage=sabotage,
    )


def sleepers(seed: int, events: int, kills: int, sabotage: str | None = None) -> Script:
    """Write a run in which workers sleep through their leases while they wait for a new token, over few and busy objects.

    Whoever wakes up has a call at hand that it was allowed to make, in a lane that has gone on elsewhere.
    """
    dice, nap_s, round_s = random.Random(seed), 5.5, 7.2
    naps = [Act(2.5 + round_s * n, WORKERS[n % 2], "stop", nap_s) for n in range(kills)]
    return Script(
        seed=seed,
        stream=stream.make(dice, events, round_s * kills, objects=8),
        acts=tuple(act for nap in naps for act in (Act(nap.at - 1.5, "sandbox", "revoke", 0), nap)),
        alone=(),
        moods=[{"path": "/oauth2/token", "slow_ms": 2000}, {"path": "/attributes/", "slow_ms": 100}],
        lease_s=3,
        settle_s=60,
        sabotage=sabotage,
    )


def standstill(seed: int, events: int, seconds: int, sabotage: str | None = None) -> Script:
    """Write a run in which Valkey stands still for so many seconds under load, and the load ends with that."""
    dice, before_s = random.Random(seed), 8.0
    return Script(
        seed=seed,
        stream=stream.make(dice, events, before_s + seconds),
        acts=(Act(before_s, "valkey", "stop", seconds),),
        alone=(),
        moods=[],
        lease_s=3,
        settle_s=120,
        sabotage=sabotage,
    )


def restarts(seed: int, events: int, ends: int, sabotage: str | None = None) -> Script:
    """Write a run in which our own processes are asked to end under load, again and again, and Sakari takes its time."""
    dice, pause_s = random.Random(seed), 2.0
    targets = (*WORKERS, *INGRESSES)
    return Script(
        seed=seed,
        stream=stream.make(dice, events, pause_s * ends),
        acts=tuple(Act(1 + pause_s * n + dice.random(), targets[n % 4], "term", 0.2) for n in range(ends)),
        alone=(),
        moods=[{"path": "/attributes/", "slow_ms": 300, "probability": 0.5}],
        lease_s=15,
        settle_s=60,
        sabotage=sabotage,
    )


Writer = Callable[[int, int, int, str | None], Script]

WRITERS: dict[str, tuple[Writer, int, int]] = {
    "full": (full, 10_000, 40),
    "short": (short, 600, 6),
    "outages": (outages, 1500, 9),
    "sleepers": (sleepers, 1500, 5),
    "standstill": (standstill, 3000, 60),
    "restarts": (restarts, 1500, 12),
}
"""Name -> who writes it, with how many events and how many kills (naps, seconds, ends) unless told otherwise."""
