"""Play a script on a stage: the CRMs send, the monkey plays, Sakari has its moods; then calm, and what came of it."""

import asyncio
import random
import time
from collections import Counter
from pathlib import Path

import msgspec
from msgspec import Struct
from redis.exceptions import RedisError

from tests.chaos import monkey
from tests.chaos.crm import Crms
from tests.chaos.evidence import Evidence, collect, left_over
from tests.chaos.monkey import Disturbance
from tests.chaos.recovery import Recovery
from tests.chaos.script import Script
from tests.chaos.stage import INGRESSES, Stage

_LOOK_S = 0.2
_ANSWERED_WITHIN_S = 120.0


class Played(Struct, frozen=True):
    """A run that is over. `took_s`: from the first event until nothing was left to do."""

    evidence: Evidence
    outcomes: Counter[str]
    took_s: float


async def play(script: Script, folder: Path) -> Played:
    """Play the whole script. Logs and Valkey's data stay in `folder`."""
    async with Stage(folder, lease_s=script.lease_s, sabotage=script.sabotage) as stage:
        ports = [stage.ports[name] for name in INGRESSES]
        crms = Crms(script.stream, ports, stage.environ, random.Random(script.seed))
        await stage.misbehave(script.moods, script.seed)
        started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            acts = group.create_task(_disturb(script, stage))
            group.create_task(crms.send_all(script.stream.lasting_s + _ANSWERED_WITHIN_S))
        await stage.misbehave([], script.seed)
        await _settle(stage, script.settle_s)
        took_s = time.monotonic() - started
        evidence = await collect(stage, crms, *acts.result(), time.time())
    (folder / "evidence.json").write_bytes(msgspec.json.encode(evidence))
    return Played(evidence, crms.outcomes, took_s)


async def _disturb(script: Script, stage: Stage) -> tuple[list[Disturbance], list[Recovery]]:
    recoveries: list[Recovery] = []
    seen = await monkey.play(script.acts, stage, recoveries)
    for act in script.alone:
        seen += await monkey.play((act,), stage, recoveries)
    return seen, recoveries


async def _settle(stage: Stage, within_s: float) -> None:
    """Wait until nothing is left to do, or until it has taken too long: then the judge will say what is left."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        try:
            if not await left_over(stage):
                return
        except (RedisError, OSError):
            pass
        await asyncio.sleep(_LOOK_S)
