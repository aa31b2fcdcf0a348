import json
from typing import Any

import pytest

from service.sources.pipedrive import refresh
from tests.sources.deliveries import (
    NOW,
    PIPEDRIVE,
    normalise_bytes,
    pipedrive,
    pipedrive_v1,
    the_event,
    the_misfit,
)


@pytest.mark.parametrize(
    ("action", "verb"),
    [
        ("create", "created"),
        ("added", "created"),
        ("change", "updated"),
        ("updated", "updated"),
        ("delete", "deleted"),
        ("deleted", "deleted"),
        ("merged", "merged"),
        ("archive", "archive"),
    ],
)
def test_actions_become_our_verbs_or_stay_their_own(action: str, verb: str) -> None:
    assert the_event(PIPEDRIVE, pipedrive(action, data={"id": 77})).type == f"deal.{verb}"
    assert the_event(PIPEDRIVE, pipedrive_v1(action, "activityType", current={})).type == f"activityType.{verb}"


def test_change_tells_what_it_was_before() -> None:
    event = the_event(
        PIPEDRIVE, pipedrive(data={"id": 77, "stage_id": 3, "title": "x"}, previous={"stage_id": 2, "title": "x"})
    )
    assert event.values["deal.stage_id"] == 3
    assert event.before == {"deal.stage_id": 2, "deal.title": "x"}
    assert event.changed == ("deal.stage_id",)


def test_field_that_is_gone_has_changed() -> None:
    assert the_event(PIPEDRIVE, pipedrive(data={}, previous={"label": 5})).changed == ("deal.label",)


@pytest.mark.parametrize(
    ("previous", "data", "changed"),
    [
        (None, {"value": "14:30", "zone": None}, ("deal.due", "deal.due.value", "deal.due.zone")),
        ({"value": "14:30", "zone": None}, None, ("deal.due", "deal.due.value", "deal.due.zone")),
        ({"value": "14:30", "zone": 1}, {"value": "15:00", "zone": 1}, ("deal.due.value",)),
        ({"value": "14:30"}, {"value": "14:30", "zone": 1}, ()),
    ],
)
def test_object_that_comes_or_goes_changes_its_parts(previous: Any, data: Any, changed: tuple[str, ...]) -> None:
    assert the_event(PIPEDRIVE, pipedrive(data={"due": data}, previous={"due": previous})).changed == changed


def test_deletion_has_the_last_state() -> None:
    event = the_event(PIPEDRIVE, pipedrive("delete", previous={"id": 77, "title": "x"}, merged_to_id="78"))
    assert event.values["deal.title"] == "x"
    assert event.values["deal.merged_to_id"] == "78"
    assert (event.type, event.before, event.changed) == ("deal.deleted", {}, ())


@pytest.mark.parametrize("merged", ["78", 78, ["78"]])
def test_change_with_merged_from_id_is_a_merge(merged: Any) -> None:
    event = the_event(PIPEDRIVE, pipedrive(data={"title": "y"}, previous={"title": "x"}, merged_from_id=merged))
    assert (event.type, event.changed) == ("deal.merged", ("deal.title",))
    assert event.values["deal.merged_ids"] == ["78"]


def test_user_who_is_no_longer_active_is_deleted() -> None:
    gone = pipedrive(entity="user", data={"active_flag": False}, previous={"active_flag": True})
    event = the_event(PIPEDRIVE, gone)
    assert (event.type, event.changed, event.before) == ("user.deleted", (), {"user.active_flag": True})
    back = pipedrive(entity="user", data={"active_flag": True}, previous={"active_flag": False})
    assert the_event(PIPEDRIVE, back).type == "user.updated"
    inactive = pipedrive(entity="user", data={"active_flag": False, "name": "x"}, previous={"name": "y"})
    assert the_event(PIPEDRIVE, inactive).type == "user.updated"


@pytest.mark.parametrize(
    ("timestamp", "occurred_at"),
    [
        ("2026-11-22T09:20:00.089Z", 1_795_339_200_089),
        ("2026-11-22T09:20:00Z", 1_795_339_200_000),
        ("2026-11-22T11:20:00.0895+02:00", 1_795_339_200_089),
        ("2026-11-22 09:20:00", 1_795_339_200_000),
        (1_795_339_200, 1_795_339_200_000),
        ("1795339200", 1_795_339_200_000),
    ],
)
def test_timestamp_may_be_iso_or_seconds(timestamp: Any, occurred_at: int) -> None:
    assert the_event(PIPEDRIVE, pipedrive(timestamp=timestamp)).occurred_at == occurred_at


@pytest.mark.parametrize(
    "timestamp", [None, "", "yesterday", "1969-12-31T23:59:59Z", -5, 2**60, 1.5, True, "9" * 30, "2026-13-01", {}]
)
def test_other_timestamps_are_misfits(timestamp: Any) -> None:
    assert the_misfit(PIPEDRIVE, pipedrive(timestamp=timestamp)).startswith("meta.timestamp: ")


@pytest.mark.parametrize(("attempt", "counted"), [(1, 0), (4, 3), (0, 0), (..., 0), ("2", 0)])
def test_attempts_are_counted_from_one_in_v2(attempt: Any, counted: int) -> None:
    event = the_event(PIPEDRIVE, pipedrive(attempt=attempt))
    assert event.attempt == counted
    assert ("pipedrive.attempt" in event.values) == (attempt == "2")


@pytest.mark.parametrize(
    ("meta", "origin", "actor"),
    [
        ({}, "user", "user:13310001"),
        ({"change_source": "api"}, "app", "user:13310001"),
        ({"change_source": ..., "user_id": ...}, "system", ""),
        ({"pipedrive_service_name": "Import", "user_id": 5}, "import", "user:5"),
    ],
)
def test_origin_and_actor(meta: dict[str, Any], origin: str, actor: str) -> None:
    for payload in (pipedrive(**meta), pipedrive_v1(current={}, **meta)):
        event = the_event(PIPEDRIVE, payload)
        assert (event.origin, event.actor) == (origin, actor)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ([], "body: expected an object"),
        ({}, "meta: missing"),
        ({"meta": 5}, "meta: expected an object"),
        (pipedrive(data=[]), "data: expected an object"),
        (pipedrive(previous=5), "previous: expected an object"),
        (pipedrive(entity_id=...), "meta.entity_id: missing"),
        (pipedrive(entity_id="a/b"), "meta.entity_id: expected"),
        (pipedrive(company_id=None), "meta.company_id: missing"),
        (pipedrive("a/b"), "meta.action: expected"),
        (pipedrive(entity=""), "meta.entity: expected"),
        (pipedrive(merged_from_id={"id": 1}), "meta.merged_from_id: expected"),
        (pipedrive_v1(current=5), "current: expected an object"),
        (pipedrive_v1(current={}, id=...), "meta.id: missing"),
        (pipedrive_v1(current={}, timestamp_micro=..., timestamp=...), "meta.timestamp: missing"),
        (pipedrive_v1(current={}, timestamp_micro=-1), "meta.timestamp_micro: expected"),
    ],
)
def test_other_shapes_are_misfits_that_say_where(payload: Any, message: str) -> None:
    assert the_misfit(PIPEDRIVE, payload).startswith(message)


def test_id_of_the_object_is_the_second_choice() -> None:
    assert the_event(PIPEDRIVE, pipedrive(entity_id=..., data={"id": 9})).object_id == "9"
    assert the_event(PIPEDRIVE, pipedrive("delete", entity_id="", previous={"id": 9})).object_id == "9"
    assert the_event(PIPEDRIVE, pipedrive_v1(current={"id": 9}, id=...)).object_id == "9"
    assert the_event(PIPEDRIVE, pipedrive_v1("deleted", previous={"id": 9}, id=None)).object_id == "9"


def test_three_webhooks_tell_one_fact() -> None:
    events = [the_event(PIPEDRIVE, pipedrive(webhook_id=number, attempt=number)) for number in (1, 2, 3)]
    assert len({event.fact_key for event in events}) == 1
    assert len({event.delivery_key for event in events}) == 3


@pytest.mark.parametrize(
    "meta", [{"id": "other"}, {"entity_id": "78"}, {"company_id": "1"}, {"timestamp": "2026-11-22T09:20:01Z"}]
)
def test_other_facts_have_other_keys(meta: dict[str, Any]) -> None:
    assert the_event(PIPEDRIVE, pipedrive(**meta)).fact_key != the_event(PIPEDRIVE, pipedrive()).fact_key


def test_facts_without_an_id_of_their_own_are_told_apart_by_content() -> None:
    def keys(name: str) -> list[str]:
        payloads = (
            pipedrive(entity="user", id="77", data={"name": name}),
            pipedrive(id=..., data={"name": name}),
            pipedrive_v1(timestamp_micro=..., current={"name": name}),
        )
        return [the_event(PIPEDRIVE, payload).fact_key for payload in payloads]

    assert keys("a") == keys("a")
    assert len({*keys("a"), *keys("b")}) == 6


def test_v1_facts_are_told_apart_by_the_microsecond() -> None:
    one = the_event(PIPEDRIVE, pipedrive_v1(current={}))
    other = the_event(PIPEDRIVE, pipedrive_v1(current={}, timestamp_micro=1_795_339_191_962_868))
    assert one.occurred_at == other.occurred_at == 1_795_339_191_962
    assert one.fact_key != other.fact_key


def test_v1_without_microseconds_has_seconds() -> None:
    event = the_event(PIPEDRIVE, pipedrive_v1(current={}, timestamp_micro=...))
    assert event.occurred_at == 1_795_339_191_000


def test_v1_previous_counts_only_where_it_differs() -> None:
    custom = "a" * 40
    event = the_event(
        PIPEDRIVE,
        pipedrive_v1(
            current={"title": "x", custom: 6, f"{custom}_currency": "EUR", "new": 1},
            previous={"title": "x", custom: 7, f"{custom}_currency": "EUR", "old": 1},
        ),
    )
    assert event.before == {f"deal.custom_fields.{custom}": 7, "deal.old": 1}
    assert event.changed == (f"deal.custom_fields.{custom}", "deal.new", "deal.old")


def test_v1_users_come_as_a_list() -> None:
    event = the_event(PIPEDRIVE, pipedrive_v1("updated", "user", current=[{"name": "a"}, {"name": "b"}], previous=[]))
    assert event.values["user.name"] == "a"
    assert event.values["pipedrive.current"] == [{"name": "b"}]


def test_v1_keys_that_disagree_are_both_kept() -> None:
    payload = pipedrive_v1(current={}, matches_filters={"current": [1]})
    event = the_event(PIPEDRIVE, {**payload, "matches_filters": {"current": []}, "retry": 2})
    assert event.values["pipedrive.matches_filters"] == {"current": []}
    assert event.values["pipedrive.meta.matches_filters"] == {"current": [1]}
    assert event.attempt == event.values["pipedrive.retry"] == 2


def test_body_that_is_not_json_is_a_misfit() -> None:
    assert normalise_bytes(PIPEDRIVE, b"<html>").misfits[0].body == b"<html>"


@pytest.mark.parametrize(
    "payload", [pipedrive(), pipedrive(entity="user", timestamp=1_795_339_200), pipedrive_v1(current={})]
)
def test_refreshed_webhook_is_news(payload: dict[str, Any]) -> None:
    fresh = json.loads(refresh(json.dumps(payload).encode(), NOW + 7))
    event = the_event(PIPEDRIVE, fresh)
    assert event.fact_key != the_event(PIPEDRIVE, payload).fact_key
    assert event.object_id == "77"
    assert event.occurred_at in {NOW, NOW + 7}
