"""Why deliveries were turned away is told: at once, again while it goes on, and never as a flood."""

import time
from pathlib import Path

import httpx
from structlog.testing import capture_logs

from service import app
from service.ingress.complaints import Complaints
from service.ingress.wanted import WANTED
from service.settings import read
from tests.system.conftest import environment

NOW = 1_790_000_000_000


def test_a_flood_is_one_line_a_second_with_how_many_there_were() -> None:
    complaints = Complaints()
    with capture_logs() as logs:
        for at in range(0, 2_500, 10):
            complaints.hear("not stored", "hubspot", "Redis is full", "", now=NOW + at)
    assert [(line["event"], line["deliveries"]) for line in logs] == [("not stored", n) for n in (1, 100, 100)]


def test_each_reason_is_told_by_itself() -> None:
    complaints = Complaints()
    with capture_logs() as logs:
        for reason in ("full", "away", "full"):
            complaints.hear("not stored", "hubspot", reason, "", now=NOW)
        complaints.hear("refused", "pipedrive", "full", "", now=NOW)
    assert [(line["source"], line["reason"]) for line in logs] == [
        ("hubspot", "full"),
        ("hubspot", "away"),
        ("pipedrive", "full"),
    ]


def test_what_was_not_stored_is_a_problem_for_a_minute_and_what_was_refused_is_none() -> None:
    complaints = Complaints()
    with capture_logs():
        complaints.hear("not stored", "hubspot", "Redis is full", "", now=NOW)
        complaints.hear("refused", "hubspot", "mismatch", "", now=NOW)
    assert complaints.fresh(NOW + 59_000) == ["a delivery of hubspot was not stored 59 s ago: Redis is full"]
    assert complaints.fresh(NOW + 60_000) == []


async def test_a_503_and_a_401_leave_their_reason_in_the_log_and_the_first_in_readyz(tmp_path: Path) -> None:
    settings = read(WANTED, environment("redis://127.0.0.1:1/0", tmp_path))
    (route,) = (route for route in app.make_routes(settings) if route.path == "/webhooks/hubspot")
    transport = httpx.ASGITransport(app.create_app(settings))
    with capture_logs() as logs:
        async with httpx.AsyncClient(transport=transport, base_url="http://sluice") as client:
            proof = route.sign("POST", route.path, b"[]", time.time_ns() // 1_000_000)
            assert (await client.post(route.path, content=b"[]", headers=proof)).status_code == 503
            assert (await client.post(route.path, content=b"[]")).status_code == 401
            problems = (await client.get("/readyz")).json()["problems"]
    reason = "Redis could not store the rule set: ConnectionError"
    assert [(line["event"], line["source"], line["reason"]) for line in logs] == [
        ("not stored", "hubspot", reason),
        ("refused", "hubspot", "missing_signature"),
    ]
    assert problems[-1].endswith(reason)
