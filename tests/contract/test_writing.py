"""What Sluice assumes of its two writes; and what `POST …/attributes/contacts` really does, which nobody knows."""

from typing import Any

import httpx

from tests.contract.conftest import Learned


async def contacts(api: httpx.AsyncClient, number: str) -> list[dict[str, Any]]:
    """The contacts of this number, as Sakari has them now."""
    found = (await api.get("/contacts", params={"mobile": number.removeprefix("+")})).json().get("data") or []
    return [each for each in found if number.removeprefix("+") in str(each.get("mobile"))]


async def test_a_contact_is_created_or_merged_by_its_number(
    api: httpx.AsyncClient, contact: str, mark: str, learned: Learned
) -> None:
    for name in (mark, mark + "-again"):
        answer = await api.post(
            "/contacts", params={"mergeStrategy": "append"}, json={"mobile": {"number": contact}, "lastName": name}
        )
        assert answer.status_code == 201
        assert not (isinstance(answer.json()["data"], dict) and answer.json()["data"].get("errors"))
    found = await contacts(api, contact)
    learned(
        "does `append` replace a value that is there", [each.get("lastName") for each in found] == [mark + "-again"]
    )
    assert len(found) == 1, "one number is one contact"


async def test_what_posting_attributes_does(api: httpx.AsyncClient, contact: str, mark: str, learned: Learned) -> None:
    before = (await api.get("/attributes/contacts")).json()["data"]
    answer = await api.post("/attributes/contacts", json={"mobile": {"number": contact}, "firstName": mark})
    changed = any(each.get("firstName") == mark for each in await contacts(api, contact))
    after = (await api.get("/attributes/contacts")).json()["data"]
    learned("what POST …/attributes/contacts answers", f"HTTP {answer.status_code}")
    learned("does POST …/attributes/contacts change the contact", changed)
    learned("does POST …/attributes/contacts make attribute definitions", len(after) - len(before))
    assert answer.status_code < 500
