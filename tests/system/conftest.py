"""A whole installation, of real processes over real HTTP: Redis, sandbox, ingress, workers."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
import pytest
from msgspec import Struct

from service.dev.processes import embedded_redis, free_port, running, sluice
from service.dev.samples import configured_routes
from service.sources.delivery import Route
from service.store import Options, Store, journal, open_store
from service.store.journal import Story
from tests import local

T = TypeVar("T")
_ids = itertools.count(500_000)
HERE = Path(__file__).parent


def a_new_id() -> int:
    """An object id that no other test uses: the tests of one process share one installation."""
    return next(_ids)


def hubspot(object_id: int, prop: str = "lifecyclestage", value: str = "customer", **other: Any) -> dict[str, Any]:
    """One property change, as HubSpot sends it."""
    return {
        "eventId": next(_ids),
        "subscriptionId": 1,
        "portalId": 62515,
        "appId": 3,
        "occurredAt": time.time_ns() // 1_000_000,
        "subscriptionType": "contact.propertyChange",
        "attemptNumber": 0,
        "objectId": object_id,
        "propertyName": prop,
        "propertyValue": value,
        "changeSource": "CRM_UI",
        **other,
    }


def pipedrive(person_id: int, name: str) -> dict[str, Any]:
    """One change of a person, as Pipedrive's webhooks v2 send it."""
    meta = {
        "action": "change",
        "entity": "person",
        "entity_id": str(person_id),
        "company_id": "7",
        "id": f"71825ee0-0054-4267-b5fd-{next(_ids):012d}",
        "timestamp": "2026-11-20T13:18:56.089Z",
        "change_source": "app",
        "attempt": 1,
    }
    return {"data": {"id": person_id, "name": name}, "previous": {"name": "before"}, "meta": meta}


class Installation(Struct, frozen=True):
    """Where everything listens, and short words for what tests do with it."""

    environ: dict[str, str]
    http: httpx.AsyncClient
    store: Store
    routes: dict[str, Route]

    async def deliver(self, path: str, payload: Any, *, headers: dict[str, str] | None = None) -> httpx.Response:
        """POST a delivery, signed as its source does, unless `headers` say otherwise."""
        body = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        now = time.time_ns() // 1_000_000
        proof = self.routes[path].sign("POST", path, body, now) if headers is None else headers
        return await self.http.post(self.environ["SLUICE_PUBLIC_URL"] + path, content=body, headers=proof)

    async def hubspot(self, *events: dict[str, Any]) -> dict[str, int]:
        """Deliver a batch of HubSpot events and insist on a 200."""
        answer = await self.deliver("/webhooks/hubspot", list(events))
        assert answer.status_code == 200, answer.text
        counts: dict[str, int] = answer.json()
        return counts

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(self.environ["SLUICE_PUBLIC_URL"] + path)

    async def sandbox(self) -> dict[str, Any]:
        """What the sandbox knows: calls, contacts, writes."""
        state: dict[str, Any] = (await self.http.get(self.environ["SLUICE_SAKARI_URL"] + "/_sandbox/state")).json()
        return state

    async def writes(self, record: str) -> list[dict[str, Any]]:
        """The bodies that were written to one record, in order."""
        return [write["body"] for write in (await self.sandbox())["writes"] if write["record"] == record]

    async def misbehave(self, *faults: dict[str, Any], seed: int = 0) -> None:
        url = self.environ["SLUICE_SAKARI_URL"] + "/_sandbox/misbehaviour"
        (await self.http.put(url, json={"faults": list(faults), "seed": seed})).raise_for_status()

    async def metric(self, line: str) -> float:
        """The value of one sample of the ingress's metrics, 0 if it was never counted."""
        for found in (await self.get("/metrics")).text.splitlines():
            if found.startswith(line + " "):
                return float(found.rpartition(" ")[2])
        return 0.0

    async def story(self, object_id: int) -> Story:
        """The newest event of an object, once nothing more will happen to it."""

        async def ended() -> Story | None:
            for event in await journal.newest(self.store, 2000):
                if event.entry.event.object_id == str(object_id):
                    story = await journal.story(self.store, event)
                    return story if story.ended else None
            return None

        return await until(ended)


async def until(look: Callable[[], Awaitable[T | None]], within_s: float = 30) -> T:
    """Look again and again until there is something to see."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        seen = await look()
        if seen:
            return seen
        await asyncio.sleep(0.02)
    raise AssertionError(f"nothing to see within {within_s} s")


def environment(redis_url: str, folder: Path, **other: str) -> dict[str, str]:
    port = free_port()
    return {
        "SLUICE_REDIS_URL": redis_url,
        "SLUICE_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "SLUICE_PORT": str(port),
        "SLUICE_RULES": str(HERE / "rules"),
        "SLUICE_SPILL_DIR": str(folder / "spill"),
        "SLUICE_MAX_BODY": "100000",
        "SLUICE_ADMIN_TOKEN": "admin-old,admin-new",
        "SLUICE_HUBSPOT_CLIENT_SECRET": "old-secret,new-secret",
        "SLUICE_HUBSPOT_WORKFLOW_SECRET": "workflow-secret",
        "SLUICE_PIPEDRIVE_USER": "pipe",
        "SLUICE_PIPEDRIVE_PASSWORD": "drive",
        "SLUICE_SAKARI_URL": f"http://127.0.0.1:{free_port()}",
        "SLUICE_SAKARI_ACCOUNT_ID": "acct",
        "SLUICE_SAKARI_CLIENT_ID": "client",
        "SLUICE_SAKARI_CLIENT_SECRET": "sakari-secret",
        "SLUICE_SAKARI_RATE": "100000",
        "SLUICE_SAKARI_BURST": "1000",
        "SLUICE_RETRY_BASE_S": "0.05",
        "SLUICE_RETRY_CAP_S": "1",
        **other,
    }


@contextlib.asynccontextmanager
async def ingress(environ: dict[str, str], folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    async with running(*sluice("serve"), environ=environ, log=folder / "ingress.log") as process:
        await _answers(environ["SLUICE_PUBLIC_URL"] + "/livez", folder / "ingress.log")
        yield process


@contextlib.asynccontextmanager
async def worker(
    environ: dict[str, str], folder: Path, name: str = "worker"
) -> AsyncIterator[asyncio.subprocess.Process]:
    async with running(*sluice("work"), environ=environ, log=folder / f"{name}.log") as process:
        yield process


@contextlib.asynccontextmanager
async def sandbox(environ: dict[str, str], folder: Path, *limits: str) -> AsyncIterator[asyncio.subprocess.Process]:
    options = (
        *("--port", environ["SLUICE_SAKARI_URL"].rpartition(":")[2], "--account", environ["SLUICE_SAKARI_ACCOUNT_ID"]),
        *("--client-id", environ["SLUICE_SAKARI_CLIENT_ID"], "--client-secret", environ["SLUICE_SAKARI_CLIENT_SECRET"]),
        *limits,
    )
    async with running(*sluice("sandbox", *options), environ=environ, log=folder / "sandbox.log") as process:
        await _answers(environ["SLUICE_SAKARI_URL"] + "/_sandbox/state", folder / "sandbox.log")
        yield process


async def _answers(url: str, log: Path) -> None:
    async with local.client() as client:

        async def answered() -> bool | None:
            with contextlib.suppress(httpx.TransportError):
                return (await client.get(url)).status_code < 500
            return None

        try:
            await until(answered)
        except AssertionError:
            raise AssertionError(log.read_text()) from None


@contextlib.asynccontextmanager
async def silent_redis() -> AsyncIterator[str]:
    """A Redis that takes connections and never answers, like one behind a network that swallows packets."""
    over = asyncio.Event()

    async def keep(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    async with await asyncio.start_server(keep, "127.0.0.1", 0) as server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
        over.set()


@contextlib.asynccontextmanager
async def opened(environ: dict[str, str]) -> AsyncIterator[Installation]:
    store = open_store(environ["SLUICE_REDIS_URL"], Options())
    async with local.client(timeout=15) as http:
        yield Installation(environ, http, store, {route.path: route for route in configured_routes(environ)})
    await store.close()


@pytest.fixture(scope="session")
async def installation(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """One ingress, one worker, one sandbox, shared by all tests of this process."""
    folder = tmp_path_factory.mktemp("installation")
    (folder / "redis").mkdir()
    async with contextlib.AsyncExitStack() as stack:
        redis_url = await stack.enter_async_context(embedded_redis(folder / "redis"))
        environ = environment(redis_url, folder)
        await stack.enter_async_context(sandbox(environ, folder))
        await stack.enter_async_context(ingress(environ, folder))
        await stack.enter_async_context(worker(environ, folder))
        yield await stack.enter_async_context(opened(environ))
