"""The sandbox allows what the two API documents give, and refuses the rest."""

from typing import Any

import httpx
import pytest

from service.sandbox.sample import DEMO_CAMPAIGN
from tests.actions.test_contact_written import EVERYTHING
from tests.sakari.rig import Rig
from tests.sandbox.conftest import CREDENTIALS

EXECUTIONS = f"/v1/accounts/demo/dripcampaigns/{DEMO_CAMPAIGN}/executions"
ATTRIBUTES = "/v1/accounts/demo/attributes"
CONTACTS = "/v1/accounts/demo/contacts"


@pytest.mark.parametrize(
    ("request_", "status", "error"),
    [
        ({"json": {**CREDENTIALS, "client_secret": "x"}}, 401, "invalid_client"),
        ({"json": {**CREDENTIALS, "client_id": "x"}}, 401, "invalid_client"),
        ({"json": {**CREDENTIALS, "grant_type": "password"}}, 400, "invalid_request"),
        ({"json": {**CREDENTIALS, "scope": "all"}}, 400, "invalid_request"),
        ({"json": {}}, 400, "invalid_request"),
        ({"data": CREDENTIALS}, 400, "invalid_request"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, "invalid_request"),
    ],
)
async def test_token_is_given_for_the_documented_request_only(
    api: httpx.AsyncClient, request_: dict[str, Any], status: int, error: str
) -> None:
    answer = await api.post("/oauth2/token", **request_)
    assert (answer.status_code, answer.json()) == (status, {"error": error})


async def test_token_answer_is_the_documented_one(api: httpx.AsyncClient) -> None:
    answer = (await api.post("/oauth2/token", json=CREDENTIALS)).json()
    assert set(answer) == {"access_token", "token_type"}
    assert answer["access_token"].count(".") == 2


@pytest.mark.parametrize("path", ["/v1/accounts/demo", "/v1/accounts/demo/balance", EXECUTIONS, ATTRIBUTES])
@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer nonsense", "Basic abc"])
async def test_no_token_no_answer(api: httpx.AsyncClient, path: str, authorization: str) -> None:
    answer = await api.get(path, headers={"Authorization": authorization})
    assert answer.status_code == 401
    assert answer.json()["success"] is False
    assert (await api.get(path)).status_code == 200


async def test_expired_and_revoked_tokens_are_refused(rig: Rig, api: httpx.AsyncClient) -> None:
    for token in rig.sandbox.tokens:
        rig.sandbox.tokens[token] = 0.0
    assert (await api.get("/v1/accounts/demo")).status_code == 401
    token = (await api.post("/oauth2/token", json=CREDENTIALS)).json()["access_token"]
    api.headers["Authorization"] = f"Bearer {token}"
    assert (await api.get("/v1/accounts/demo")).status_code == 200
    assert (await api.post("/_sandbox/revoke-tokens")).status_code == 200
    assert (await api.get("/v1/accounts/demo")).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/accounts/other", 403),
        ("GET", "/v1/accounts/other/balance", 403),
        ("GET", EXECUTIONS + "?limit=10", 400),
        ("GET", EXECUTIONS + "?offset=-1", 400),
        ("GET", EXECUTIONS + "?offset=x", 400),
        ("GET", EXECUTIONS + "?offset=", 400),
        ("GET", EXECUTIONS + "?offset=1&offset=2", 400),
        ("GET", EXECUTIONS + "?offset=%D9%A3", 400),
        ("GET", EXECUTIONS + "?offset=3&versionId=v", 200),
        ("GET", "/v1/accounts/demo/dripcampaigns/nope/executions", 404),
        ("GET", "/v1/accounts/demo/elsewhere", 404),
        ("DELETE", EXECUTIONS, 405),
        ("GET", ATTRIBUTES + "/people", 400),
        ("GET", ATTRIBUTES + "/tickets", 200),
        ("PUT", "/_sandbox/nothing", 404),
    ],
)
async def test_what_is_not_documented_is_refused(api: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    answer = await api.request(method, path)
    assert answer.status_code == status
    assert answer.json()["success"] is (status == 200)


async def test_foreign_account_has_the_published_code(api: httpx.AsyncClient) -> None:
    assert (await api.get("/v1/accounts/other")).json()["error"]["code"] == "ACCT-016"


async def test_the_whole_documented_contact_is_taken(rig: Rig, api: httpx.AsyncClient) -> None:
    answer = await api.post(ATTRIBUTES + "/contacts", json=EVERYTHING)
    assert (answer.status_code, answer.json()) == (200, {"success": True, "data": {"amount": 123, "below": 123}})
    assert (await api.post(CONTACTS, json=EVERYTHING)).status_code == 201
    assert [write.body for write in rig.sandbox.writes] == [EVERYTHING, EVERYTHING]


WRONG: list[tuple[Any, str]] = [
    ({"firstname": "x"}, "firstname"),
    ({"id": "65f0"}, "id"),
    ({"valid": True}, "valid"),
    ({"mobile": "+12025550155"}, "$.mobile"),
    ({"mobile": {"number": 1}}, "$.mobile.number"),
    ({"hubspot": {"id": "7"}}, "$.hubspot.id"),
    ({"hubspot": {"vid": 7}}, "$.hubspot"),
    ({"optIn": True}, "$.optIn"),
    ({"optIn": "yesterday"}, "$.optIn"),
    ({"optIn": "2023-11-07T05:31:56"}, "$.optIn"),
    ({"blocked": None}, "left out"),
    ({"lists": [{"name": "a"}, {"id": "1"}]}, "$.lists[1]"),
    ({"attributes": []}, "$.attributes"),
    ([], "array"),
]


@pytest.mark.parametrize(("contact", "named"), WRONG)
@pytest.mark.parametrize("path", [ATTRIBUTES + "/deals", CONTACTS])
async def test_a_contact_that_is_not_documented_is_refused_by_name(
    rig: Rig, api: httpx.AsyncClient, path: str, contact: Any, named: str
) -> None:
    answer = await api.post(path, json=contact)
    assert answer.status_code == 400
    assert named in answer.json()["error"]["message"]
    assert (answer.json()["error"].get("code") == "CONT-001") is named.startswith("$.mobile")
    assert rig.sandbox.writes == []


@pytest.mark.parametrize("path", [ATTRIBUTES + "/deals", CONTACTS])
async def test_body_must_be_json_and_said_to_be(api: httpx.AsyncClient, path: str) -> None:
    assert (await api.post(path, content=b"{}", headers={"Content-Type": "text/plain"})).status_code == 415
    assert (await api.post(path, content=b"{}")).status_code == 415
    assert (await api.post(path, content=b"{", headers={"Content-Type": "application/json"})).status_code == 400


@pytest.mark.parametrize(
    "path", [ATTRIBUTES + "/people", ATTRIBUTES + "/deals?force=1", CONTACTS + "?mergeStrategy=all", CONTACTS + "?a=1"]
)
async def test_writes_take_documented_parameters_only(api: httpx.AsyncClient, path: str) -> None:
    assert (await api.post(path, json={"mobile": {"number": "+12025550155"}})).status_code == 400


async def test_contact_without_a_number_is_a_refused_row(rig: Rig, api: httpx.AsyncClient) -> None:
    answer = await api.post(CONTACTS, json={"firstName": "x"})
    assert answer.status_code == 201
    assert answer.json()["data"]["errors"][0]["code"] == "CONT-001"
    assert rig.sandbox.writes == []


async def test_writes_are_merged_by_record_and_kept_in_order(api: httpx.AsyncClient) -> None:
    for contact in (
        {"hubspot": {"id": 7}, "firstName": "A", "attributes": {"a": 1}},
        {"hubspot": {"id": 7}, "lastName": "B", "attributes": {"b": 2}},
        {"pipedrive": {"id": 8}},
        {"activecampaign": {"id": 9}},
        {"mobile": {"number": "+1 202 555 0155"}},
        {"email": "A@B.example"},
        {},
    ):
        assert (await api.post(ATTRIBUTES + "/contacts", json=contact)).status_code == 200
    state = (await api.get("/_sandbox/state")).json()
    merged = {"hubspot": {"id": 7}, "firstName": "A", "lastName": "B", "attributes": {"a": 1, "b": 2}}
    assert state["contacts"]["contacts/hubspot:7"] == merged
    assert [write["record"].partition("/")[2] for write in state["writes"]] == [
        "hubspot:7",
        "hubspot:7",
        "pipedrive:8",
        "activecampaign:9",
        "mobile:12025550155",
        "email:a@b.example",
        "nobody",
    ]
    assert {write["subject"] for write in state["writes"]} == {"sandbox-client"}
    assert state["calls"]["POST /v1/accounts/*/attributes/contacts"] == {"200": 7}
    definitions = (await api.get(ATTRIBUTES)).json()["data"]
    assert [each["name"] for each in definitions] == ["a", "b"]
    assert (await api.get(ATTRIBUTES + "/deals")).json()["data"] == []


async def test_upsert_merges_by_mobile_number(api: httpx.AsyncClient) -> None:
    for number, name in (("+12025550155", "A"), ("1 202 555 0155", "B")):
        answer = await api.post(
            f"{CONTACTS}?mergeStrategy=core", json={"mobile": {"number": number}, "firstName": name}
        )
    assert answer.json()["data"][0]["firstName"] == "B"
    state = (await api.get("/_sandbox/state")).json()
    assert list(state["contacts"]) == ["contacts/mobile:12025550155"]
    assert [write["merge_strategy"] for write in state["writes"]] == ["core", "core"]


@pytest.mark.parametrize(
    ("shape", "answer"),
    [
        ("list", {"pagination": {"limit": 2, "offset": 2, "hasNext": False}, "data": [{"id": "c"}]}),
        ("object", {"data": {"id": "c"}}),
        ("null", {"data": None}),
        ("list_without_pagination", {"data": [{"id": "c"}]}),
        ("hasnext_lies", {"pagination": {"limit": 2, "offset": 2, "hasNext": True}, "data": [{"id": "c"}]}),
        (
            "offset_ignored",
            {"pagination": {"limit": 2, "offset": 2, "hasNext": True}, "data": [{"id": "a"}, {"id": "b"}]},
        ),
        ("totalcount", {"pagination": {"limit": 2, "offset": 2, "totalCount": 3}, "data": [{"id": "c"}]}),
    ],
)
async def test_a_campaign_has_the_shape_it_was_given(api: httpx.AsyncClient, shape: str, answer: Any) -> None:
    campaign = {"executions": [{"id": "a"}, {"id": "b"}, {"id": "c"}], "shape": shape, "page_size": 2}
    await api.put("/_sandbox/campaigns/c1", json=campaign)
    path = "/v1/accounts/demo/dripcampaigns/c1/executions?offset=2"
    assert (await api.get(path)).json() == {"success": True, **answer}
