"""The peers as processes, in their own environment `.venv-peers`, which `make bench` makes."""

import contextlib
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


def peers() -> dict[str, Installation]:
    """The peers by name; none without their environment."""
    return {"celery": with_celery, "arq": with_arq} if PYTHON.exists() else {}


@contextlib.asynccontextmanager
async def with_celery(folder: Path) -> AsyncIterator[Installed]:
    """FastAPI + Celery: one uvicorn, one worker of two processes, Celery's own choice for two cores."""
    async with _installed(folder, "with_celery:app", *_WORKERS["celery"], *_CELERY) as installed:
        yield installed


@contextlib.asynccontextmanager
async def with_arq(folder: Path) -> AsyncIterator[Installed]:
    """FastAPI + arq: one uvicorn, one worker."""
    async with _installed(folder, "with_arq:app", *_WORKERS["arq"]) as installed:
        yield installed


@contextlib.asynccontextmanager
async def _installed(folder: Path, app: str, *worker: str) -> AsyncIterator[Installed]:
    async with AsyncExitStack() as stack:
        url, redis = await stack.enter_async_context(a_redis(folder))
        far = await stack.enter_async_context(a_far_side(folder))
        port, python = free_port(), str(PYTHON.absolute())
        environ = {
            "REDIS_URL": url,
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "HUBSPOT_CLIENT_SECRET": _SECRET,
            "SAKARI_URL": f"http://127.0.0.1:{far}",
        }
        serve = (python, "-m", "uvicorn", f"tests.bench.peers.{app}", "--port", str(port), "--log-level", "warning")
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
            processes={"redis": redis, "ingress": ingress.pid, "worker": process.pid},
        )
