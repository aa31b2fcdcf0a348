"""The sandbox's limit: a bucket that fills with time; an empty one answers 429 and when to come back."""

import httpx
import pytest

from service.sandbox.sample import demo_state
from service.sandbox.state import Sandbox, Settings
from tests.sakari.rig import served
from tests.sandbox.conftest import CREDENTIALS


def test_the_bucket_fills_with_time_and_not_over_its_brim() -> None:
    sandbox = Sandbox(Settings(limit=10, limit_burst=2), demo_state)
    assert [sandbox.over_limit(100.0) for _ in range(2)] == [0, 0]
    assert sandbox.over_limit(100.0) == pytest.approx(0.1)
    assert sandbox.over_limit(100.15) == 0
    assert [sandbox.over_limit(900.0) > 0 for _ in range(3)] == [False, False, True]


def test_without_a_limit_there_is_none() -> None:
    sandbox = Sandbox(Settings(), demo_state)
    assert not any(sandbox.over_limit(1.0) for _ in range(1000))


async def test_a_call_over_the_limit_is_a_429_that_does_nothing() -> None:
    async with served(Settings(limit=0.001, limit_burst=1)) as (sandbox, url), httpx.AsyncClient(base_url=url) as http:
        token = (await http.post("/oauth2/token", json=CREDENTIALS)).json()["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        body = {"hubspot": {"id": 1}}
        answers = [await http.post("/v1/accounts/demo/attributes/contacts", json=body) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 429]
        assert 900 <= int(answers[1].headers["retry-after"]) <= 1000
        assert len(sandbox.writes) == 1
        assert (await http.post("/oauth2/token", json=CREDENTIALS)).status_code == 200
