"""FastAPI + arq, the same job as Sluice: the app is `app`, the worker `python -m tests.bench.peers.same_job_arq`.

arq's two entries of a job (the job, and its place in the queue), as `enqueue_job` writes them, and the history are one round
trip. The event's id is the job's, so that one that waits is not there twice.

Ten jobs at once, polling every 10 ms, as in the least: 20 and 50 at once took as much processor time for a job.
"""

import asyncio
import time
from typing import Any

import httpx
import uvloop
from arq import Retry, run_worker
from arq.constants import default_queue_name, job_key_prefix
from arq.jobs import serialize_job
from fastapi import FastAPI, Request

from tests.bench.peers.intake import contact, verified
from tests.bench.peers.records import BEGIN, END, KEPT_S
from tests.bench.peers.same_job import Job, accepted, again_in, asking, ending, jobs, keep, told, verdict
from tests.bench.peers.with_arq import WorkerSettings, life, log_in, start

CALL_S = 30

app = FastAPI(lifespan=life)


@app.post("/webhooks/hubspot")
async def hubspot(request: Request) -> dict[str, int]:
    started, events = time.perf_counter(), await verified(request)
    async with request.app.state.queue.pipeline(transaction=False) as pipe:
        enqueue(pipe, jobs(events))
        keep(pipe, events)
        return accepted(events, await pipe.execute(), started)


def enqueue(pipe: Any, due: list[Job]) -> None:
    """What `ArqRedis.enqueue_job` does, for many at once: a job that waits already keeps its place."""
    now = int(time.time() * 1000)
    for job in due:
        pipe.psetex(f"{job_key_prefix}{job.event_id}", KEPT_S * 1000, serialize_job("mark", tuple(job), {}, None, now))
    if due:
        pipe.zadd(default_queue_name, {str(job.event_id): now for job in due}, nx=True)


async def mark(ctx: dict[str, Any], *queued: Any) -> None:
    try:
        await carry_out(ctx, Job(*queued))
    except Retry:
        raise
    except Exception as error:  # above all a Redis that is not there; arq would give the job up
        raise Retry(defer=again_in(5)) from error


async def carry_out(ctx: dict[str, Any], job: Job) -> None:
    started = time.perf_counter()
    token, question = asking(job)
    may, tries = await ctx["begin"](**question)
    if may != b"go":
        told(job, may.decode(), tries, "", started)
        if may in {b"busy", b"paced"}:
            raise Retry(defer=again_in(0))
        return
    status, reason = await ctx["call"](ctx, job)
    state = verdict(status, tries)
    await ctx["end"](**ending(job, token, state, reason))
    told(job, state, tries, reason, started)
    if state == "failed":
        raise Retry(defer=again_in(tries))


async def call(ctx: dict[str, Any], job: Job) -> tuple[int, str]:
    """Write to Sakari: the status, 0 if no answer came, and the same in words."""
    try:
        async with asyncio.timeout(CALL_S):
            body = contact(job.contact, job.stage)
            answer = await ctx["sakari"].post("/v1/accounts/peer/attributes/contacts", json=body)
            if answer.status_code == 401:
                await log_in(ctx["sakari"])
    except (httpx.HTTPError, TimeoutError) as error:
        return 0, type(error).__name__
    return answer.status_code, str(answer.status_code)


async def start_whole(ctx: dict[str, Any]) -> None:
    await start(ctx)
    remember(ctx)
    ctx["call"] = call


def remember(ctx: dict[str, Any]) -> None:
    """Make ready what a job asks of Redis."""
    ctx["begin"], ctx["end"] = ctx["redis"].register_script(BEGIN), ctx["redis"].register_script(END)


def work(**settings: Any) -> None:
    """Run a worker. arq counts a job that had to wait as a try; what counts here is a call, in the job's own record."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    run_worker(WorkerSettings, functions=(mark,), job_timeout=CALL_S + 15, max_tries=10**6, **settings)


if __name__ == "__main__":
    work(on_startup=start_whole)
