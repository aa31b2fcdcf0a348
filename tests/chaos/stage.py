"""The processes: one Valkey, one sandbox, two ingresses, two workers, each with a port and a folder that outlive it."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, Self

import httpx
from redis.asyncio import Redis
from redis.exceptions import RedisError

from service.dev.processes import free_port, redis_binary, sluice
from service.store import Options, Store, open_store
from tests.system.conftest import environment

INGRESSES = ("ingress-1", "ingress-2")
WORKERS = ("worker-1", "worker-2")
EVERYBODY = ("valkey", "sandbox", *INGRESSES, *WORKERS)

_UP_S = 30.0
_GRACE_S = 35.0
"""Longer than the grace that a worker gives its running steps: after this it is said to ignore SIGTERM."""


class Stage:
    """All processes by name. A process that ends without being told to is noted in `fallen`, and started again."""

    def __init__(self, folder: Path, *, lease_s: int, sabotage: str | None = None) -> None:
        self.folder = folder
        self.ports = dict(zip(EVERYBODY, _free_ports(len(EVERYBODY)), strict=True))
        self._sabotage = sabotage
        self.environ = environment(
            f"redis://127.0.0.1:{self.ports['valkey']}/0",
            folder,
            SLUICE_PUBLIC_URL="https://sluice.example",
            SLUICE_RULES=str(Path(__file__).parent / "rules"),
            SLUICE_SAKARI_URL=f"http://127.0.0.1:{self.ports['sandbox']}",
            SLUICE_LEASE_S=str(lease_s),
            SLUICE_MAX_BODY="2000000",
            SLUICE_SAKARI_RATE="100000",  # its 429s are dice, not a limit: no pace would please them
            SLUICE_SAKARI_BURST="1000",
        )
        self.store: Store = open_store(self.environ["SLUICE_REDIS_URL"], Options(), timeout_s=2, connections=16)
        self.http = httpx.AsyncClient(trust_env=False, timeout=30)
        self.fallen: list[str] = []
        self.stubborn: list[str] = []
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._watchers: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        (self.folder / "valkey").mkdir()
        try:
            for name in EVERYBODY:
                await self.start(name)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for watcher in self._watchers.values():
            watcher.cancel()
        for process in self._processes.values():
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        await self.http.aclose()
        await self.store.close()

    async def start(self, name: str) -> None:
        """Start a process where the last one of this name left off, and wait until it answers."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = process = await asyncio.create_subprocess_exec(
                *self._command(name),
                env={**os.environ, **self.environ, "SLUICE_PORT": str(self.ports[name])},
                cwd=Path(__file__).parents[2],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._watchers[name] = asyncio.create_task(self._watch(name, process))
        if name not in WORKERS:  # a worker listens to nobody
            await self._answers(name)

    async def kill(self, name: str) -> None:
        """SIGKILL."""
        self._watchers[name].cancel()
        process = self._processes[name]
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def end(self, name: str) -> None:
        """SIGTERM; a process that has not ended within the grace is `stubborn`, and killed."""
        self._watchers[name].cancel()
        process = self._processes[name]
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_GRACE_S):
                await process.wait()
        except TimeoutError:
            self.stubborn.append(name)
            await self.kill(name)

    def pause(self, name: str) -> None:
        """SIGSTOP."""
        with contextlib.suppress(ProcessLookupError):
            self._processes[name].send_signal(signal.SIGSTOP)

    def go_on(self, name: str) -> None:
        """SIGCONT."""
        with contextlib.suppress(ProcessLookupError):
            self._processes[name].send_signal(signal.SIGCONT)

    async def sandbox(self) -> dict[str, Any]:
        """What the sandbox saw: calls, contacts, writes."""
        state: dict[str, Any] = (await self.http.get(self._sandbox("state"))).raise_for_status().json()
        return state

    async def misbehave(self, faults: list[dict[str, Any]], seed: int) -> None:
        """Tell the sandbox how to fail from now on."""
        answer = await self.http.put(self._sandbox("misbehaviour"), json={"faults": faults, "seed": seed})
        answer.raise_for_status()

    async def revoke_tokens(self) -> None:
        """Let Sakari forget every token that it has given out."""
        (await self.http.post(self._sandbox("revoke-tokens"))).raise_for_status()

    def _sandbox(self, what: str) -> str:
        return f"{self.environ['SLUICE_SAKARI_URL']}/_sandbox/{what}"

    def _command(self, name: str) -> tuple[str, ...]:
        if name == "valkey":
            place = ("--bind", "127.0.0.1", "--port", str(self.ports[name]), "--dir", str(self.folder / "valkey"))
            keeps = ("--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction")
            return (redis_binary(), *place, *keeps)
        if name == "sandbox":
            own = self.environ
            return sluice(
                *("sandbox", "--port", str(self.ports[name]), "--account", own["SLUICE_SAKARI_ACCOUNT_ID"]),
                *("--client-id", own["SLUICE_SAKARI_CLIENT_ID"]),
                *("--client-secret", own["SLUICE_SAKARI_CLIENT_SECRET"]),
            )
        command = "serve" if name in INGRESSES else "work"
        if self._sabotage:
            return (sys.executable, "-m", "tests.chaos.sabotage", self._sabotage, command)
        return sluice(command)

    async def _watch(self, name: str, process: asyncio.subprocess.Process) -> None:
        await process.wait()
        self.fallen.append(f"{name} ended by itself with code {process.returncode}")
        await asyncio.sleep(0.5)
        await self.start(name)

    async def _answers(self, name: str) -> None:
        end = time.monotonic() + _UP_S
        while time.monotonic() < end:
            if await (self._pings() if name == "valkey" else self._listens(name)):
                return
            await asyncio.sleep(0.02)
        raise TimeoutError(f"{name} did not answer within {_UP_S:.0f} s: {self.folder / name}.log")

    async def _pings(self) -> bool:
        client = Redis(port=self.ports["valkey"], socket_connect_timeout=1, socket_timeout=1)
        try:
            return bool(await client.ping())
        except (RedisError, OSError):
            return False
        finally:
            await client.aclose()

    async def _listens(self, name: str) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.ports[name])
        except OSError:
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True


def _free_ports(many: int) -> list[int]:
    ports: set[int] = set()
    while len(ports) < many:
        ports.add(free_port())
    return list(ports)
