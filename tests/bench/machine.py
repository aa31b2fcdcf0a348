"""What a result depends on besides the code: the machine, how busy it was, and the versions of what ran."""

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path

from msgspec import Struct

from service.dev.processes import redis_binary

PARTS = (
    "litestar",
    "uvicorn",
    "uvloop",
    "httptools",
    "msgspec",
    "redis",
    "hiredis",
    "arq",
    "httpx",
    "aiohttp",
    "PyYAML",
)
"""Those whose versions move the figures."""
PEERS = ("fastapi", "pydantic", "celery")
_LOCKED = Path("tests/bench/peers/requirements.txt")


class Machine(Struct, frozen=True, kw_only=True):
    """Where and with what it was measured. `load`: load averages of 1, 5 and 15 minutes before the first round."""

    processor: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    redis: str
    commit: str
    """`+` at its end: the work tree had changes."""
    load: tuple[float, float, float]
    versions: dict[str, str]


def this_machine() -> Machine:
    """Look at this machine, which is a Linux one: the bench reads /proc."""
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return Machine(
        processor=found[1] if found else platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        kernel=".".join(platform.release().split(".")[:2]),
        python=platform.python_version(),
        redis=_said(redis_binary(), "--version"),
        commit=_commit(),
        load=os.getloadavg(),
        versions={name: metadata.version(name) for name in PARTS} | _of_the_peers(),
    )


def _of_the_peers() -> dict[str, str]:
    """What their environment is made of; it is locked."""
    locked = dict(re.findall(r"^([\w-]+)==([\w.]+)", _LOCKED.read_text(), re.MULTILINE))
    return {name: locked[name] for name in PEERS}


def _commit() -> str:
    changed = _said("git", "status", "--porcelain", "--untracked-files=no")
    return _said("git", "rev-parse", "--short=12", "HEAD") + ("+" if changed else "")


def _said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
