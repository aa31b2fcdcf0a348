"""The peers as processes, in their own environment `.venv-peers`, which `make bench` makes."""

import contextlib
import functools
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from msgspec import Struct

from service.dev.processes import free_port, running
from tests.bench.installed import Installation, Installed, a_far_side, a_redis, hubspot_route, listening

PYTHON = Path(".venv-peers/bin/python")
_SECRET = "bench-secret"

Command = tuple[str, ...]


class App(Struct, frozen=True):
    """A peer's web app, which one uvicorn serves, and its workers: what `python -m` runs."""

    web: str
    workers: tuple[Command, ...]


def _celery(module: str) -> App:
    quiet = ("--loglevel", "warning", "--without-gossip", "--without-mingle", "--without-heartbeat")
    worker = ("celery", "-A", f"tests.bench.peers.{module}:queue", "worker", "--pool", "solo", *quiet)
    return App(f"{module}:app", ((*worker, "-n", "first@%h"), (*worker, "-n", "second@%h")))


def _arq(module: str) -> App:
    return App(f"{module}:app", ((f"tests.bench.peers.{module}",),))


_LEAST = {"celery": _celery("with_celery"), "arq": _arq("with_arq")}
_SAME_JOB = {
    "celery": _celery("same_job_celery"),
    "arq": _arq("same_job_arq"),
    "aiohttp": App("same_job_arq:app", (("tests.bench.peers.same_job_aiohttp",),)),
}

_LAZY = ("--appendfsync", "everysec")
"""A Redis that syncs once a second: a 2xx promises nothing. All others have one that syncs before it answers, as Sluice has."""

MISSING = "FastAPI with Celery and with arq: there is no environment .venv-peers; `make bench` makes it"


def peers() -> dict[str, Installation]:
    """The peers by name: the least, and the least with a Redis that is `_durable`; and `_same`, the same job as Sluice's.

    `aiohttp_same` is arq's with another HTTP client. None without their environment.
    """
    if not PYTHON.exists():
        return {}
    found: dict[str, Installation] = {}
    for name, app in _LEAST.items():
        found[name] = functools.partial(_installed, app=app, redis=_LAZY)
        found[f"{name}_durable"] = functools.partial(_installed, app=app)
    return found | {f"{name}_same": same_job(name) for name in _SAME_JOB}


def same_job(name: str, **settings: str) -> Installation:
    """A peer that does the same job as Sluice; `settings` are more variables for its processes."""
    return functools.partial(_installed, app=_SAME_JOB[name], settings=settings)


@contextlib.asynccontextmanager
async def _installed(
    folder: Path, *, app: App, redis: Command = (), settings: Mapping[str, str] | None = None
) -> AsyncIterator[Installed]:
    async with AsyncExitStack() as stack:
        url, redis_pid = await stack.enter_async_context(a_redis(folder, *redis))
        far = await stack.enter_async_context(a_far_side(folder))
        port, python = free_port(), str(PYTHON.absolute())
        environ = {
            "REDIS_URL": url,
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "HUBSPOT_CLIENT_SECRET": _SECRET,
            "SAKARI_URL": f"http://127.0.0.1:{far}",
            **(settings or {}),
        }
        serve = (python, "-m", "uvicorn", f"tests.bench.peers.{app.web}", "--port", str(port), "--log-level", "warning")
        log = folder / "ingress.log"
        ingress = await stack.enter_async_context(listening(log, port, *serve, "--no-access-log", environ=environ))
        processes = {"redis": redis_pid, "ingress": ingress.pid}
        for number, worker in enumerate(app.workers, 1):
            work = running(python, "-m", *worker, environ=environ, log=folder / "worker.log")
            processes[f"worker_{number}"] = (await stack.enter_async_context(work)).pid
        signing = {"SLUICE_PUBLIC_URL": environ["PUBLIC_URL"], "SLUICE_HUBSPOT_CLIENT_SECRET": _SECRET}
        yield Installed(
            port=port,
            far=far,
            redis_url=url,
            route=hubspot_route(signing),
            processes=processes,
        )
