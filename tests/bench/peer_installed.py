"""The peers as processes, in their own environment `.venv-peers`, which `make bench` makes."""

import contextlib
import functools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

from service.dev.processes import free_port, running
from tests.bench.installed import Installation, Installed, a_far_side, a_redis, hubspot_route, listening

PYTHON = Path(".venv-peers/bin/python")
_SECRET = "bench-secret"

_WORKERS = {
    "celery": ("celery", "-A", "tests.bench.peers.with_celery:queue", "worker", "--loglevel", "warning"),
    "arq": ("tests.bench.peers.with_arq",),
}
_CELERY = ("--concurrency", "2", "--without-gossip", "--without-mingle", "--without-heartbeat")


MISSING = "FastAPI with Celery and with arq: there is no environment .venv-peers; `make bench` makes it"


_APPS = {
    "celery": ("with_celery:app", *_WORKERS["celery"], *_CELERY),
    "arq": ("with_arq:app", *_WORKERS["arq"]),
}
"""Of each its web app and its worker: one uvicorn; two processes of Celery, its own choice for two cores, or one of arq."""

_DURABLE = ("--appendfsync", "always")
"""A Redis that syncs before it answers: the way for them to keep the promise that a 2xx means stored."""


def peers() -> dict[str, Installation]:
    """The peers by name, on a Redis as Sluice's, and `<name>_durable`. None without their environment."""
    if not PYTHON.exists():
        return {}
    plain: dict[str, Installation] = {name: functools.partial(_installed, app=app) for name, app in _APPS.items()}
    return plain | {
        f"{name}_durable": functools.partial(_installed, app=app, redis=_DURABLE) for name, app in _APPS.items()
    }


@contextlib.asynccontextmanager
async def _installed(folder: Path, *, app: tuple[str, ...], redis: tuple[str, ...] = ()) -> AsyncIterator[Installed]:
    web, *worker = app
    async with AsyncExitStack() as stack:
        url, redis_pid = await stack.enter_async_context(a_redis(folder, *redis))
        far = await stack.enter_async_context(a_far_side(folder))
        port, python = free_port(), str(PYTHON.absolute())
        environ = {
            "REDIS_URL": url,
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "HUBSPOT_CLIENT_SECRET": _SECRET,
            "SAKARI_URL": f"http://127.0.0.1:{far}",
        }
        serve = (python, "-m", "uvicorn", f"tests.bench.peers.{web}", "--port", str(port), "--log-level", "warning")
        log = folder / "ingress.log"
        ingress = await stack.enter_async_context(listening(log, port, *serve, "--no-access-log", environ=environ))
        work = running(python, "-m", *worker, environ=environ, log=folder / "worker.log")
        process = await stack.enter_async_context(work)
        signing = {"SLUICE_PUBLIC_URL": environ["PUBLIC_URL"], "SLUICE_HUBSPOT_CLIENT_SECRET": _SECRET}
        yield Installed(
            port=port,
            far=far,
            redis_url=url,
            route=hubspot_route(signing),
            processes={"redis": redis_pid, "ingress": ingress.pid, "worker": process.pid},
        )
