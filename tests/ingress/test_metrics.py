"""GET /metrics: the store's levels, and our own counts also while Redis is away or silent."""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service import app
from service.ingress.receive import receive
from service.ingress.wanted import WANTED
from service.settings import IngressSettings, read
from service.sources.delivery import Delivery, Route
from service.store import Store, keys
from tests.system.conftest import environment, hubspot, silent_redis


@contextlib.asynccontextmanager
async def _ingress(redis_url: str, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The ingress itself, without its chores: a client that talks to it within this process."""
    ingress = app.create_app(read(WANTED, environment(redis_url, folder)))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(ingress),
        base_url="http://sluice",
        timeout=30,
    ) as client:
        yield client


async def _samples(client: httpx.AsyncClient) -> dict[str, float]:
    text = (await client.get("/metrics")).text
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_the_levels_of_the_store_are_told(store: Store, redis_url: str, tmp_path: Path) -> None:
    now = time.time() * 1000
    await store.redis.zadd(keys.READY, {"a": now - 30_000, "b": now + 60_000})
    await store.redis.zadd(keys.LEASES, {"c": now + 1000})
    await store.redis.zadd(keys.DEAD, {"letter": now})
    async with _ingress(redis_url, tmp_path) as client:
        found = await _samples(client)
    assert found["sluice_redis_up"] == 1
    assert [found[f"sluice_lanes {state}"] for state in ("due", "later", "leased")] == [1, 1, 1]
    assert found["sluice_lanes_oldest_due_seconds"] >= 30
    assert found["sluice_dead_letters"] == 1
    assert found["sluice_redis_memory_bytes"] > 0


@pytest.mark.usefixtures("store")
async def test_levels_of_a_redis_that_is_away_are_no_numbers(redis_url: str, tmp_path: Path) -> None:
    async with _ingress(redis_url, tmp_path) as client:
        assert (await _samples(client))["sluice_dead_letters"] == 0
    async with _ingress("redis://127.0.0.1:1/0", tmp_path) as client:
        found = await _samples(client)
    assert found["sluice_redis_up"] == 0
    gone = ("sluice_dead_letters", "sluice_lanes due", "sluice_lanes_oldest_due_seconds", "sluice_tickets")
    assert all(math.isnan(found[name]) for name in gone)


async def test_a_silent_redis_holds_up_neither_the_probe_nor_the_scrape(tmp_path: Path) -> None:
    async with silent_redis() as url, _ingress(url, tmp_path) as client:
        async with asyncio.timeout(4):  # less than the client of Redis would wait by itself
            ready = await client.get("/readyz")
        async with asyncio.timeout(4):
            found = await _samples(client)
    assert (ready.status_code, ready.json()["redis"]) == (200, False)
    assert found["sluice_redis_up"] == 0


async def test_redis_is_not_asked_again_within_two_seconds(store: Store, redis_url: str, tmp_path: Path) -> None:
    async with _ingress(redis_url, tmp_path) as client:
        first = await _samples(client)
        await store.redis.zadd(keys.DEAD, {"letter": 1})
        second = await _samples(client)
    assert first["sluice_dead_letters"] == second["sluice_dead_letters"] == 0


@pytest.fixture
def route(redis_url: str, tmp_path: Path) -> Route:
    routes = app.make_routes(read(WANTED, environment(redis_url, tmp_path)))
    return next(route for route in routes if route.path == "/webhooks/hubspot")


async def test_deliveries_tell_their_lag_their_tries_and_their_time(
    store: Store, redis_url: str, tmp_path: Path, route: Route
) -> None:
    settings = read(WANTED, environment(redis_url, tmp_path))
    desk = app.make_desk(settings.of(IngressSettings), store)
    late = hubspot(1, occurredAt=desk.now() - 100_000, attemptNumber=2)
    async with _ingress(redis_url, tmp_path) as client:
        before = await _samples(client)
        await receive(route, _signed(route, [late], desk.now()), desk)
        await receive(route, _signed(route, [hubspot(2)], desk.now()), desk)
        after = await _samples(client)

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert grown("sluice_retried_deliveries_total hubspot") == 1
    assert grown("sluice_event_lag_seconds_count hubspot") == 2
    assert grown("sluice_event_lag_seconds_bucket 60.0 hubspot") == 1
    assert after["sluice_last_accepted_timestamp_seconds hubspot"] == pytest.approx(time.time(), abs=60)


def _signed(route: Route, events: list[dict[str, object]], now: int) -> Delivery:
    body = msgspec.json.encode(events)
    headers = route.sign("POST", route.path, body, now)
    return Delivery(method="POST", target=route.path, headers=headers, body=body, received_at=now)
