"""Calls of Sakari as a worker makes them, pace and token included, 50 at once; beside bare aiohttp."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
import httpx

from service import settings
from service.model import DEFAULT_ACCOUNT
from service.store import Options, open_store
from service.worker.accounts import open_accounts
from service.worker.wanted import WANTED
from tests.bench.installed import a_far_side, a_redis, environment
from tests.bench.measure import Measure, Place, Row

CALLS = 1_000
AT_ONCE = 50
_PATH = "/v1/accounts/bench/attributes/contacts"


async def once(place: Place) -> dict[str, float]:
    """Write the same attributes again and again, by three ways."""
    count = place.size(CALLS, 50)
    async with AsyncExitStack() as stack:
        url, _ = await stack.enter_async_context(a_redis(place.folder))
        far = await stack.enter_async_context(a_far_side(place.folder))
        store = open_store(url, Options())
        stack.push_async_callback(store.close)
        found = settings.read(WANTED, environment(url, far, place.folder))
        sakari = (await open_accounts(stack, found, store))[DEFAULT_ACCOUNT]
        base = f"http://127.0.0.1:{far}"
        bare = await stack.enter_async_context(aiohttp.ClientSession(base))
        plain = await stack.enter_async_context(httpx.AsyncClient(base_url=base, trust_env=False))

        async def by_aiohttp() -> None:
            async with bare.post(_PATH, json=_CONTACT) as answer:
                await answer.read()

        async def by_httpx() -> None:
            await plain.post(_PATH, json=_CONTACT)

        async def by_sluice() -> None:
            await sakari.write_attributes("contacts", _CONTACT)

        figures: dict[str, float] = {}
        for name, call in {"aiohttp": by_aiohttp, "httpx": by_httpx, "sluice": by_sluice}.items():
            await _many(call, AT_ONCE)
            figures |= {f"{name}{key}": value for key, value in (await _many(call, count)).items()}
        return figures


_CONTACT = {"hubspot": {"id": 310_000_000_001}, "attributes": {"stage": "customer"}}


async def _many(call: Callable[[], Awaitable[None]], count: int) -> dict[str, float]:
    """Calls a second, and CPU microseconds of one."""
    todo = iter(range(count))

    async def lane() -> None:
        for _ in todo:
            await call()

    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(lane() for _ in range(AT_ONCE)))
    seconds, spent = time.perf_counter() - started, time.process_time() - cpu
    return {"": count / seconds, "_cpu": spent / count * 1e6}


MEASURE = Measure(
    "calls",
    (
        Row(figure="aiohttp", title="bare aiohttp, 50 at once", unit="calls/s"),
        Row(figure="httpx", title="httpx with its own transport, 50 at once", unit="calls/s", beside="aiohttp"),
        Row(figure="sluice", title="Sluice's client, 50 at once", unit="calls/s", beside="aiohttp"),
        Row(figure="aiohttp_cpu", title="bare aiohttp, CPU", unit="µs/call"),
        Row(figure="httpx_cpu", title="httpx with its own transport, CPU", unit="µs/call", beside="aiohttp_cpu"),
        Row(figure="sluice_cpu", title="Sluice's client, CPU", unit="µs/call", beside="aiohttp_cpu"),
    ),
    once,
)
