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

_CELERY = ("--loglevel", "warning", "--concurrency", "2", "--without-gossip", "--without-mingle", "--without-heartbeat")
"""Two processes: its own choice for two cores."""


def _celery(module: str) -> tuple[str, ...]:
    return f"{module}:app", "celery", "-A", f"tests.bench.peers.{module}:queue", "worker", *_CELERY


def _arq(module: str) -> tuple[str, ...]:
    return f"{module}:app", f"tests.bench.peers.{module}"


_LEAST = {"celery": _celery("with_celery"), "arq": _arq("with_arq")}
_SAME_JOB = {"celery": _celery("same_job_celery"), "arq": _arq("same_job_arq")}
"""Of each form and peer the web app, which one uvicorn serves, and the worker."""

_DURABLE = ("--appendfsync", "always")
"""A Redis that syncs before it answers: the way for them to keep the promise that a 2xx means stored."""

MISSING = "FastAPI with Celery and with arq: there is no environment .venv-peers; `make bench` makes it"


def peers() -> dict[str, Installation]:
    """The peers: `<name>` is the least, on a Redis as Sluice's; `<name>_durable` too, on one that syncs before it answers;
    `<name>_same` does the same job as Sluice, on such a one. None without their environment.
    """
    if not PYTHON.exists():
        return {}
    return {
        **{name: functools.partial(peer_installed, app=app) for name, app in _LEAST.items()},
        **{f"{name}_durable": functools.partial(peer_installed, app=app, redis=_DURABLE) for name, app in _LEAST.items()},
        **{f"{name}_same": functools.partial(peer_installed, app=app, redis=_DURABLE) for name, app in _SAME_JOB.items()},
    }


@contextlib.asynccontextmanager
async def peer_installed(
    folder: Path, *, app: tuple[str, ...], redis: tuple[str, ...] = (), **settings: str
) -> AsyncIterator[Installed]:
    """One web app and one worker, as processes; `settings` are more variables for both."""
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
            **settings,
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
