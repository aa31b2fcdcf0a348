"""What the outside may send, and what it gets: every row of the table, over real HTTP."""

import base64
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from service.dev.processes import embedded_redis, free_port
from service.store import dead, journal, keys
from service.store.journal import Journalled
from tests.system.conftest import (
    Installation,
    a_new_id,
    environment,
    hubspot,
    ingress,
    opened,
    pipedrive,
    until,
)


def _basic(user: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def test_a_missing_signature_is_401_and_counted(installation: Installation) -> None:
    before = await installation.metric('sluice_deliveries_total{source="hubspot",verdict="missing_signature"}')
    answer = await installation.deliver("/webhooks/hubspot", [hubspot(a_new_id())], headers={})

    assert answer.status_code == 401
    assert answer.json()["error"] == "missing_signature"
    after = await installation.metric('sluice_deliveries_total{source="hubspot",verdict="missing_signature"}')
    assert after == before + 1


async def test_a_wrong_signature_is_401_before_the_body_is_looked_at(installation: Installation) -> None:
    route = installation.routes["/webhooks/hubspot"]
    proof = route.sign("POST", "/webhooks/hubspot", b"something else", time.time_ns() // 1_000_000)
    for body in (b"[]", b"not json", b"\xff\xfe"):
        assert (await installation.deliver("/webhooks/hubspot", body, headers=proof)).status_code == 401


async def test_a_stale_timestamp_is_401(installation: Installation) -> None:
    route = installation.routes["/webhooks/hubspot"]
    for off_ms, reason in ((-301_000, "stale_timestamp"), (302_000, "future_timestamp")):
        proof = route.sign("POST", "/webhooks/hubspot", b"[]", time.time_ns() // 1_000_000 + off_ms)
        answer = await installation.deliver("/webhooks/hubspot", b"[]", headers=proof)
        assert (answer.status_code, answer.json()["error"]) == (401, reason)


async def test_a_wrong_basic_password_is_401(installation: Installation) -> None:
    answer = await installation.deliver("/webhooks/pipedrive", b"{}", headers=_basic("pipe", "wrong"))
    assert (answer.status_code, answer.json()["error"]) == (401, "wrong_password")


async def test_both_secrets_of_a_rotation_are_valid(installation: Installation) -> None:
    from service.sources.hubspot_signature import sign_v3  # noqa: PLC0415

    url = installation.environ["SLUICE_PUBLIC_URL"] + "/webhooks/hubspot"
    for secret in ("old-secret", "new-secret"):
        proof = sign_v3(secret, "POST", url.encode(), b"[]", time.time_ns() // 1_000_000)
        assert (await installation.deliver("/webhooks/hubspot", b"[]", headers=proof)).status_code == 200


async def test_a_body_over_the_limit_is_413_announced_or_not(installation: Installation) -> None:
    body = b" " * 100_001
    proof = installation.routes["/webhooks/hubspot"].sign(
        "POST", "/webhooks/hubspot", body, time.time_ns() // 1_000_000
    )
    assert (await installation.deliver("/webhooks/hubspot", body, headers=proof)).status_code == 413

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(101):
            yield b" " * 1000

    url = installation.environ["SLUICE_PUBLIC_URL"] + "/webhooks/hubspot"
    assert (await installation.http.post(url, content=chunks(), headers=proof)).status_code == 413
    assert await installation.metric('sluice_deliveries_total{source="hubspot",verdict="body_too_large"}') >= 2


async def test_a_batch_of_a_hundred_within_the_limit_is_taken(installation: Installation) -> None:
    events = [hubspot(a_new_id(), "unheard_of", "x") for _ in range(100)]
    assert await installation.hubspot(*events) == {"accepted": 100, "duplicates": 0}


async def test_an_unknown_source_is_404(installation: Installation) -> None:
    url = installation.environ["SLUICE_PUBLIC_URL"]
    assert (await installation.http.post(url + "/webhooks/salesforce", content=b"{}")).status_code == 404


@pytest.mark.parametrize("body", [b"not json", b"7", b'"text"', b"[[]]", b'{"a":', b"\xff", b"[" * 5000])
async def test_a_verified_body_that_makes_no_sense_is_200_and_a_dead_letter(
    installation: Installation, body: bytes
) -> None:
    answer = await installation.deliver("/webhooks/hubspot", body)

    assert (answer.status_code, answer.json()["accepted"]) == (200, 0)
    letters = [letter for letter in await dead.newest(installation.store, 1000) if letter.kind == "delivery"]
    assert any(letter.body in (body, b"[]") and letter.reason == "malformed" for letter in letters)


async def test_one_misshapen_event_does_not_cost_its_batch(installation: Installation) -> None:
    who = a_new_id()
    broken = {**hubspot(a_new_id()), "occurredAt": "yesterday", "eventId": 424242}
    assert (await installation.hubspot(broken, hubspot(who, "counter", "1")))["accepted"] == 1

    assert (await installation.story(who)).runs["counter"].state == "done"
    letters = await dead.newest(installation.store, 1000)
    assert any(letter.kind == "delivery" and b"424242" in letter.body for letter in letters)


async def test_an_unknown_event_type_is_journalled(installation: Installation) -> None:
    who = a_new_id()
    assert (await installation.hubspot(hubspot(who, subscriptionType="spaceship.landed")))["accepted"] == 1
    story = await installation.story(who)
    assert (story.entry.event.type, story.runs) == ("spaceship.landed", {})


async def test_an_event_that_no_rule_wants_is_journalled(installation: Installation) -> None:
    who = a_new_id()
    before = await installation.metric('sluice_events_total{outcome="accepted",source="hubspot"}')
    await installation.hubspot(hubspot(who, "nobody_cares", "x"))
    assert (await installation.story(who)).runs == {}
    assert await installation.metric('sluice_events_total{outcome="accepted",source="hubspot"}') == before + 1


async def test_a_shadow_rule_is_journalled_counted_and_calls_nothing(installation: Installation) -> None:
    who = a_new_id()
    before = await installation.metric('sluice_planned_total{mode="shadow",rule="in-shadow"}')
    await installation.hubspot(hubspot(who, subscriptionType="contact.creation"))

    story = await installation.story(who)
    assert (story.entry.shadowed, story.runs) == (("in-shadow",), {})
    assert await installation.metric('sluice_planned_total{mode="shadow",rule="in-shadow"}') == before + 1
    assert await installation.writes(f"contacts/hubspot:{who}") == []


async def test_a_rule_that_fails_while_planning_is_200_and_a_dead_letter_that_names_it(
    installation: Installation,
) -> None:
    who = a_new_id()
    counts = await installation.hubspot(hubspot(who, subscriptionType="contact.restore"))

    assert counts == {"accepted": 1, "duplicates": 0}
    story = await installation.story(who)
    assert story.entry.failures[0].rule == "needs-more-than-it-gets"
    letter = next(x for x in await dead.newest(installation.store, 1000) if x.lane.endswith(f"/{who}"))
    assert (letter.kind, letter.rule, letter.reason) == ("rule", "needs-more-than-it-gets", "missing_value")


async def test_an_unsigned_workflow_delivery_needs_the_static_secret(installation: Installation) -> None:
    path, body = "/webhooks/hubspot/workflow", {"hs_object_id": a_new_id(), "portalId": 1, "email": "a@example.com"}
    assert (await installation.deliver(path, body, headers={})).status_code == 401
    assert (await installation.deliver(path, body, headers={"x-sluice-secret": "nope"})).status_code == 401
    answer = await installation.deliver(path, body, headers={"x-sluice-secret": "workflow-secret"})
    assert answer.json() == {"accepted": 1, "duplicates": 0}
    url = installation.environ["SLUICE_PUBLIC_URL"] + path + "?secret=workflow-secret"
    answer = await installation.http.post(url, content=msgspec.json.encode(body))
    assert answer.json() == {"accepted": 0, "duplicates": 1}


@pytest.fixture
async def lonely(tmp_path: Path) -> AsyncIterator[Installation]:
    port = free_port()
    (tmp_path / "redis").mkdir()
    environ = environment(f"redis://127.0.0.1:{port}/0", tmp_path)
    async with ingress(environ, tmp_path), opened(environ) as installation:
        yield installation


def _redis_of(installation: Installation) -> tuple[Path, int]:
    folder = Path(installation.environ["SLUICE_SPILL_DIR"]).parent / "redis"
    return folder, int(installation.environ["SLUICE_REDIS_URL"].rpartition(":")[2].removesuffix("/0"))


async def test_redis_down_is_503_for_hubspot_and_the_spill_file_for_pipedrive(lonely: Installation) -> None:
    folder, port = _redis_of(lonely)
    who = a_new_id()
    assert (await lonely.deliver("/webhooks/hubspot", [hubspot(who)])).status_code == 503
    answer = await lonely.deliver("/webhooks/pipedrive", pipedrive(who, "Ada"))
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "duplicates": 0})
    ready = await lonely.get("/readyz")
    assert (ready.json()["redis"], ready.json()["spilled"]) == (False, 1)
    assert await lonely.metric("sluice_spilled_deliveries") == 1
    assert await lonely.metric("sluice_spilled_bytes") > 100
    assert await lonely.metric("sluice_spilled_oldest_seconds") > 0

    async with embedded_redis(folder, port=port):
        event = await until(lambda: _newest(lonely))
        assert event.entry.event.object_id == str(who)
        assert event.entry.runs == ("pipedrive-mark",)
        await until(lambda: _spill_is_empty(lonely))
    assert await lonely.metric("sluice_spilled_deliveries") == 0
    assert await lonely.metric("sluice_spilled_oldest_seconds") == 0


async def _newest(installation: Installation) -> Journalled | None:
    with contextlib.suppress(Exception):
        return next(iter(await journal.newest(installation.store, 1)), None)
    return None


async def _spill_is_empty(installation: Installation) -> bool | None:
    return (await installation.get("/readyz")).json()["spilled"] == 0 or None


async def test_a_redis_that_is_full_stores_nothing_by_halves(lonely: Installation) -> None:
    folder, port = _redis_of(lonely)
    async with embedded_redis(folder, port=port):
        await lonely.hubspot(hubspot(a_new_id()))
        before = await lonely.store.redis.dbsize()
        await lonely.store.redis.config_set("maxmemory", "1")
        assert (await lonely.deliver("/webhooks/hubspot", [hubspot(a_new_id())])).status_code == 503
        answer = await lonely.deliver("/webhooks/pipedrive", pipedrive(a_new_id(), "Ada"))
        assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
        assert await lonely.store.redis.dbsize() == before
        assert await lonely.store.redis.xlen(keys.JOURNAL) == 1

        await lonely.store.redis.config_set("maxmemory", "0")
        await until(lambda: _spill_is_empty(lonely))
        assert await lonely.store.redis.xlen(keys.JOURNAL) == 2


async def test_a_look_at_redis_that_is_away_is_503_in_the_form_of_all_answers(lonely: Installation) -> None:
    url = lonely.environ["SLUICE_PUBLIC_URL"] + "/api/events"
    answer = await lonely.http.get(url, headers={"authorization": "Bearer admin-old"})
    assert (answer.status_code, answer.json()["error"]) == (503, "store_unavailable")


async def test_without_a_spill_folder_pipedrive_gets_503_too(tmp_path: Path) -> None:
    environ = environment(f"redis://127.0.0.1:{free_port()}/0", tmp_path, SLUICE_SPILL_DIR="")
    async with ingress(environ, tmp_path), opened(environ) as installation:
        assert (await installation.deliver("/webhooks/pipedrive", pipedrive(1, "Ada"))).status_code == 503


async def test_an_ingress_without_a_good_rule_is_not_ready_and_keeps_nothing_back(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "bad.yaml").write_text(
        "version: 1\nrules: [{id: x, event: contact.updated, then: [{do: nothing_known}]}]\n"
    )
    environ = environment(f"redis://127.0.0.1:{free_port()}/0", tmp_path, SLUICE_RULES=str(rules))
    async with ingress(environ, tmp_path), opened(environ) as installation:
        ready = await installation.get("/readyz")
        assert ready.status_code == 503
        assert "bad.yaml:2" in ready.text
        assert (await installation.deliver("/webhooks/hubspot", [hubspot(1)])).status_code == 503
