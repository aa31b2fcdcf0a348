"""What a run is going to be: the stream, the acts, and Sakari's moods, all from one seed."""

import random
from typing import Any

from msgspec import Struct

from tests.chaos import monkey, stream
from tests.chaos.monkey import Act
from tests.chaos.stream import Stream

_S_PER_KILL = 2.5
_EVENTS_PER_S = 120
_SHORT_S = 14.0

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
    moods: list[dict[str, Any]]
    """Faults of the sandbox, while the stream lasts."""
    lease_s: int
    settle_s: float
    """How long everything may take after the last event and the last act."""
    sabotage: str | None = None

    @property
    def kills(self) -> int:
        """How often a process is killed."""
        return sum(act.kind == "kill" for act in self.acts)


def full(seed: int, events: int, kills: int, sabotage: str | None = None) -> Script:
    """Write a run with the lease of production."""
    dice = random.Random(seed)
    lasting_s = max(kills * _S_PER_KILL, events / _EVENTS_PER_S)
    return Script(
        seed=seed,
        stream=stream.make(dice, events, lasting_s),
        acts=monkey.schedule(dice, kills, lasting_s, 15),
        moods=[_TOO_LATE, *_MOODS],
        lease_s=15,
        settle_s=180,
        sabotage=sabotage,
    )


def short(seed: int, events: int, kills: int, sabotage: str | None = None) -> Script:
    """Write a run that ends within a minute: short leases, and no answer that comes too late."""
    dice = random.Random(seed)
    return Script(
        seed=seed,
        stream=stream.make(dice, events, _SHORT_S),
        acts=monkey.schedule(dice, kills, _SHORT_S, 3),
        moods=list(_MOODS),
        lease_s=3,
        settle_s=60,
        sabotage=sabotage,
    )


def sleepers(seed: int, events: int, sabotage: str | None = None) -> Script:
    """Write a run in which workers sleep through their leases, over few and busy objects, with a slow Sakari.

    Whoever wakes up finds its lanes in other hands, with work left in them: the place to see that leases are checked.
    """
    dice = random.Random(seed)
    return Script(
        seed=seed,
        stream=stream.make(dice, events, 18.0, objects=6),
        acts=tuple(Act(2 + 4.2 * n, f"worker-{1 + n % 2}", "stop", 4.5) for n in range(3)),
        moods=[{"path": "/attributes/", "slow_ms": 150}],
        lease_s=3,
        settle_s=60,
        sabotage=sabotage,
    )
