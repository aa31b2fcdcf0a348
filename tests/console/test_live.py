"""Pages that keep themselves fresh: what they are sent, and that they never hold up a process that is told to stop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from tests import local
from tests.console.conftest import ADMIN
from tests.system.conftest import environment, ingress


async def test_an_open_page_does_not_keep_the_process_from_stopping(redis_url: str, tmp_path: Path) -> None:
    environ = environment(redis_url, tmp_path)
    async with (
        ingress(environ, tmp_path) as process,
        local.client(base_url=environ["SLUICE_PUBLIC_URL"]) as browser,
    ):
        await browser.post("/console/sign-in", data={"token": ADMIN})
        async with browser.stream("GET", "/console/live/overview") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["cache-control"] == "no-store"
            lines = answer.aiter_lines()
            first = [line async for line in _until_empty(lines)]
            told = [line async for line in _until_empty(lines)]
            assert first == ["retry: 3000"]
            assert all(line.startswith("data: ") for line in told)
            assert any("Events accepted" in line for line in told)
            later = [line async for line in _until_empty(lines)]
            assert later == [": still here"] or all(line.startswith("data: ") for line in later)
            process.terminate()
            assert [line async for line in lines if line.startswith("data")] == []
        async with asyncio.timeout(10):
            await process.wait()


async def test_viewers_cannot_take_all_streams(redis_url: str, tmp_path: Path) -> None:
    environ = environment(redis_url, tmp_path, SLUICE_VIEWER_TOKEN="viewer")
    async with ingress(environ, tmp_path), contextlib.AsyncExitStack() as stack:
        reading: list[AsyncIterator[str]] = []

        async def browser(token: str) -> httpx.AsyncClient:
            client = local.client(base_url=environ["SLUICE_PUBLIC_URL"])
            await stack.enter_async_context(client)
            await client.post("/console/sign-in", data={"token": token})
            return client

        async def opened(client: httpx.AsyncClient) -> int:
            answer = await stack.enter_async_context(client.stream("GET", "/console/live/overview"))
            if answer.status_code == 200:
                reading.append(answer.aiter_lines())  # kept: the end of an iterator ends its answer
                assert await anext(reading[-1]) == "retry: 3000"
            return answer.status_code

        viewer = await browser("viewer")
        assert [await opened(viewer) for _ in range(5)] == [200] * 4 + [429]
        more = [await browser("viewer") for _ in range(6)]
        assert [await opened(one) for one in more for _ in range(4)] == [200] * 20 + [503] * 4
        assert await opened(await browser(ADMIN)) == 200


async def _until_empty(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    async for line in lines:
        if not line:
            return
        yield line
