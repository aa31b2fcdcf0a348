"""What Sluice assumes of every read. Whatever is merely unknown is learned, not demanded."""

from typing import Any

import httpx
import msgspec

from service.sakari.exchange import Answer
from service.sakari.models import execution
from service.sakari.outcome import code_of
from service.sakari.paging import pages
from service.sakari.token import read_token
from tests.contract.conftest import Learned, Target, credentials

MOST_PAGES = 3


def shape(value: Any) -> str:
    """The form of a JSON value, without what is in it."""
    if isinstance(value, dict):
        return f"object with {', '.join(sorted(value)) or 'nothing'}"
    return f"list of {len(value)}" if isinstance(value, list) else type(value).__name__


def _passed_over(row: dict[str, Any]) -> list[str]:
    """Fields of an execution's contact that have another type than documented."""
    contact = row.get("contact")
    read = execution(row).contact
    if not isinstance(contact, dict) or read is None:
        return ["contact"] if contact is not None else []
    known = {field.encode_name: getattr(read, field.name) for field in msgspec.structs.fields(read)}
    return [name for name, value in contact.items() if value is not None and known.get(name, value) is None]


async def test_a_token_is_given_for_client_credentials_as_json(
    target: Target, stranger: httpx.AsyncClient, learned: Learned
) -> None:
    answer = await stranger.post("/oauth2/token", json=credentials(target))
    token = read_token(Answer(answer.status_code, answer.headers, answer.content), now=0)
    learned("does the token tell expires_in", "expires_in" in answer.json())
    learned("how long a token lives, as Sluice reads it", f"{token.expires_at // 1000} s")
    assert answer.status_code in {200, 201}


async def test_a_wrong_secret_is_refused(target: Target, stranger: httpx.AsyncClient, learned: Learned) -> None:
    answer = await stranger.post("/oauth2/token", json=credentials(target) | {"client_secret": "not-the-secret"})
    learned("what a wrong secret answers", f"HTTP {answer.status_code}")
    assert answer.status_code in {400, 401, 403}


async def test_nothing_is_told_without_a_token(target: Target, stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get(f"/v1/accounts/{target.account.account_id}")
    assert answer.status_code == 401


async def test_the_account_can_be_read(api: httpx.AsyncClient, learned: Learned) -> None:
    answer = await api.get("")
    limits = [name for name in answer.headers if "limit" in name or name == "retry-after"]
    learned("headers that tell of a limit", ", ".join(limits) or "none")
    assert answer.status_code == 200
    assert answer.json()["success"] is True


async def test_executions_are_read_page_by_page(api: httpx.AsyncClient, campaign: str, learned: Learned) -> None:
    seen: list[dict[str, Any]] = []

    async def fetch(offset: int) -> dict[str, Any]:
        answer = await api.get(f"/dripcampaigns/{campaign}/executions", params={"offset": offset})
        assert answer.status_code == 200
        assert answer.json().get("success", True) is True
        seen.append(answer.json())
        return {**answer.json(), "pagination": {"hasNext": False}} if len(seen) >= MOST_PAGES else answer.json()

    found = [each async for page in pages(fetch, most=MOST_PAGES) for each in page]
    first = seen[0]
    learned("what `data` of executions is", shape(first.get("data")))
    learned("what `pagination` of executions is", shape(first.get("pagination")))
    learned(
        "values of an execution's `status`",
        ", ".join(sorted({str(each.raw.get("status")) for each in found})) or "none seen",
    )
    entered = [each.entered for each in found if each.entered]
    order = {"newest first": entered == sorted(entered, reverse=True), "oldest first": entered == sorted(entered)}
    told = [name for name, holds in order.items() if holds] if len(set(entered)) > 1 else ["cannot be told"]
    learned(f"order of the first {len(entered)} executions", " and ".join(told) or "none by `entered`")
    assert all(each.id is not None for each in found), "an execution without an id cannot be known again"


async def test_an_offset_goes_on_where_the_page_before_ended(
    api: httpx.AsyncClient, campaign: str, learned: Learned
) -> None:
    path = f"/dripcampaigns/{campaign}/executions"
    whole = (await api.get(path)).json().get("data")
    if not isinstance(whole, list) or len(whole) < 2:
        learned("is `offset` obeyed", "cannot be told: there are fewer than two executions, or no list")
        return
    rest = (await api.get(path, params={"offset": 1})).json()["data"]
    learned("is `offset` obeyed", rest[0].get("id") == whole[1].get("id"))
    assert rest[0].get("id") in {row.get("id") for row in whole}


async def test_a_contact_in_an_execution_has_the_documented_types(
    api: httpx.AsyncClient, campaign: str, learned: Learned
) -> None:
    data = (await api.get(f"/dripcampaigns/{campaign}/executions")).json().get("data") or []
    rows = [data] if isinstance(data, dict) else data
    contacts = [row.get("contact") or {} for row in rows]
    ids = {
        type(contact[crm].get("id")).__name__
        for contact in contacts
        for crm in ("hubspot", "pipedrive")
        if crm in contact
    }
    learned("type of CRM ids", ", ".join(sorted(ids)) or "none seen")
    odd = {name for row in rows for name in _passed_over(row)}
    learned("fields of other types than documented", ", ".join(sorted(odd)) or "none")


async def test_a_campaign_that_does_not_exist_is_an_error_of_the_caller(
    api: httpx.AsyncClient, learned: Learned
) -> None:
    answer = await api.get("/dripcampaigns/000000000000000000000000/executions")
    content = answer.json()
    learned("what an unknown campaign answers", f"HTTP {answer.status_code}, code {code_of(content)}")
    learned("what an error is", shape(content.get("error")))
    assert 400 <= answer.status_code < 500


async def test_attribute_definitions_can_be_listed(api: httpx.AsyncClient, learned: Learned) -> None:
    answer = await api.get("/attributes/contacts")
    data = answer.json()["data"]
    learned("what an attribute definition is", shape(data[0]) if data else "none seen")
    assert answer.status_code == 200
    assert isinstance(data, list)
