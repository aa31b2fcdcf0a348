"""Misbehaving as told: the faults, their dice, and connections that are really cut."""

import asyncio
from typing import Any

import httpx
import pytest

from service.sandbox.sample import DEMO_CAMPAIGN
from tests.sakari.rig import Rig
from tests.sandbox.conftest import CREDENTIALS
from tests.sandbox.test_sandbox_strictness import ATTRIBUTES, EXECUTIONS

CONTACT = {"hubspot": {"id": 7}}


async def tell(api: httpx.AsyncClient, *faults: dict[str, Any], seed: int = 0) -> None:
    answer = await api.put("/_sandbox/misbehaviour", json={"faults": faults, "seed": seed})
    assert answer.status_code == 200


@pytest.mark.parametrize(("cut", "effect"), [("before", 0), ("midway", 1), ("after", 1)])
async def test_a_cut_closes_the_connection_under_the_answer(
    rig: Rig, api: httpx.AsyncClient, cut: str, effect: int
) -> None:
    await tell(api, {"method": "POST", "cut": cut, "times": 1})
    with pytest.raises(httpx.RemoteProtocolError):
        await api.post(ATTRIBUTES + "/contacts", json=CONTACT)
    assert len(rig.sandbox.writes) == effect
    assert (await api.post(ATTRIBUTES + "/contacts", json=CONTACT)).status_code == 200
    assert rig.calls("/attributes/contacts") == {"cut": 1, "200": 1}


@pytest.mark.parametrize(("cut", "received"), [("before", b""), ("after", b""), ("midway", b"HTTP/1.1 200 OK")])
async def test_a_cut_is_seen_on_the_socket(rig: Rig, api: httpx.AsyncClient, cut: str, received: bytes) -> None:
    await tell(api, {"cut": cut})
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(rig.url).port)
    authorization = api.headers["Authorization"].encode()
    writer.write(b"GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n\r\n" % (EXECUTIONS.encode(), authorization))
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.partition(b"\r\n")[0] == received
    if received:
        head, _, body = answer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        assert 0 < len(body) < length


async def test_fault_is_chosen_by_method_and_path(api: httpx.AsyncClient) -> None:
    await tell(api, {"method": "POST", "path": "/attributes/", "status": 500})
    assert (await api.get(EXECUTIONS)).status_code == 200
    assert (await api.get(ATTRIBUTES + "/deals")).status_code == 200
    assert (await api.post("/oauth2/token", json=CREDENTIALS)).status_code == 200
    assert (await api.post(ATTRIBUTES + "/deals", json=CONTACT)).status_code == 500


@pytest.mark.parametrize(("applied", "effect"), [(False, 0), (True, 1)])
async def test_an_error_may_hide_that_the_effect_happened(
    rig: Rig, api: httpx.AsyncClient, *, applied: bool, effect: int
) -> None:
    await tell(api, {"status": 502, "applied": applied})
    assert (await api.post(ATTRIBUTES + "/contacts", json=CONTACT)).status_code == 502
    assert len(rig.sandbox.writes) == effect


async def test_a_write_is_kept_with_the_fault_that_its_answer_met(api: httpx.AsyncClient) -> None:
    await tell(api, {"status": 502, "applied": True, "times": 1}, {"slow_ms": 5, "times": 1})
    for _ in range(3):
        await api.post(ATTRIBUTES + "/contacts", json=CONTACT)
    faults = [write["fault"] for write in (await api.get("/_sandbox/state")).json()["writes"]]
    assert (faults[0]["status"], faults[0]["applied"]) == (502, True)
    assert faults[1]["slow_ms"] == 5
    assert faults[2] is None


async def test_faults_are_spent_in_order(api: httpx.AsyncClient) -> None:
    await tell(api, {"status": 429, "times": 2, "retry_after": 3}, {"status": 503, "times": 1})
    answers = [await api.get("/v1/accounts/demo") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [429, 429, 503, 200]
    assert [answer.headers.get("retry-after") for answer in answers] == ["3", "3", None, None]
    assert answers[0].json()["success"] is False


async def test_dice_fall_as_the_seed_says(api: httpx.AsyncClient) -> None:
    rounds = []
    for seed in (7, 7, 8):
        await tell(api, {"status": 500, "probability": 0.5}, seed=seed)
        rounds.append([(await api.get("/v1/accounts/demo")).status_code for _ in range(20)])
    assert rounds[0] == rounds[1] != rounds[2]
    assert set(rounds[0]) == {200, 500}


async def test_body_and_content_type_take_the_place_of_the_answer(api: httpx.AsyncClient) -> None:
    await tell(api, {"body": "<h1>é</h1>", "content_type": "text/html", "times": 1}, {"body": {"success": True}})
    answer = await api.get("/v1/accounts/demo")
    assert (answer.status_code, answer.text) == (200, "<h1>é</h1>")
    assert answer.headers["content-type"] == "text/html"
    assert (await api.get("/v1/accounts/demo")).json() == {"success": True}


async def test_slow_answer_comes_after_the_effect(rig: Rig, api: httpx.AsyncClient) -> None:
    await tell(api, {"path": "/attributes", "slow_ms": 1500})
    with pytest.raises(httpx.ReadTimeout):
        await api.post(ATTRIBUTES + "/contacts", json=CONTACT, timeout=0.5)
    assert len(rig.sandbox.writes) == 1
    assert (await api.get(ATTRIBUTES)).status_code == 200


async def test_redirect_says_where_to(api: httpx.AsyncClient) -> None:
    await tell(api, {"status": 302})
    assert (await api.get("/v1/accounts/demo")).headers["location"] == "/_sandbox/state"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("misbehaviour", {"faults": [{"cut": "sideways"}]}),
        ("misbehaviour", {"faults": [{"cutt": "before"}]}),
        ("misbehaviour", []),
        ("campaigns/c1", {"shape": "round"}),
        ("campaigns/c1", {"executions": {}}),
    ],
)
async def test_mistakes_in_the_control_are_refused(api: httpx.AsyncClient, path: str, body: Any) -> None:
    answer = await api.put(f"/_sandbox/{path}", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


async def test_campaigns_are_put_and_everything_is_reset(api: httpx.AsyncClient) -> None:
    path = "/v1/accounts/demo/dripcampaigns/c2/executions"
    await api.put("/_sandbox/campaigns/c2", json={"executions": [{"id": "1"}], "shape": "object"})
    assert (await api.get(path)).json() == {"success": True, "data": {"id": "1"}}
    await api.post(ATTRIBUTES + "/contacts", json=CONTACT)
    await tell(api, {"status": 500})
    assert (await api.delete("/_sandbox/state")).status_code == 200
    assert (await api.get("/_sandbox/state")).json() == {"calls": {}, "contacts": {}, "writes": []}
    assert (await api.get(path)).status_code == 404
    assert (await api.get(f"/v1/accounts/demo/dripcampaigns/{DEMO_CAMPAIGN}/executions")).status_code == 200
