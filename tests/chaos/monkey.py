"""Who is killed, paused or asked to end, and when. The schedule is pure; `play` carries it out."""

import asyncio
import contextlib
import random
import time
from collections import defaultdict
from typing import Literal

from msgspec import Struct

from tests.chaos.recovery import Recovery, recovery
from tests.chaos.stage import INGRESSES, WORKERS, Stage

_AT_WORK_S = 2.0
"""How long a worker is left alone after it was disturbed: it needs most of that to start."""

Kind = Literal["kill", "stop", "term", "revoke"]
"""SIGKILL and a new start; SIGSTOP and SIGCONT; SIGTERM and a new start; Sakari forgets every token."""


class Act(Struct, frozen=True, order=True):
    """What happens to one process, `at` seconds from the start, and for how many seconds it is away."""

    at: float
    target: str
    kind: Kind
    for_s: float


class Disturbance(Struct, frozen=True):
    """An act as it happened, in seconds since the epoch: from the signal until the process was there again."""

    target: str
    kind: Kind
    begins: float
    ends: float


def schedule(dice: random.Random, kills: int, lasting_s: float, lease_s: float) -> tuple[Act, ...]:
    """So many kills over all processes but the judge (the sandbox), and in between half as many gentler acts."""
    victims = [*WORKERS, *INGRESSES, "valkey", *WORKERS]
    acts: list[tuple[str, Kind]] = [(victims[n % len(victims)], "kill") for n in range(kills)]
    paused = [*WORKERS, "valkey", "sandbox", *INGRESSES]
    acts += [(paused[n % len(paused)], "stop") for n in range(max(kills // 4, 2))]
    ended = [*WORKERS, *INGRESSES, "valkey"]
    acts += [(ended[n % len(ended)], "term") for n in range(max(kills // 4, 2))]
    acts += [("sandbox", "revoke")] * max(kills // 10, 1)
    dice.shuffle(acts)
    step = (lasting_s - 1) / len(acts)
    return tuple(
        Act(1 + step * (n + dice.random()), target, kind, _away(target, kind, lease_s, dice))
        for n, (target, kind) in enumerate(acts)
    )


def _away(target: str, kind: Kind, lease_s: float, dice: random.Random) -> float:
    if kind != "stop":
        return dice.uniform(0.1, 1.5)
    if target in WORKERS and dice.random() < 0.5:
        return lease_s + dice.uniform(1, 4)  # it comes back to lanes that are others' by now
    return dice.uniform(0.5, 6.5 if target == "valkey" else 3)


async def play(acts: tuple[Act, ...], stage: Stage, recoveries: list[Recovery]) -> list[Disturbance]:
    """Carry the schedule out, one act on a process at a time, and see how long killed workers' lanes rest.

    Workers are not both put to sleep or to a slow end at once: an installation has somebody who works.
    """
    started = time.monotonic()
    one_at_a_time: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
    one_worker_away = asyncio.Lock()
    seen: list[Disturbance] = []

    async def carry_out(act: Act) -> None:
        await asyncio.sleep(max(0.0, started + act.at - time.monotonic()))
        for_long = act.target in WORKERS and act.kind in ("stop", "term")
        async with one_worker_away if for_long else contextlib.nullcontext(), one_at_a_time[act.target]:
            if act.target in WORKERS and act.kind == "kill":
                group.create_task(_watch(stage, recoveries))
            seen.append(await _happen(act, stage))
            await asyncio.sleep(_AT_WORK_S if act.target in WORKERS else 0)

    async with asyncio.TaskGroup() as group:
        for act in acts:
            group.create_task(carry_out(act))
    return seen


async def _watch(stage: Stage, recoveries: list[Recovery]) -> None:
    if found := await recovery(stage.store, time.time()):
        recoveries.append(found)


async def _happen(act: Act, stage: Stage) -> Disturbance:
    begins = time.time()
    match act.kind:
        case "kill":
            await stage.kill(act.target)
            await asyncio.sleep(act.for_s)
            await stage.start(act.target)
        case "term":
            await stage.end(act.target)
            await asyncio.sleep(act.for_s)
            await stage.start(act.target)
        case "stop":
            stage.pause(act.target)
            await asyncio.sleep(act.for_s)
            stage.go_on(act.target)
        case "revoke":
            await stage.revoke_tokens()
    return Disturbance(act.target, act.kind, begins, time.time())
