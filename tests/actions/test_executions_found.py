"""`fetch_executions`: whose executions count, and which is the latest."""

from typing import Any

import msgspec
import pytest

from service.actions import ACTIONS
from service.errors import Permanent
from service.sandbox.sample import DEMO_CAMPAIGN
from service.sandbox.state import Campaign
from tests.sakari.rig import Rig

FETCH = ACTIONS["fetch_executions"]


def args(campaign: str = "c1", **more: Any) -> Any:
    return msgspec.convert({"campaign": campaign, **more}, FETCH.args)


async def fetched(rig: Rig, rows: list[Any], **more: Any) -> Any:
    rig.campaign(Campaign(rows))
    return (await FETCH.run(args(**more), rig.sakari)).value


def execution(ident: str, entered: Any = "2026-01-01T00:00:00Z", **contact: Any) -> dict[str, Any]:
    return {"id": ident, "status": "active", "entered": entered, "contact": contact}


async def test_sample_contact_is_found_on_the_second_page(rig: Rig) -> None:
    value = (await FETCH.run(args(DEMO_CAMPAIGN, contact={"hubspot": "267448860001"}), rig.sakari)).value
    assert (value["found"], value["count"], value["latest"]["status"]) == (True, 1, "completed")
    assert value["all"] == [value["latest"]]
    assert value["latest"]["contact"]["hubspot"] == {"id": 267448860001}
    assert set(value["latest"]) == {"id", "status", "entered", "contact"}


async def test_without_a_contact_everybody_is_found(rig: Rig) -> None:
    value = (await FETCH.run(args(DEMO_CAMPAIGN, version="v1"), rig.sakari)).value
    assert (value["found"], value["count"], len(value["all"])) == (True, 69, 69)


async def test_nobody_found(rig: Rig) -> None:
    for rows in ([], [execution("1", hubspot={"id": 1})]):
        value = await fetched(rig, rows, contact={"hubspot": 2})
        assert value == {"found": False, "count": 0, "latest": None, "all": []}


MATCHES: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"hubspot": "7"}, {"hubspot": {"id": 7}}, True),
    ({"hubspot": 7}, {"hubspot": {"id": "7"}}, True),
    ({"hubspot": 7}, {"hubspot": {"vid": "7", "id": "8"}}, True),
    ({"hubspot": 7}, {"hubspot": {"id": 77}}, False),
    ({"hubspot": 7}, {"pipedrive": {"id": 7}}, False),
    ({"hubspot": 7}, {"hubspot": {}}, False),
    ({"hubspot": 7}, {"hubspot": None}, False),
    ({"pipedrive": 8}, {"pipedrive": {"id": 8}}, True),
    ({"sakari": "65f0"}, {"id": "65f0"}, True),
    ({"email": "Chris@Example.com"}, {"email": "chris@example.COM "}, True),
    ({"mobile": "+1 202-555-0155"}, {"mobile": {"number": "12025550155"}}, True),
    ({"mobile": "0012025550155"}, {"mobile": {"number": "+12025550155", "country": 1}}, True),
    ({"mobile": "+12025550155"}, {"mobile": "+1 (202) 555 0155"}, True),
    ({"mobile": "+12025550155"}, {"mobile": {"number": 12025550155}}, True),
    ({"mobile": "+12025550155"}, {"mobile": {"number": "2025550155", "country": "US"}}, True),
    ({"mobile": "+12025550155"}, {"mobile": {"number": "2025550155", "country": "NO"}}, False),
    ({"mobile": "2025550155"}, {"mobile": {"number": "(202) 555-0155", "country": "US"}}, True),
    ({"execution": "1"}, {}, True),
    ({"execution": "2"}, {"id": "2"}, False),
    ({"mobile": "+12025550155"}, {"mobile": {}}, False),
    # any identity that both sides have is enough: Sakari keeps the lowest of duplicate CRM ids
    ({"hubspot": 9, "mobile": "+12025550155"}, {"hubspot": {"id": 7}, "mobile": {"number": "+12025550155"}}, True),
    ({"hubspot": 7, "email": ""}, {"email": "", "hubspot": {"id": 6}}, False),
    ({"hubspot": 7, "email": None}, {"hubspot": {"id": 7}}, True),
    ({"hubspot": 0}, {"hubspot": {"id": 0}}, True),
]


@pytest.mark.parametrize(("wanted", "contact", "found"), MATCHES)
async def test_whose_execution_it_is(rig: Rig, wanted: dict[str, Any], contact: dict[str, Any], *, found: bool) -> None:
    value = await fetched(rig, [execution("1", **contact)], contact=wanted)
    assert value["found"] is found


async def test_execution_without_a_contact_belongs_to_nobody(rig: Rig) -> None:
    value = await fetched(rig, [{"id": "1"}, {"id": "2", "contact": "x"}], contact={"hubspot": 1})
    assert value["found"] is False


@pytest.mark.parametrize(
    ("entered", "latest"),
    [
        (["2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z"], "1"),
        (["2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"], "1"),
        (["2026-01-01T12:00:00+02:00", "2026-01-01T11:00:00Z"], "1"),
        (["2026-01-01T12:00:00", "2026-01-01T11:00:00Z"], "0"),
        (["2026-01-01T00:00:00Z", None, "soon", 5], "0"),
        ([None, None], "1"),
    ],
)
async def test_latest_is_the_one_entered_last(rig: Rig, entered: list[Any], latest: str) -> None:
    value = await fetched(rig, [execution(str(place), at) for place, at in enumerate(entered)])
    assert value["latest"]["id"] == latest
    assert [each["entered"] for each in value["all"]] == entered


@pytest.mark.parametrize("contact", [{"email": ""}, {"mobile": "n/a", "hubspot": " "}])
async def test_empty_identities_are_permanent(rig: Rig, contact: dict[str, Any]) -> None:
    with pytest.raises(Permanent) as caught:
        await fetched(rig, [], contact=contact)
    assert caught.value.reason == "no_identity"
    assert rig.sandbox.calls == {}


@pytest.mark.parametrize(
    "with_",
    [
        {},
        {"campaign": ""},
        {"campaign": 5},
        {"campaign": "c", "contact": {}},
        {"campaign": "c", "contact": {"hubspott": 1}},
        {"campaign": "c", "contacts": {"hubspot": 1}},
    ],
)
def test_args_are_checked(with_: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(with_, FETCH.args)
