from collections.abc import AsyncIterator

import httpx
import pytest

from service.sandbox.state import Sandbox, Settings
from tests import local
from tests.sakari.rig import Rig, rigged, served

CREDENTIALS = {"grant_type": "client_credentials", "client_id": "sandbox-client", "client_secret": "sandbox-secret"}


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


@pytest.fixture
async def api(rig: Rig) -> AsyncIterator[httpx.AsyncClient]:
    """A client of its own, so that the sandbox is not seen through the eyes of ours."""
    async with local.client(base_url=rig.url) as http:
        token = (await http.post("/oauth2/token", json=CREDENTIALS)).json()["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        yield http
