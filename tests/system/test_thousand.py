"""A thousand events over three hundred contacts, while Sakari misbehaves: nothing is lost, nothing is left."""

import contextlib
import random
from collections import Counter
from pathlib import Path

import pytest

from service.dev.processes import embedded_redis
from service.store import dead, journal, keys
from tests.system.conftest import (
    Installation,
    environment,
    hubspot,
    ingress,
    opened,
    sandbox,
    until,
    worker,
)

EVENTS, CONTACTS = 1000, 300


@pytest.mark.slow
@pytest.mark.no_cover
async def test_a_thousand_events_with_retries_all_end_and_none_is_left(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    dice = random.Random(7)
    async with contextlib.AsyncExitStack() as stack:
        redis_url = await stack.enter_async_context(embedded_redis(tmp_path / "redis"))
        environ = environment(redis_url, tmp_path)
        await stack.enter_async_context(sandbox(environ, tmp_path))
        await stack.enter_async_context(ingress(environ, tmp_path))
        await stack.enter_async_context(worker(environ, tmp_path, "worker-1"))
        await stack.enter_async_context(worker(environ, tmp_path, "worker-2"))
        installation = await stack.enter_async_context(opened(environ))
        await installation.misbehave(
            {"path": "/attributes/", "status": 429, "retry_after": 0, "probability": 0.05},
            {"path": "/attributes/", "status": 500, "probability": 0.05},
            {"path": "/attributes/", "status": 500, "applied": True, "probability": 0.05},
            {"path": "/attributes/", "cut": "before", "probability": 0.05},
            {"path": "/attributes/", "cut": "after", "probability": 0.05},
            {"path": "/attributes/", "status": 400, "probability": 0.01},
            seed=7,
        )
        events = [
            hubspot(100_000 + n % CONTACTS, "counter", str(n), occurredAt=1_795_000_000_000 + n) for n in range(EVENTS)
        ]
        dice.shuffle(events)
        accepted = 0
        for start in range(0, EVENTS, 50):
            accepted += (await installation.hubspot(*events[start : start + 50]))["accepted"]
        assert accepted == EVENTS

        await until(lambda: _settled(installation), within_s=120)
        await _check(installation)


async def _settled(installation: Installation) -> bool | None:
    redis = installation.store.redis
    return await redis.exists(keys.READY, keys.LEASES, keys.OWNERS) == 0 or None


async def _check(installation: Installation) -> None:
    ends: Counter[str] = Counter()
    for event in await journal.newest(installation.store, EVENTS):
        story = await journal.story(installation.store, event)
        run = story.runs["counter"]
        assert run.ended
        assert run.state == "done" or run.reason
        ends[run.state] += 1
    assert sum(ends.values()) == EVENTS
    assert ends["done"] > 0
    letters = await dead.newest(installation.store, EVENTS)
    assert len(letters) == ends["dead"]
    assert all(letter.reason == "http_400" for letter in letters)

    state = await installation.sandbox()
    outcomes: Counter[str] = Counter()
    for counted in state["calls"].values():
        outcomes.update(counted)
    assert min(outcomes["429"], outcomes["500"], outcomes["cut"]) > 5
    buried = {(letter.lane.rpartition("/")[2], letter.occurred_at) for letter in letters}
    for contact in range(100_000, 100_000 + CONTACTS):
        own = [n for n in range(EVENTS) if n % CONTACTS == contact - 100_000]
        refused = {n for n in own if (str(contact), 1_795_000_000_000 + n) in buried}
        newest = max(set(own) - refused)
        # One that was refused in the end may have been applied by an earlier try, whose answer was cut off.
        possible = {str(newest)} | {str(n) for n in refused if n > newest}
        attributes = state["contacts"][f"contacts/hubspot:{contact}"]["attributes"]
        assert set(attributes) == {"counter"}
        assert attributes["counter"] in possible
    assert [key async for key in installation.store.redis.scan_iter(keys.LANE + "*")] == []
