"""What an attacker tried and what held, or holds now."""

import asyncio
import contextlib
import json
import os
from pathlib import Path

import pytest

from service.actions import ACTIONS
from service.dev import view
from service.engine import load, read_folder
from service.ingress.server import AHEAD
from service.sources import hubspot as source
from service.sources.delivery import Delivery, Verified
from service.store import dead
from service.store.bounds import bounded, storable
from tests.system.conftest import Installation, a_new_id, hubspot

GOOD = "version: 1\nrules: [{id: good, event: contact.updated, then: [{do: fetch_executions, with: {campaign: a1}}]}]\n"


def _normalised(body: bytes) -> tuple[int, int]:
    delivery = Delivery(method="POST", target="/", headers={}, body=body, received_at=1)
    found = source.normalise(Verified(delivery, "v3"))
    return len(found.events), len(found.misfits)


@pytest.mark.parametrize("value", [b"[" * 70 + b"]" * 70, b"9" * 5000, b"1e400", b'"\xff"'])
def test_one_value_that_cannot_be_read_does_not_cost_its_batch(value: bytes) -> None:
    good = json.dumps(hubspot(1)).encode()
    bad = good.replace(b'"customer"', value)
    assert _normalised(b"[" + b",".join([good, bad, good]) + b"]") in {(2, 1), (3, 0)}


def test_a_delivery_of_a_hundred_thousand_elements_is_one_dead_letter() -> None:
    assert _normalised(json.dumps(list(range(100_000))).encode()) == (0, 1)


def test_entries_that_are_no_rule_files_stop_nobody(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "dangling.yaml").symlink_to("nowhere.yaml")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / os.fsdecode(b"bad\xff.yaml")).write_text("rules: [")
    os.mkfifo(tmp_path / "fifo.yaml")
    loaded = load(read_folder(tmp_path), ACTIONS)
    assert [rule.id for rule in loaded.rule_set.rules] == ["good"]
    assert {"dangling.yaml", "loop.yaml", "fifo.yaml"} <= loaded.broken


def test_an_answer_with_a_huge_number_can_be_recorded() -> None:
    assert storable({"a": [10**50, 5, {"b": -(10**50)}]}) == {"a": [str(10**50), 5, {"b": str(-(10**50))}]}
    assert bounded({"x": 10**50}, 4096) == {"x": str(10**50)}


def test_an_answer_that_is_nested_too_deeply_is_not_kept_and_breaks_nothing() -> None:
    nested: list[object] = []
    for _ in range(600):
        nested = [nested]
    assert bounded({"data": nested}, 4096) == "(nested too deeply to be kept)"


def test_values_cannot_control_the_terminal() -> None:
    assert view.printable("\x1b]0;x\x07\x1b[31mred\nline") == "\ufffd]0;x\ufffd\ufffd[31mred\ufffdline"


async def test_a_sakari_that_answers_with_huge_numbers_is_done(installation: Installation) -> None:
    who = a_new_id()
    answer = '{"success": true, "data": {"x": ' + "9" * 50 + "}}"
    fault = {"method": "POST", "path": "/attributes/", "body": answer, "applied": True, "times": 1}
    await installation.misbehave(fault)
    await installation.hubspot(hubspot(who, "counter", "1"))
    run = (await installation.story(who)).runs["counter"]
    assert (run.state, run.tries) == ("done", 0)


async def test_an_id_of_a_megabyte_is_an_explained_dead_letter(installation: Installation) -> None:
    who = a_new_id()
    await installation.hubspot(hubspot(who, "drip", "x" * 50_000))
    assert (await installation.story(who)).runs["drip-then-write"].state == "dead"
    letter = next(x for x in await dead.newest(installation.store, 50) if x.lane.endswith(f"/{who}"))
    assert letter.reason == "bad_identifier"


async def test_the_admin_api_takes_no_nesting_for_a_fault_of_its_own(installation: Installation) -> None:
    url = installation.environ["SLUICE_PUBLIC_URL"] + "/api/dead/retry"
    headers = {"authorization": "Bearer admin-new", "content-type": "application/json"}
    assert (await installation.http.post(url, content=b"[" * 100_000, headers=headers)).status_code == 400
    assert (await installation.get("/api/schema/openapi.json")).status_code == 404


async def test_requests_far_ahead_of_their_answers_end_the_connection(installation: Installation) -> None:
    """Each takes memory and time of the event loop, and a kilobyte of network holds thirty of them."""
    ask = b"GET /livez HTTP/1.1\r\nhost: sluice\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", int(installation.environ["SLUICE_PORT"]))
    writer.write(ask * AHEAD + ask.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
    assert (await reader.read()).count(b"200 OK") == AHEAD + 1
    writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(installation.environ["SLUICE_PORT"]))
    writer.write(ask * 1_000)
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("said", [b"connection: upgrade\r\nconnection: keep-alive", b"proxy-connection: upgrade"])
async def test_an_offer_of_another_protocol_is_seen_wherever_it_is_made(
    installation: Installation, said: bytes
) -> None:
    """The parser drops a chunked body then, and what is left would be taken for a whole delivery."""
    head = b"POST /webhooks/hubspot/workflow HTTP/1.1\r\nhost: sluice\r\nx-sluice-secret: workflow-secret\r\n"
    body = b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", int(installation.environ["SLUICE_PORT"]))
    writer.write(head + b"upgrade: h2c\r\n" + said + b"\r\n" + body)
    answer = await reader.read()
    writer.close()
    assert (answer[:12], b"upgrade_offered" in answer) == (b"HTTP/1.1 400", True)


@pytest.mark.parametrize("offered", ["h2c", "TLS/1.0", "websocket"])
async def test_a_delivery_that_offers_another_protocol_is_not_taken_for_an_empty_one(
    installation: Installation, offered: str
) -> None:
    """The HTTP parser drops the body of such a request; Java's clients send them over plain HTTP."""
    before = len(await dead.newest(installation.store, 100))
    headers = {"connection": "Upgrade", "upgrade": offered, "x-sluice-secret": "workflow-secret"}
    answer = await installation.deliver(
        "/webhooks/hubspot/workflow", {"hs_object_id": 5, "portalId": 1}, headers=headers
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "upgrade_offered")
    assert len(await dead.newest(installation.store, 100)) == before
