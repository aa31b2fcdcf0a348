from collections.abc import AsyncIterator

import pytest

from service.sandbox.state import Sandbox, Settings
from tests.sakari.rig import Rig, rigged, served


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[tuple[Sandbox, str]]:
    async with served(Settings()) as running:
        yield running


@pytest.fixture
async def rig(server: tuple[Sandbox, str]) -> AsyncIterator[Rig]:
    async with rigged(*server) as made:
        yield made
