"""Everything odd that the documents show or public code has met, asked of the sandbox, and what Sluice makes of it."""

from typing import Any

import msgspec
import pytest

from service.actions import ACTIONS
from service.errors import Permanent, Retryable, StepError
from service.sandbox.state import Campaign, Fault, Shape
from tests.sakari.rig import EMAIL, PHONE, Rig, all_text

FETCH = ACTIONS["fetch_executions"]
LOOK = FETCH.args(campaign="c1")
EXECUTIONS: list[dict[str, Any]] = [{"id": "e0", "status": "active", "contact": {"hubspot": {"id": 7}}}, {"id": "e1"}]


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ("list", ["e0", "e1"]),
        ("object", ["e0"]),  # as the page of the endpoint shows it
        ("null", []),
        ("list_without_pagination", ["e0", "e1"]),
        ("hasnext_lies", ["e0", "e1"]),
        ("offset_ignored", ["e0", "e1"]),
        ("totalcount", ["e0", "e1"]),
    ],
)
async def test_every_shape_of_a_page_is_read(rig: Rig, shape: Shape, found: list[str]) -> None:
    rig.campaign(Campaign(EXECUTIONS, shape))
    assert [each["id"] for each in (await FETCH.run(LOOK, rig.sakari)).value["all"]] == found


@pytest.mark.parametrize("ident", [7, "7"])
async def test_ids_are_numbers_or_texts(rig: Rig, ident: Any) -> None:
    rig.campaign(Campaign([{"id": ident, "contact": {"id": ident, "hubspot": {"vid": ident}}}]))
    for who in ({"execution": 7}, {"sakari": "7"}, {"hubspot": 7}):
        args = msgspec.convert({"campaign": "c1", "contact": who}, FETCH.args)
        assert (await FETCH.run(args, rig.sakari)).value["count"] == 1


HTML = "<html><body>502 Bad Gateway</body></html>"
REFUSED = {"success": False, "error": {"code": "CONT-001", "message": f"Invalid mobile number {PHONE}"}}
DESCRIBED = {"success": False, "error": {"code": "CONT-010", "description": f"{EMAIL} wants no more"}}


@pytest.mark.parametrize(
    ("fault", "kind", "reason", "answer"),
    [
        (Fault(path="/v1/", status=400, body=REFUSED), Permanent, "sakari_CONT-001", REFUSED),
        (Fault(path="/v1/", status=200, body=REFUSED), Permanent, "sakari_CONT-001", REFUSED),
        (Fault(path="/v1/", status=400, body=DESCRIBED), Permanent, "opted_out", DESCRIBED),
        (Fault(path="/v1/", status=400, body={"error": "no"}), Permanent, "http_400", {"error": "no"}),
        (Fault(path="/v1/", status=502, body=HTML, content_type="text/html"), Retryable, "unavailable", HTML),
        (Fault(path="/v1/", status=200, body=HTML, content_type="text/html"), Retryable, "unreadable_answer", HTML),
        (Fault(path="/v1/", status=404, body=HTML * 500), Permanent, "http_404", (HTML * 500)[:4096]),
        (Fault(path="/v1/", status=400, body=""), Permanent, "http_400", ""),
    ],
)
async def test_a_refusal_is_explained_and_gives_the_answer_along(
    rig: Rig, fault: Fault, kind: type[StepError], reason: str, answer: Any
) -> None:
    rig.faults(fault)
    with pytest.raises(kind) as caught:
        await FETCH.run(LOOK, rig.sakari)
    assert (caught.value.reason, caught.value.answer) == (reason, answer)
    assert PHONE not in all_text(caught.value)
    assert EMAIL not in all_text(caught.value)


async def test_a_refused_row_of_a_201_gives_the_answer_along(rig: Rig) -> None:
    with pytest.raises(Permanent) as caught:
        await rig.sakari.upsert_contact({"mobile": {"number": "1"}}, "append")
    assert caught.value.reason == "row_refused"
    assert caught.value.answer["data"]["errors"] == [{"code": "CONT-001", "description": "Invalid mobile number"}]


async def test_a_token_without_expires_in_serves_for_as_long_as_it_says_itself(rig: Rig) -> None:
    token = await rig.tokens.get()
    assert 3500 < token.expires_at / 1000 - rig.tokens.clock() <= 3600
