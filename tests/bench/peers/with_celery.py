"""FastAPI + Celery: the app is `app`, the worker's tasks belong to `queue`.

Two workers with the `solo` pool, one a core, sixteen jobs fetched ahead for each, were faster and cost less than prefork with
two processes, which had been as fast as any other of: one, two or four processes, four or ten threads, one `solo`, each with 1,
16 or 64 fetched ahead. `delay` is called in the event loop: a thread for each costs more.
"""

import functools

import redis.asyncio
import requests
from celery import Celery
from fastapi import FastAPI, Request

from tests.bench.peers.intake import CLAIM_S, REDIS_URL, SAKARI_URL, contact, verified

queue = Celery("peer", broker=REDIS_URL)
queue.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    worker_prefetch_multiplier=16,
    broker_connection_retry_on_startup=True,
)
app = FastAPI()
claims = redis.asyncio.Redis.from_url(REDIS_URL)


@app.post("/webhooks/hubspot")
async def hubspot(request: Request) -> dict[str, int]:
    events = await verified(request)
    accepted = 0
    for event in events:
        if not await claims.set(event.claim, 1, nx=True, ex=CLAIM_S):
            continue
        accepted += 1
        if event.matches:
            mark.delay(event.object_id, event.property_value)
    return {"accepted": accepted, "duplicates": len(events) - accepted}


@queue.task(autoretry_for=(requests.RequestException,), retry_backoff=True, max_retries=10)
def mark(object_id: int, stage: str) -> None:
    url = f"{SAKARI_URL}/v1/accounts/peer/attributes/contacts"
    session().post(url, json=contact(object_id, stage), timeout=20).raise_for_status()


@functools.cache
def session() -> requests.Session:
    """One for each process: connections that stay open, and a token."""
    session = requests.Session()
    session.trust_env = False  # it would look for proxies and a .netrc before every call
    login = {"grant_type": "client_credentials", "client_id": "peer", "client_secret": "peer"}
    token = session.post(f"{SAKARI_URL}/oauth2/token", data=login, timeout=20).json()["access_token"]
    session.headers["authorization"] = f"Bearer {token}"
    return session
