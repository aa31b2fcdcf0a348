"""FastAPI + arq: the app is `app`, the worker `python -m tests.bench.peers.with_arq`.

Ten jobs at once is arq's own choice, and cost the least CPU of 10, 20, 50 and 100. It polls every 10 ms rather than every
500 (which makes 200 jobs a second at most), on uvloop, and logs no line a job, as it does by itself.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import uvloop
from arq import Retry, create_pool, run_worker
from arq.connections import RedisSettings
from fastapi import FastAPI, Request

from tests.bench.peers.intake import CLAIM_S, REDIS_URL, SAKARI_URL, contact, verified


@contextlib.asynccontextmanager
async def life(app: FastAPI) -> AsyncIterator[None]:
    app.state.queue = await create_pool(RedisSettings.from_dsn(REDIS_URL))
    yield
    await app.state.queue.aclose()


app = FastAPI(lifespan=life)


@app.post("/webhooks/hubspot")
async def hubspot(request: Request) -> dict[str, int]:
    events = await verified(request)
    queue, accepted = request.app.state.queue, 0
    for event in events:
        if not await queue.set(event.claim, 1, nx=True, ex=CLAIM_S):
            continue
        accepted += 1
        if event.matches:
            await queue.enqueue_job("mark", event.object_id, event.property_value)
    return {"accepted": accepted, "duplicates": len(events) - accepted}


async def mark(ctx: dict[str, Any], object_id: int, stage: str) -> None:
    try:
        answer = await ctx["sakari"].post("/v1/accounts/peer/attributes/contacts", json=contact(object_id, stage))
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise Retry(defer=2 ** ctx["job_try"]) from error


async def start(ctx: dict[str, Any]) -> None:
    """Connect: connections that stay open, and a token."""
    ctx["sakari"] = httpx.AsyncClient(base_url=SAKARI_URL, timeout=20, trust_env=False)
    await log_in(ctx["sakari"])


async def log_in(sakari: httpx.AsyncClient) -> None:
    login = {"grant_type": "client_credentials", "client_id": "peer", "client_secret": "peer"}
    token = (await sakari.post("/oauth2/token", data=login)).json()["access_token"]
    sakari.headers["authorization"] = f"Bearer {token}"


async def stop(ctx: dict[str, Any]) -> None:
    await ctx["sakari"].aclose()


class WorkerSettings:
    functions = (mark,)
    on_startup, on_shutdown = start, stop
    redis_settings = RedisSettings.from_dsn(REDIS_URL)
    poll_delay = 0.01
    keep_result = 0


if __name__ == "__main__":
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    run_worker(WorkerSettings)
