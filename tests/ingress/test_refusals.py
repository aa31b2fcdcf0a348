"""Deliveries that were turned away: counted for all processes, by source and reason, without work for Redis at each."""

import asyncio
import re
import time
from pathlib import Path

import httpx

from service import app
from service.console.words import REFUSALS
from service.ingress import refusals, webhook
from service.ingress.wanted import WANTED
from service.insight.installation import installation
from service.observe.metrics import DELIVERIES
from service.settings import read
from service.store import Options, Store, keys, open_store
from tests.system.conftest import environment

SOURCES = Path(__file__).parents[2] / "service" / "sources"


def _now() -> int:
    return time.time_ns() // 1_000_000


async def _refused(store: Store, source: str) -> dict[str, int]:
    (found,) = [one for one in (await installation(store, now=_now())).sources if one.name == source]
    return found.refused


async def test_what_was_turned_away_is_told_once(store: Store) -> None:
    told = refusals.counted()
    DELIVERIES.labels("hubspot", "mismatch").inc(2)
    DELIVERIES.labels("hubspot", "stale_timestamp").inc(3)
    DELIVERIES.labels("pipedrive", "wrong_password").inc()
    DELIVERIES.labels("hubspot", "accepted").inc(50)
    told = await refusals.tell(store, told, now=_now())
    told = await refusals.tell(store, told, now=_now())
    assert await _refused(store, "hubspot") == {"stale_timestamp": 3, "mismatch": 2}
    assert await _refused(store, "pipedrive") == {"wrong_password": 1}
    DELIVERIES.labels("hubspot", "mismatch").inc()
    await refusals.tell(store, told, now=_now())
    assert (await _refused(store, "hubspot"))["mismatch"] == 3


async def test_it_goes_away_by_itself(store: Store) -> None:
    told = refusals.counted()
    DELIVERIES.labels("hubspot", "mismatch").inc()
    await refusals.tell(store, told, now=_now())
    (tally,) = [key async for key in store.redis.scan_iter(keys.TALLY + "*")]
    assert 0 < await store.redis.pttl(tally) <= 2 * 3_600_000


async def test_while_redis_is_away_it_waits(store: Store) -> None:
    away = open_store("redis://127.0.0.1:1/0", Options())
    told = refusals.counted()
    DELIVERIES.labels("pipedrive", "missing_password").inc()
    assert await refusals.tell(away, told, now=_now()) == told
    await away.close()
    await refusals.tell(store, told, now=_now())
    assert await _refused(store, "pipedrive") == {"missing_password": 1}


async def test_an_ingress_tells_by_itself(store: Store, redis_url: str, tmp_path: Path) -> None:
    ingress = app.create_app(read(WANTED, environment(redis_url, tmp_path)))
    transport = httpx.ASGITransport(ingress)
    async with ingress.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://sluice") as client:
        assert (await client.post("/webhooks/hubspot", content=b"[]")).status_code == 401
        async with asyncio.timeout(30):
            while not await _refused(store, "hubspot"):  # noqa: ASYNC110 - another part of the process tells it
                await asyncio.sleep(0.1)
    assert await _refused(store, "hubspot") == {"missing_signature": 1}


def test_the_console_has_words_for_every_reason() -> None:
    reasons = {word for path in SOURCES.glob("*.py") for word in re.findall(r'Unverified\("(\w+)"\)', path.read_text())}
    assert reasons
    assert set(REFUSALS) == reasons | set(webhook._HINTS)
