"""FastAPI + Celery, the same job as Sluice: the app is `app`, the worker's tasks belong to `queue`.

Celery's queue is written by Celery alone, one job at a time, so that comes first; the history follows.

Two workers as with the least: faster here too than one, and than prefork with two processes.
A job of one that was killed waits fifteen minutes.
"""

import time
from typing import Any

import redis
import requests
from celery import Task
from fastapi import FastAPI, Request

from tests.bench.peers.intake import REDIS_URL, SAKARI_URL, contact, verified
from tests.bench.peers.records import BEGIN, END
from tests.bench.peers.same_job import Job, accepted, again_in, asking, ending, jobs, keep, told, verdict
from tests.bench.peers.with_celery import claims, queue, session

queue.conf.update(
    broker_transport_options={"visibility_timeout": 900},  # more than any back-off
    worker_redirect_stdouts=False,
)
app = FastAPI()
_store = redis.Redis.from_url(REDIS_URL)
_begin, _end = _store.register_script(BEGIN), _store.register_script(END)


@app.post("/webhooks/hubspot")
async def hubspot(request: Request) -> dict[str, int]:
    started, events = time.perf_counter(), await verified(request)
    enqueue(jobs(events))
    async with claims.pipeline(transaction=False) as pipe:
        keep(pipe, events)
        return accepted(events, await pipe.execute(), started)


def enqueue(due: list[Job]) -> None:
    """Queue a job for each; several over one connection."""
    with queue.producer_or_acquire() as producer:
        for job in due:
            mark.apply_async(job, task_id=str(job.event_id), producer=producer)


@queue.task(bind=True, max_retries=None, autoretry_for=(Exception,), retry_backoff=5)
def mark(task: Task, *queued: Any) -> None:
    job, started = Job(*queued), time.perf_counter()
    token, question = asking(job)
    may, tries = _begin(**question)
    if may != b"go":
        told(job, may.decode(), tries, "", started)
        if may in {b"busy", b"paced"}:
            raise task.retry(countdown=again_in(0))
        return
    status, reason = call(job)
    state = verdict(status, tries)
    _end(**ending(job, token, state, reason))
    told(job, state, tries, reason, started)
    if state == "failed":
        raise task.retry(countdown=again_in(tries))


def call(job: Job) -> tuple[int, str]:
    """Write to Sakari: the status, 0 if no answer came, and the same in words."""
    try:
        url = f"{SAKARI_URL}/v1/accounts/peer/attributes/contacts"
        answer = session().post(url, json=contact(job.contact, job.stage), timeout=20)
    except requests.RequestException as error:
        return 0, type(error).__name__
    if answer.status_code == 401:
        session.cache_clear()
    return answer.status_code, str(answer.status_code)
