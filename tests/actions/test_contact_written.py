"""The two writing actions: what they send, what they would touch, and what is left when part is superseded."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.actions import ACTIONS
from service.actions.action import Action
from service.actions.contact import body
from service.errors import Permanent, Uncertain
from service.sandbox.state import Fault
from tests.sakari.rig import EMAIL, PHONE, Rig, all_text

UPDATE, UPSERT = ACTIONS["update_attributes"], ACTIONS["upsert_contact"]

EVERYTHING: dict[str, Any] = {
    "email": "chris@example.com",
    "firstName": "Chris",
    "lastName": "Bloggs",
    "mobile": {
        "country": "US",
        "number": "+12025550155",
        "verified": "2023-11-07T05:31:56Z",
        "valid": True,
        "lineType": "mobile",
    },
    "lists": [
        {
            "name": "Nurture",
            "source": {"id": "1", "integration": "hubspot", "lastSynced": "2023-11-07"},
            "keyword": "JOIN",
            "doubleOptIn": {"enabled": True, "prompt": "Sure?"},
            "filter": {
                "q": "a",
                "attributes": [{"attribute": "tier", "comparator": "eq", "value": ["gold"]}],
                "list": "other",
                "valid": True,
                "invalid": False,
                "blocked": False,
                "unblocked": True,
                "optIn": True,
            },
            "optInConfirmation": "Welcome",
            "optIn": "2023-11-07T05:31:56Z",
            "optOut": "2023-11-07T05:31:56Z",
        }
    ],
    "attributes": {"tier": "gold", "visits": 3, "nested": {"a": [1, None]}},
    "optIn": "2023-11-07T05:31:56Z",
    "blocked": "2023-11-07T05:31:56Z",
    "activecampaign": {"id": 123},
    "hubspot": {"id": 123},
    "pipedrive": {"id": 123},
    "error": {"code": "CONT-010", "description": "Contact has requested no further communication"},
}


def update(contact: dict[str, Any], kind: str = "contacts", **more: str) -> Any:
    return msgspec.convert({"type": kind, "contact": contact, **more}, UPDATE.args)


def upsert(contact: dict[str, Any], **more: str) -> Any:
    return msgspec.convert({"contact": contact, **more}, UPSERT.args)


async def test_documented_contact_is_sent_as_it_is(rig: Rig) -> None:
    result = await UPDATE.run(update(EVERYTHING), rig.sakari)
    assert rig.sandbox.writes[0].body == EVERYTHING
    assert result.answer == {"success": True, "data": {"amount": 123, "below": 123}}
    await UPSERT.run(upsert(EVERYTHING, merge_strategy="remove"), rig.sakari)
    assert rig.sandbox.writes[1].body == EVERYTHING
    assert rig.sandbox.writes[1].merge_strategy == "remove"


async def test_absent_fields_are_not_sent(rig: Rig) -> None:
    await UPDATE.run(update({"hubspot": {"id": 1}, "attributes": {"state": None}}, "tickets"), rig.sakari)
    assert rig.sandbox.writes[0].endpoint == "attributes/tickets"
    assert rig.sandbox.writes[0].body == {"hubspot": {"id": 1}, "attributes": {"state": None}}


@pytest.mark.parametrize(
    ("given_id", "sent"),
    [
        ("267448860001", 267448860001),
        (5, 5),
        ("0", 0),
        ("007", "007"),
        ("12a", "12a"),
        ("٣", "٣"),
        ("9223372036854775807", 9223372036854775807),
        ("9223372036854775808", "9223372036854775808"),
    ],
)
def test_ids_of_digits_become_the_documented_numbers(given_id: Any, sent: Any) -> None:
    assert body(update({"pipedrive": {"id": given_id}}).contact) == {"pipedrive": {"id": sent}}


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"firstname": "x"}, "firstname"),
    ({"hubspot": {"vid": 1}}, "vid"),
    ({"hubspot": 1}, "hubspot"),
    ({"mobile": "+12025550155"}, "mobile"),
    ({"mobile": {"number": 12025550155}}, "mobile.number"),
    ({"mobile": {"phone": "1"}}, "phone"),
    ({"optIn": True}, "optIn"),
    ({"optIn": "2023-11-07T05:31:56"}, "optIn"),
    ({"lists": [{"id": "1"}]}, "id"),
    ({"attributes": []}, "attributes"),
]


@pytest.mark.parametrize(("contact", "named"), MISTAKES)
@pytest.mark.parametrize("make", [update, upsert])
def test_a_typo_is_refused_before_it_is_sent(make: Any, contact: dict[str, Any], named: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=named):
        make(contact)


@pytest.mark.parametrize(
    "with_", [{"type": "people", "contact": {}}, {"contact": {}}, {"type": "deals", "contact": {}, "campaign": "x"}]
)
def test_args_of_update_are_checked(with_: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(with_, UPDATE.args)


def test_merge_strategy_is_one_of_three() -> None:
    assert upsert({}).merge_strategy == "append"
    with pytest.raises(msgspec.ValidationError):
        upsert({}, merge_strategy="replace")


NOBODY: list[dict[str, Any]] = [
    {},
    {"firstName": "x"},
    {"email": " "},
    {"mobile": {"country": "US"}},
    {"mobile": {"number": "n/a"}},
    {"hubspot": {"id": ""}},
]


@pytest.mark.parametrize("contact", NOBODY)
async def test_nobody_is_never_written(rig: Rig, contact: dict[str, Any]) -> None:
    with pytest.raises(Permanent) as caught:
        await UPDATE.run(update(contact), rig.sakari)
    assert caught.value.reason == "no_identity"
    with pytest.raises(Permanent) as caught:
        await UPSERT.run(upsert({**contact, "hubspot": {"id": 5}}), rig.sakari)
    assert caught.value.reason == "no_mobile"
    assert rig.sandbox.calls == {}
    for prepare in (UPDATE.target, lambda args: UPDATE.only and UPDATE.only(args, frozenset())):
        assert prepare is not None
        with pytest.raises(Permanent):
            prepare(update(contact))


@pytest.mark.parametrize(
    ("contact", "record"),
    [
        ({"hubspot": {"id": "7"}, "pipedrive": {"id": 8}, "email": "a@b.example"}, "deals/hubspot:7"),
        ({"pipedrive": {"id": 8}, "mobile": {"number": "1"}}, "deals/pipedrive:8"),
        ({"activecampaign": {"id": 9}, "mobile": {"number": "1"}}, "deals/activecampaign:9"),
        ({"mobile": {"number": "+1 (202) 555-0155"}, "email": "a@b.example"}, "deals/mobile:12025550155"),
        ({"email": " A@B.example "}, "deals/email:a@b.example"),
        ({"hubspot": {"id": ""}, "email": "a@b.example"}, "deals/email:a@b.example"),
    ],
)
def test_the_first_identity_names_the_record(contact: dict[str, Any], record: str) -> None:
    assert UPDATE.target is not None
    assert UPDATE.target(update(contact, "deals")).record == record


def test_upsert_is_named_by_its_mobile_number_alone() -> None:
    assert UPSERT.target is not None
    target = UPSERT.target(upsert({"hubspot": {"id": 7}, "mobile": {"number": "0012025550155"}, "lists": []}))
    assert target.record == "contacts/mobile:12025550155"
    assert set(target.attributes) == {"hubspot", "lists"}


def test_a_contact_that_only_names_itself_is_still_written() -> None:
    """A target without attributes would read as "nothing left to write"."""
    assert UPSERT.target is not None
    assert UPDATE.target is not None
    assert UPSERT.target(upsert({"mobile": {"number": "+12025550155"}})).attributes == ("mobile",)
    assert UPDATE.target(update({"hubspot": {"id": 7}, "attributes": {}})).attributes == ("hubspot",)


def test_everything_but_the_identity_is_an_attribute() -> None:
    assert UPDATE.target is not None
    target = UPDATE.target(update(EVERYTHING))
    assert target.record == "contacts/hubspot:123"
    custom = {"attributes.tier", "attributes.visits", "attributes.nested"}
    assert set(target.attributes) == (set(EVERYTHING) - {"hubspot", "attributes"}) | custom
    assert len(target.attributes) == len(set(target.attributes))


def test_only_keeps_the_identity_and_what_it_is_told() -> None:
    assert UPDATE.only is not None
    reduced = UPDATE.only(update(EVERYTHING), frozenset({"attributes.visits", "firstName", "unheard-of"}))
    assert msgspec.to_builtins(reduced) == {
        "type": "contacts",
        "contact": {"firstName": "Chris", "attributes": {"visits": 3}, "hubspot": {"id": 123}},
    }
    assert UPSERT.only is not None
    reduced = UPSERT.only(upsert({"mobile": {"number": "1"}, "email": "a"}, merge_strategy="core"), frozenset())
    assert msgspec.to_builtins(reduced) == {"contact": {"mobile": {"number": "1"}}, "merge_strategy": "core"}
    assert UPDATE.only(update({"email": "a", "firstName": "x"}), frozenset()).contact.first_name is msgspec.UNSET


@given(st.sets(st.sampled_from(sorted(EVERYTHING))), st.sampled_from([UPDATE, UPSERT]), st.data())
def test_only_reduces_the_target_to_what_was_asked(fields: set[str], action: Action, data: st.DataObject) -> None:
    contact = {"mobile": EVERYTHING["mobile"], **{field: EVERYTHING[field] for field in fields}}
    args = update(contact) if action is UPDATE else upsert(contact)
    assert action.target is not None
    assert action.only is not None
    before = action.target(args)
    kept = data.draw(st.sets(st.sampled_from(before.attributes or ("none",))))
    after = action.target(action.only(args, frozenset(kept)))
    assert after.record == before.record
    identity = before.record.partition("/")[2].partition(":")[0]
    assert set(after.attributes) == (kept & set(before.attributes) or {identity})
    assert action.only(args, frozenset(before.attributes)) == args


@pytest.mark.parametrize(
    ("mobile", "region", "default", "sent"),
    [
        ({"number": "+47 912 34 567"}, "", "", "+4791234567"),
        ({"number": "0047 91234567", "country": "US"}, "SE", "DK", "+4791234567"),
        ({"number": "912 34 567", "country": "no"}, "SE", "DK", "+4791234567"),
        ({"number": "20 12 34 56", "country": "Denmark"}, "DK", "NO", "+4520123456"),
        ({"number": "20 12 34 56"}, "DK", "NO", "+4520123456"),
        ({"number": "20 12 34 56"}, "", "NO", "+4720123456"),
        ({"number": ""}, "", "", ""),
    ],
)
def test_a_number_is_read_by_its_country_then_by_the_rule_then_by_the_default(
    mobile: dict[str, str], region: str, default: str, sent: str
) -> None:
    contact = {"hubspot": {"id": 7}, "mobile": mobile}
    for action, args in ((UPDATE, update(contact, region=region)), (UPSERT, upsert(contact, region=region))):
        assert action.prepare is not None
        assert action.prepare(args, default).contact.mobile.number == sent


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("2025550177", "no country code, and nothing says which country it is of; write it with `+`"),
        ("+1202555017", "too short for its country"),
        ("+12025550177 ext. 9", "it has an extension"),
        ("+999 2025550177", "its country code does not exist"),
        ("ask Chris", "there is no number in it"),
    ],
)
def test_an_impossible_number_is_refused_with_the_reason_and_without_the_number(number: str, why: str) -> None:
    assert UPSERT.prepare is not None
    with pytest.raises(Permanent) as caught:
        UPSERT.prepare(upsert({"mobile": {"number": number}}), "")
    assert caught.value.reason == "bad_phone"
    assert str(caught.value).startswith("contact.mobile.number is not a possible phone number: ")
    assert why in str(caught.value)
    assert number not in all_text(caught.value)


def test_the_same_number_is_the_same_record_however_it_is_written() -> None:
    records = set()
    for mobile in (
        {"number": "+47 912 34 567"},
        {"number": "91234567", "country": "NO"},
        {"number": "0047 91-23-45-67"},
    ):
        assert UPSERT.prepare is not None
        assert UPSERT.target is not None
        records.add(UPSERT.target(UPSERT.prepare(upsert({"mobile": mobile}), "")).record)
    assert records == {"contacts/mobile:4791234567"}


async def test_errors_of_a_write_show_nobody(rig: Rig) -> None:
    contact = {"mobile": {"number": PHONE}, "email": EMAIL, "firstName": "Chris"}
    for fault in (
        Fault(path="/v1/", cut="after"),
        Fault(path="/v1/", status=400, body={"error": {"code": "CONT-001", "message": f"{PHONE} {EMAIL}"}}),
    ):
        rig.faults(fault)
        with pytest.raises((Permanent, Uncertain)) as caught:
            await UPDATE.run(update(contact), rig.sakari)
        assert PHONE not in all_text(caught.value)
        assert EMAIL not in all_text(caught.value)
