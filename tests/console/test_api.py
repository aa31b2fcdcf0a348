"""The admin API: which routes want a token, what each role may, and that no request breaks it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import schemathesis
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, given, settings
from structlog.testing import capture_logs

from service.cli import main
from service.dev.processes import embedded_redis
from service.model import Misfit
from service.store import dead
from tests.cli.conftest import a_rule, an_event, rules_text
from tests.console.conftest import Browser
from tests.system.conftest import environment, ingress

ADMIN, VIEWER = {"authorization": "Bearer admin-old"}, {"authorization": "Bearer viewer"}

ROUTES = {
    "GET /api/accounts",
    "GET /api/overview",
    "GET /api/rules",
    "GET /api/events",
    "GET /api/events/{event_id}",
    "GET /api/events/{event_id}/explain",
    "GET /api/dead",
    "GET /api/dead/{letter_id}",
    "POST /api/dead/{what}",
    "POST /api/playground",
}
OPEN = {
    "POST /webhooks/hubspot",
    "POST /webhooks/hubspot/workflow",
    "POST /webhooks/pipedrive",
    "GET /livez",
    "GET /readyz",
    "GET /metrics",
}


_REFUSED = (400, 401, 404, 405)
"""Without a token: 401, unless the path or the verb is none of ours, or the request is no HTTP that makes sense."""


async def _description(browser: Browser) -> dict[str, Any]:
    described: dict[str, Any] = (await browser.http.get("/api/openapi.json", headers=VIEWER)).json()
    return described


async def test_the_description_lists_every_route_and_which_want_a_token(browser: Browser) -> None:
    described = await _description(browser)
    listed = {
        f"{verb.upper()} {path}": one for path, verbs in described["paths"].items() for verb, one in verbs.items()
    }
    assert {name for name, one in listed.items() if one.get("security") == [{"token": []}]} == ROUTES
    assert {name for name, one in listed.items() if not one.get("security")} == OPEN
    assert (await browser.http.get("/api/openapi.json")).status_code == 401


async def test_the_description_is_valid_and_says_what_everything_is(browser: Browser) -> None:
    described = await _description(browser)
    schemathesis.openapi.from_dict(described).validate()
    assert [name for name, schema in described["components"]["schemas"].items() if not schema["description"]] == []
    levels = described["components"]["schemas"]["Levels"]["properties"]
    assert levels["due"]["description"] == "Lanes that could be worked on now, and are not."
    for path, verbs in described["paths"].items():
        for one in verbs.values() if path.startswith("/api/") else ():
            shape = one["responses"]["200"]["content"]["application/json"]["schema"]
            assert shape.get("$ref") or shape["items"]["$ref"], path


async def test_what_is_told_has_the_described_shape(browser: Browser) -> None:
    """Stories with runs, steps, shadows and failures; explanations with nested conditions; dead letters of every kind."""
    lead, customer = await browser.accept(
        an_event("a", stage="lead"), an_event("b", object_id="2"), misfits=(Misfit("no list", b"[1]"),)
    )
    await browser.work("done", args={"to": "ada@example.com"}, answer={"id": 1})
    await browser.accept(an_event("c", object_id="3"))
    schema: Any = schemathesis.openapi.from_dict(await _description(browser))
    (letter,) = await dead.newest(browser.store, 5)
    asked = {"/api/events": "/api/events", "/api/dead": "/api/dead", f"/api/dead/{letter.id}": "/api/dead/{letter_id}"}
    for event in (lead, customer):
        asked |= {
            f"/api/events/{event}": "/api/events/{event_id}",
            f"/api/events/{event}/explain": "/api/events/{event_id}/explain",
        }
    asked |= {path: path for path in ("/api/overview", "/api/rules", "/api/accounts")}
    for path, described in asked.items():
        for more in ("", "?unmasked=true"):
            answer = await browser.http.get(path + more, headers=ADMIN)
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "no-store"
            schema[described]["GET"].validate_response(answer)
    tried = await browser.http.post(
        "/api/playground", json={"text": rules_text(a_rule("mine")), "event_id": lead}, headers=ADMIN
    )
    schema["/api/playground"]["POST"].validate_response(tried)


async def test_the_command_line_tells_the_same(browser: Browser, redis_url: str) -> None:
    """`events show --json` and `dead list --json` print what the API answers."""
    (event,) = await browser.accept(an_event(stage="lead"), misfits=(Misfit("no list", b"[1]"),))
    environ = {"SLUICE_REDIS_URL": redis_url}
    for command, path in (
        (("events", "show", event), f"/api/events/{event}"),
        (("events", "list"), "/api/events"),
        (("dead", "list"), "/api/dead"),
    ):
        printed = await asyncio.to_thread(CliRunner().invoke, main, [*command, "--json"], env=environ)
        assert json.loads(printed.output) == (await browser.http.get(path, headers=VIEWER)).json()
    explained = await asyncio.to_thread(CliRunner().invoke, main, ["rules", "explain", event, "--json"], env=environ)
    assert json.loads(explained.output) == [
        (await browser.http.get(f"/api/events/{event}/explain", headers=VIEWER)).json()
    ]


@pytest.mark.parametrize(
    ("verb", "path", "status", "words"),
    [
        ("GET", "/api/nothing", 404, "there is no such path"),
        ("GET", "/api/no/such", 404, "Not Found"),
        ("DELETE", "/api/overview", 405, "Method"),
        ("GET", "/api/events?most=lots", 400, "most: Expected `int`"),
        ("GET", "/api/events?before=x", 400, "before: "),
        ("GET", "/api/events?before=1-1%0a", 400, "before: "),
        ("GET", "/api/events?before=%D9%A1-1", 400, "before: "),
        ("GET", "/api/events/x", 400, "is no event id"),
        ("GET", "/api/events/1-1", 404, "there is no event 1-1"),
        ("POST", "/api/dead/burn", 400, "what: Invalid enum value"),
        ("POST", "/api/dead/drop", 400, "the body is missing"),
    ],
)
async def test_every_fault_is_json_and_says_what_is_wrong(
    browser: Browser, verb: str, path: str, status: int, words: str
) -> None:
    answer = await browser.http.request(verb, path, headers=ADMIN)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert answer.json().keys() == {"error", "message"}
    assert words in answer.json()["message"]


async def test_looking_at_personal_data_is_noted(browser: Browser) -> None:
    (event,) = await browser.accept(an_event())
    for path in ("/api/events", f"/api/events/{event}", f"/api/events/{event}/explain", "/api/dead"):
        with capture_logs() as logs:
            await browser.http.get(path, headers=ADMIN)
        assert logs == []
        with capture_logs() as logs:
            await browser.http.get(path + "?unmasked=true", headers=ADMIN)
        assert [one["event"] for one in logs] == ["personal data shown"]


async def test_wrong_tokens_keep_nobody_away_who_has_a_right_one(browser: Browser) -> None:
    """Behind a proxy a stranger and an operator have the same address."""
    for n in range(20):
        assert (await browser.http.get("/api/rules", headers={"authorization": f"Bearer wrong {n}"})).status_code == 401
    assert (await browser.http.get("/api/rules", headers=ADMIN)).status_code == 200


@pytest.mark.parametrize("proof", ["", "Bearer wrong", "Basic admin-new", "Bearer", "bearer adminä"])
async def test_without_a_token_no_route_answers(browser: Browser, proof: str) -> None:
    for route in ROUTES | {"GET /api", "GET /api/openapi.json", "GET /api/nothing"}:
        verb, path = route.split()
        path = path.replace("{what}", "drop").replace("{event_id}", "1-1").replace("{letter_id}", "x")
        answer = await browser.http.request(verb, path, headers={b"authorization": proof.encode("latin-1")})
        assert answer.status_code == 401, route


async def test_who_may_only_look_gets_masked_data_and_does_nothing(browser: Browser) -> None:
    (event,) = await browser.accept(an_event())
    for path in (f"/api/events/{event}", "/api/events", f"/api/events/{event}/explain", "/api/dead"):
        answer = await browser.http.get(path, headers=VIEWER)
        assert answer.status_code == 200
        assert "ada@example.com" not in answer.text
        assert (await browser.http.get(path + "?unmasked=true", headers=VIEWER)).status_code == 403
        assert (await browser.http.get(path + "?unmasked=true", headers=ADMIN)).status_code == 200
    drop = await browser.http.post("/api/dead/drop", json={"which": {}}, headers=VIEWER)
    assert drop.status_code == 403


async def test_events_are_searched_page_by_page(browser: Browser) -> None:
    ids = await browser.accept(*(an_event(f"f{n}", object_id=str(n % 2)) for n in range(5)))
    first = await browser.http.get("/api/events?object_id=0&most=2", headers=ADMIN)
    assert [one["id"] for one in first.json()] == [ids[4], ids[2]]
    assert first.headers["sluice-more"] == "true"
    until = first.headers["sluice-until"]
    second = await browser.http.get(f"/api/events?object_id=0&before={until}", headers=ADMIN)
    assert [one["id"] for one in second.json()] == [ids[0]]
    assert (second.headers["sluice-more"], second.headers["sluice-looked"]) == ("false", "2")
    short = await browser.http.get("/api/events?outcome=dead&look=2", headers=ADMIN)
    assert (short.json(), short.headers["sluice-more"], short.headers["sluice-looked"]) == ([], "true", "2")


async def test_the_api_tells_what_the_console_shows(browser: Browser) -> None:
    (event,) = await browser.accept(an_event(stage="lead"), misfits=(Misfit("no list", b"{}"),))
    overview = (await browser.http.get("/api/overview", headers=VIEWER)).json()
    assert (overview["levels"]["dead"], sum(overview["accepted"])) == (1, 1)
    assert overview["sources"][0]["misfits"] == 1
    rules = (await browser.http.get("/api/rules", headers=VIEWER)).json()
    assert [(rule["id"], rule["mode"], rule["matched"]) for rule in rules["rules"]] == [
        ("one", "live", 0),
        ("quiet", "shadow", 1),
    ]
    explained = (await browser.http.get(f"/api/events/{event}/explain", headers=VIEWER)).json()
    verdicts = {one["verdict"]["rule"]: one["verdict"] for one in explained["rules"]}
    assert [leaf["path"] for leaf in verdicts["one"]["stopped_by"]] == ["contact.stage"]
    (letter,) = await dead.newest(browser.store, 5)
    dropped = await browser.http.post("/api/dead/drop", json={"ids": [letter.id]}, headers=ADMIN)
    assert dropped.json() == {"done": 1, "gone": 0, "refused": 0, "ids": [letter.id]}


async def test_a_rule_is_tried_on_an_event(browser: Browser) -> None:
    (event,) = await browser.accept(an_event())
    text = rules_text(a_rule("mine"))
    tried = (await browser.http.post("/api/playground", json={"text": text, "event_id": event}, headers=VIEWER)).json()
    assert tried["explanation"]["rules"][0]["verdict"]["matched"] is True
    assert "ada@example.com" not in str(tried)
    broken = (await browser.http.post("/api/playground", json={"text": "version: 2"}, headers=VIEWER)).json()
    assert {problem["code"] for problem in broken["problems"]} >= {"R204"}


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"values": {"contact.stage": 10**40}}, 200, str(10**40)),
        ({"before": {"contact.stage": -(10**40)}}, 200, str(10**40)),
        ({"occurred_at": 10**40}, 400, "occurred_at: expected milliseconds"),
        ({"occurred_at": -1}, 400, "occurred_at: expected milliseconds"),
        ({"attempt": 10**40}, 400, "Expected `int`"),
        ({"type": None}, 400, "Expected `str`"),
        ({"values": {"contact.note": "x" * 64 * 1024}}, 400, "larger than 64 kB"),
        ({"values": {"contact.note": [[[]]] * 20}}, 200, "contact.note"),
        ({"nothing": 1}, 400, "it has no `nothing`"),
    ],
)
async def test_an_event_that_is_given_is_read_as_a_delivery_is(
    browser: Browser, fields: dict[str, Any], status: int, words: str
) -> None:
    event = msgspec.structs.asdict(an_event()) | fields
    trial = msgspec.json.encode({"text": rules_text(a_rule("mine")), "event": event})
    answer = await browser.http.post("/api/playground", content=trial, headers=VIEWER)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text


@pytest.mark.no_cover
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # schemathesis and what it stands on
async def test_no_request_breaks_the_ingress_or_the_admin_api(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    async with embedded_redis(tmp_path / "redis") as redis_url:
        environ = environment(redis_url, tmp_path, SLUICE_VIEWER_TOKEN="viewer")
        async with ingress(environ, tmp_path):
            told = await asyncio.to_thread(_fuzz, environ["SLUICE_PUBLIC_URL"])
    assert told["calls"] > 200
    assert told["broken"] == []
    assert told["let in"] == []
    assert told["other than described"] == []


def _fuzz(url: str) -> dict[str, Any]:
    schema = schemathesis.openapi.from_url(url + "/api/openapi.json", headers=ADMIN)
    told: dict[str, Any] = {"calls": 0, "broken": [], "let in": [], "other than described": []}
    found: Any
    for found in schema.get_all_operations():
        operation: Any = found.ok()
        _call_often(operation, f"{operation.method.upper()} {operation.path}", told)
    return told


def _call_often(operation: Any, name: str, told: dict[str, Any]) -> None:
    @settings(max_examples=25, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def call(case: Any) -> None:
        told["calls"] += 1
        answer = case.call(headers=ADMIN)
        if answer.status_code >= 500:
            told["broken"].append((name, case.as_curl_command()))
        if name in ROUTES and not _as_described(operation, answer):
            told["other than described"].append((name, case.as_curl_command(), answer.text))
        if name in ROUTES and case.call(headers={"authorization": "Bearer wrong"}).status_code not in _REFUSED:
            told["let in"].append(name)

    call()


def _as_described(operation: Any, answer: Any) -> bool:
    """Whether an answer has the shape that the description gives it; faults have one shape, whatever their status."""
    if answer.status_code >= 400:
        return set(answer.json()) == {"error", "message"}
    return bool(operation.is_valid_response(answer))
