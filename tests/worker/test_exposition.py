"""A worker's own /metrics: what Redis says of the accounts, at the moment of asking."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest

from service.errors import SettingsError
from service.store import Options, Store, open_store
from service.store.pace import SharedPace
from service.worker.exposition import exposing
from tests import local
from tests.system.conftest import silent_redis


@pytest.fixture
async def http(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        exposing(store, "127.0.0.1", 0, lambda: 0.0) as port,
        local.client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        yield client


async def test_the_state_of_every_account_is_shown(http: httpx.AsyncClient, store: Store) -> None:
    pace = SharedPace(store, "sales", rate=10, burst=1, credentials="c")
    told = await pace.admit("a", "0", 0)
    await pace.report("a", "limited", admitted_at=told.at, asked_s=30)
    await pace.report("a", "refused", admitted_at=told.at, reason="bad_credentials")
    answer = await http.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'sluice_sakari_rate{account="sales"} 7.0' in answer.text
    assert 'sluice_sakari_circuit{account="sales",state="paused"} 1.0' in answer.text
    assert 'sluice_sakari_circuit{account="sales",state="closed"} 0.0' in answer.text
    assert 'sluice_sakari_queue_seconds{account="sales"}' in answer.text


async def test_metrics_are_shown_without_redis_too(http: httpx.AsyncClient, store: Store) -> None:
    await store.redis.set("sluice:accounts", "no set")  # any error of Redis will do
    assert (await http.get("/metrics")).status_code == 200


async def test_it_is_alive_and_has_nothing_else(http: httpx.AsyncClient) -> None:
    assert (await http.get("/livez")).text == "ok"
    assert (await http.get("/")).status_code == 404
    assert (await http.post("/metrics")).status_code == 404


async def test_a_worker_that_stopped_looking_for_work_is_not_alive(store: Store) -> None:
    idle = iter((59.0, 61.0))
    async with (
        exposing(store, "127.0.0.1", 0, lambda: next(idle)) as port,
        local.client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        assert (await client.get("/livez")).status_code == 200
        answer = await client.get("/livez")
    assert (answer.status_code, "61 s" in answer.text) == (503, True)


async def test_a_silent_redis_does_not_hold_up_our_own_counts() -> None:
    async with silent_redis() as url:
        store = open_store(url, Options())
        async with (
            exposing(store, "127.0.0.1", 0, lambda: 0.0) as port,
            local.client(base_url=f"http://127.0.0.1:{port}") as client,
        ):
            assert "sluice_runs_total" in (await client.get("/metrics")).text
        await store.close()


async def test_nonsense_is_hung_up_on(store: Store) -> None:
    async with exposing(store, "127.0.0.1", 0, lambda: 0.0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x" * 100_000)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()


async def test_a_port_that_is_taken_is_named(store: Store) -> None:
    async with exposing(store, "127.0.0.1", 0, lambda: 0.0) as port:
        with pytest.raises(SettingsError, match="SLUICE_METRICS_PORT"):
            async with exposing(store, "127.0.0.1", port, lambda: 0.0):
                pass
