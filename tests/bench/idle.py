"""What processes cost that have nothing to do, and how much memory they hold; beside a bare Litestar echo."""

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from service.dev.processes import free_port
from tests.bench.cpu import cpu_seconds
from tests.bench.installed import listening, sluice_installed
from tests.bench.measure import Measure, Place, Row, Target

SECONDS = 10.0


async def once(place: Place) -> dict[str, float]:
    """Let some events through, wait until everything is quiet, and look for ten seconds."""
    async with AsyncExitStack() as stack:
        installed = await stack.enter_async_context(sluice_installed(place.folder))
        port = free_port()
        command = (sys.executable, "-m", "tests.bench.echo", str(port))
        echo = await stack.enter_async_context(listening(place.folder / "echo.log", port, *command))
        await installed.warm_up()
        processes = {"echo": echo.pid, **installed.processes}
        await asyncio.sleep(place.seconds(2))
        before = {name: cpu_seconds([pid]) for name, pid in processes.items()}
        await asyncio.sleep(place.seconds(SECONDS))
        spent = {name: cpu_seconds([pid]) - before[name] for name, pid in processes.items()}
        figures = {f"{name}_cpu": used / place.seconds(SECONDS) * 100 for name, used in spent.items()}
        return figures | {f"{name}_memory": _resident_mib(pid) for name, pid in processes.items()}


def _resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


_CORE = "% of a core"

MEASURE = Measure(
    "idle",
    (
        Row(figure="echo_cpu", title="bare Litestar echo, idle", unit=_CORE),
        Row(figure="ingress_cpu", title="ingress, idle", unit=_CORE, beside="echo_cpu"),
        Row(figure="worker_cpu", title="worker, idle", unit=_CORE, beside="echo_cpu", target=Target("≤", 3)),
        Row(figure="redis_cpu", title="Redis meanwhile", unit=_CORE),
        Row(figure="echo_memory", title="memory of a bare Litestar echo", unit="MiB"),
        Row(figure="ingress_memory", title="memory of an ingress", unit="MiB", beside="echo_memory"),
        Row(figure="worker_memory", title="memory of a worker", unit="MiB", beside="echo_memory"),
    ),
    once,
)
