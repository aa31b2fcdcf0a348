"""The way of a request to a webhook's handler, and what a fault of ours is answered with."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from service import app
from service.ingress.bodies import Bodies
from service.ingress.wanted import WANTED
from service.ingress.webhook import Ingress, webhook
from service.settings import IngressSettings, read
from service.sources.delivery import Normalised, Verified
from service.store import Store
from tests.system.conftest import environment

PATH = "/webhooks/hubspot"


def _breaks(_: Verified) -> Normalised:
    raise LookupError("no place for +15550109999")


@pytest.fixture
async def broken(store: Store, redis_url: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an ingress whose source has a fault."""
    settings = read(WANTED, environment(redis_url, tmp_path))
    (route,) = (route for route in app.make_routes(settings) if route.path == PATH)
    faulty = replace(route, verify=lambda delivery: Verified(delivery, "v3"), normalise=_breaks)
    desk = app.make_desk(settings.of(IngressSettings), store)
    ingress = Ingress([webhook(faulty, desk, Bodies(1_000))], [])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(ingress), base_url="http://sluice") as client:
        yield client


@pytest.mark.parametrize("path", [PATH, f"{PATH}/"])
async def test_a_fault_of_ours_is_a_500_and_a_line_that_tells_no_secret(broken: httpx.AsyncClient, path: str) -> None:
    with capture_logs() as logs:
        answer = await broken.post(path, content=b"[]")
    assert answer.status_code == 500
    assert answer.json()["error"] == "internal_error"
    assert [line["event"] for line in logs] == ["request broke"]
    assert "5550109999" not in answer.text


async def test_what_is_not_posted_is_not_read_and_ends_the_connection(broken: httpx.AsyncClient) -> None:
    answer = await broken.put(PATH, content=b"GET / HTTP/1.1")
    assert (answer.status_code, answer.headers["connection"]) == (405, "close")


async def test_a_path_with_a_slash_behind_it_leads_to_the_same_handler(redis_url: str, tmp_path: Path) -> None:
    ingress = app.create_app(read(WANTED, environment(redis_url, tmp_path)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(ingress), base_url="http://sluice") as client:
        answers = [await client.post(path, content=b"[]") for path in (PATH, f"{PATH}/")]
    assert [(answer.status_code, answer.json()["error"]) for answer in answers] == [(401, "missing_signature")] * 2
