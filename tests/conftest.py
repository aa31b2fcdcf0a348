"""What every test may use: one real Redis per test process, emptied for each test that asks for a store."""

import asyncio
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
import structlog
from hypothesis import HealthCheck, settings

from service.dev.processes import embedded_redis
from service.observe import logs
from service.store import Options, Store, open_store

# No test is about how fast this machine is just now.
settings.register_profile("sluice", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sluice")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Leave the processes that a `no_cover` test starts out of the coverage too, not only the test itself."""
    if item.get_closest_marker("no_cover") is None:
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # by which coverage starts itself in a process
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """Log as the processes do, without the drawing of tracebacks that takes longer than a short lease."""
    structlog.configure(processors=[logs.about, structlog.dev.ConsoleRenderer()])


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for the whole session. It lives in a thread of its own, since the tests' event loops come and go."""
    folder: Path = tmp_path_factory.mktemp("redis")
    up, down = Event(), Event()
    urls: list[str] = []

    async def live() -> None:
        async with embedded_redis(folder) as url:
            urls.append(url)
            up.set()
            await asyncio.to_thread(down.wait)

    thread = Thread(target=asyncio.run, args=(live(),))
    thread.start()
    try:
        assert up.wait(30), "the embedded Redis did not come up"
        yield urls[0]
    finally:
        down.set()
        thread.join()


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    opened = open_store(redis_url, Options(lease_ms=2_000, hold_ms=2_000))
    await opened.redis.flushall()
    yield opened
    await opened.close()
