"""FastAPI + arq, the same job with aiohttp for the calls: `python -m tests.bench.peers.same_job_aiohttp` is its worker.

httpx is what FastAPI's documentation leads to, and costs a call two to four times the processor time of aiohttp's. Whoever
measures that changes it; so it is measured beside.
"""

from typing import Any

import aiohttp

from tests.bench.peers.intake import SAKARI_URL, contact
from tests.bench.peers.same_job import Job
from tests.bench.peers.same_job_arq import CALL_S, remember, work


async def call(ctx: dict[str, Any], job: Job) -> tuple[int, str]:
    """Write to Sakari: the status, 0 if no answer came, and the same in words."""
    url, body = "/v1/accounts/peer/attributes/contacts", contact(job.contact, job.stage)
    try:
        async with ctx["sakari"].post(url, json=body) as answer:
            await answer.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        return 0, type(error).__name__
    if answer.status == 401:
        await log_in(ctx["sakari"])
    return answer.status, str(answer.status)


async def log_in(sakari: aiohttp.ClientSession) -> None:
    login = {"grant_type": "client_credentials", "client_id": "peer", "client_secret": "peer"}
    async with sakari.post("/oauth2/token", data=login) as answer:
        token = (await answer.json(content_type=None))["access_token"]
    sakari.headers["authorization"] = f"Bearer {token}"


async def start(ctx: dict[str, Any]) -> None:
    """Connect: connections that stay open, and a token."""
    ctx["sakari"] = aiohttp.ClientSession(SAKARI_URL, timeout=aiohttp.ClientTimeout(CALL_S))
    await log_in(ctx["sakari"])
    remember(ctx)
    ctx["call"] = call


async def stop(ctx: dict[str, Any]) -> None:
    await ctx["sakari"].close()


if __name__ == "__main__":
    work(on_startup=start, on_shutdown=stop)
