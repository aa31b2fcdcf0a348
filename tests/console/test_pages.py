"""What the pages tell: stories with their reasons, rules, dead letters, the playground."""

import asyncio
import time
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from service.model import Misfit, Plan, PlanFailure
from service.store import Store, accept, dead, keys, lanes, overview
from service.store.pace import SharedPace
from service.store.records import DeadLetter, StepRecord, encode
from tests.cli.conftest import a_rule, an_event, rules_text
from tests.console.conftest import NOW, Browser, browsing


async def test_an_event_is_found_by_object_rule_and_outcome(browser: Browser) -> None:
    await browser.sign_in()
    customer, lead, other = await browser.accept(
        an_event("a", object_id="1"),
        an_event("b", object_id="2", stage="lead"),
        an_event("c", object_id="3", stage="x"),
    )
    await browser.work("done")

    async def found(query: str) -> list[bool]:
        page = (await browser.get(f"/events?{query}")).text
        return [f"/events/{event}" in page for event in (customer, lead, other)]

    assert await found("") == [True, True, True]
    assert await found("object_id=1") == [True, False, False]
    assert await found("object_id=contact/2") == [False, True, False]
    assert await found("rule=one") == [True, False, False]
    assert await found("outcome=shadow") == [False, True, False]
    assert await found("outcome=done&rule=one") == [True, False, False]
    assert await found("outcome=dead") == [False, False, False]
    assert await found("outcome=none") == [False, False, True]
    assert await found(f"before={lead}") == [True, False, False]
    assert await found("before=nonsense") == [True, True, True]
    assert "Looked at 3 events" in (await browser.get("/events?outcome=dead")).text


async def test_a_story_says_why_a_rule_did_not_fire(browser: Browser) -> None:
    await browser.sign_in()
    (event,) = await browser.accept(an_event(stage="lead"))
    page = (await browser.get(f"/events/{event}")).text
    assert "contact.stage is customer" in page
    assert page.count("this stopped the rule") == 1
    assert "only recorded" in page


async def test_every_branch_of_which_one_would_have_done_is_marked(browser: Browser) -> None:
    await browser.sign_in()
    (event,) = await browser.accept(an_event())
    text = rules_text(a_rule("mine").replace("contact.stage: customer", "any: [contact.stage: lead, contact.none: 1]"))
    page = (await browser.post("/playground/result", {"text": text, "event": event})).text
    assert page.count("this stopped the rule") == 2


async def test_runs_of_one_event_that_were_one_call_say_so(browser: Browser) -> None:
    await browser.sign_in()
    (event,) = await browser.accept(an_event())
    await browser.work("done", args={"stage": "x"})
    assert "one call together" not in (await browser.get(f"/events/{event}")).text
    await browser.store.redis.hset(keys.REPLAYED + event, "two", "v")  # type: ignore[misc]
    await browser.store.redis.copy(keys.RUN + "f/one", keys.RUN + "f/two")
    page = (await browser.get(f"/events/{event}")).text
    assert page.count("one call together with") == 2
    assert "one call together with two</span>" in page


async def test_an_event_without_a_run_says_which_rule_was_nearest(browser: Browser) -> None:
    await browser.sign_in()
    (event,) = await browser.accept(an_event(stage="x"))
    assert "nearest: one, stopped by contact.stage (is x)" in (await browser.get(f"/events/{event}")).text


async def test_a_story_whose_rules_are_gone_says_so(browser: Browser) -> None:
    await browser.sign_in()
    (event,) = await browser.accept(an_event())
    await browser.store.redis.delete(keys.RULESET + browser.rule_set.version)
    assert "not kept any more" in (await browser.get(f"/events/{event}")).text


async def test_personal_data_is_shown_on_purpose_only_and_that_is_noted(browser: Browser) -> None:
    await browser.sign_in()
    (event,) = await browser.accept(an_event())
    await browser.work("done", args={"greeting": "for ADA@example.com"}, answer={"to": "+15550100123"})
    page = (await browser.get(f"/events/{event}")).text.lower()
    assert "ada@example.com" not in page
    assert "5550100123" not in page
    with capture_logs() as logs:
        shown = (await browser.post(f"/events/{event}", {})).text
    assert "ada@example.com" in shown
    assert {"event": "personal data shown", "event_id": event, "log_level": "warning"} in logs


async def test_every_view_of_an_event_hides_the_same(browser: Browser) -> None:
    """Whoever only looks sees no personal value: not where it is repeated, and not as an id, an account or an actor."""
    person, actor, account = "ada.lovelace@example.org", "ada.secret@example.org", "+15550177991"
    values = {"contact.id": person, "contact.lastname": "Lovelace", "contact.stage": "Dear Lovelace"}
    event = replace(an_event(), object_id=person, account=account, actor=f"user:{actor}", values=values)
    by_phone = replace(an_event("g"), object_id="+15550177992", values={"contact.stage": "lead"})
    event_id, other_id = await browser.accept(event, by_phone)
    paths = ["/api/events"] + [f"/api/events/{one}{more}" for one in (event_id, other_id) for more in ("", "/explain")]
    shown = {path: (await browser.http.get(path, headers={"authorization": "Bearer viewer"})).text for path in paths}
    text = rules_text(a_rule("mine"))
    await browser.sign_in("viewer")
    for path in ("", "/events", "/rules/quiet", f"/events/{event_id}", f"/events/{other_id}"):
        shown[path] = (await browser.get(path)).text
    shown["try"] = (await browser.post("/playground/result", {"text": text, "event": event_id})).text
    told = [person, person.replace("@", "%40"), actor, account, "Lovelace", "+15550177992", "%2B15550177992"]
    assert {(path, canary) for path, page in shown.items() for canary in told if canary in page} == set()
    await browser.sign_in()
    page = (await browser.post(f"/events/{event_id}", {})).text
    assert [canary for canary in told[:1] + told[2:5] if canary not in page] == []


async def test_a_personal_number_that_stands_in_a_time_breaks_nothing(browser: Browser) -> None:
    await browser.sign_in()
    event = replace(an_event(), values={"contact.id": "7", "contact.stage": "customer", "contact.number": "179000"})
    (event_id,) = await browser.accept(event)
    await browser.work("done", args={"size": 179000})
    page = await browser.get(f"/events/{event_id}")
    assert page.status_code == 200
    assert "update_attributes" in page.text
    assert "179000" not in page.text.replace("1790000", "")
    told = await browser.http.get(f"/api/events/{event_id}", headers={"authorization": "Bearer viewer"})
    assert told.json()["runs"]["one"]["steps"]["0"]["at"] == NOW


async def test_a_waiting_run_leads_to_what_it_waits_behind(browser: Browser) -> None:
    await browser.sign_in()
    first, second = await browser.accept(an_event("a", at=1), an_event("b", at=2))
    (lane,) = await lanes.claim(browser.store, 1)
    stands = {"state": "waiting", "reason": "account_unknown", "message": "this worker knows no account `salse`"}
    await lanes.let_go(browser.store, lane, lanes.Notes(stands), due=2**50)
    page = (await browser.get(f"/events/{second}")).text
    assert f"It waits behind run one of event {first}: account_unknown" in page
    assert f'/console/events/{first}">That event</a>' in page
    assert "<code>salse</code>" in (await browser.get(f"/events/{first}")).text


@pytest.mark.parametrize(
    ("state", "tone"),
    [("waiting", "waits"), ("retrying", "waits"), ("superseded", "quiet"), ("dropped", "quiet"), ("dead", "why")],
)
async def test_only_what_failed_is_told_in_red(browser: Browser, state: str, tone: str) -> None:
    await browser.sign_in()
    first, second = await browser.accept(an_event("a", at=1), an_event("b", at=2))
    (lane,) = await lanes.claim(browser.store, 1)
    said = {"reason": "its_reason", "message": "its message"}
    step = StepRecord(state="superseded", at=NOW, do="update_attributes", reason="newer_fact")
    notes = lanes.Notes({"state": state, "step:0": encode(step), **said})
    await lanes.let_go(browser.store, lane, notes, due=2**50)
    page = (await browser.get(f"/events/{first}")).text
    assert f'<p class="{tone}">its message' in page
    assert '<span class="quiet"><code>newer_fact</code>' in page
    assert (
        f'<p class="waits">It waits behind run one of event {first}: ' in (await browser.get(f"/events/{second}")).text
    )


async def test_the_letter_of_a_rule_leads_to_its_event(browser: Browser) -> None:
    await browser.sign_in()
    failure = PlanFailure(
        "broken", "missing_value", "rule broken, step 1 (upsert_contact): the event carries no contact.x"
    )
    planned = Plan(event=an_event("a"), ruleset=browser.rule_set.version, failures=(failure,))
    (event_id,) = (await accept(browser.store, "hubspot", [planned], (), now=NOW)).events
    (letter,) = await dead.newest(browser.store, 10)
    page = (await browser.get(f"/dead/{letter.id}")).text
    assert f"sluice events replay {event_id}" in page
    assert f'/events/{event_id}">its whole story' in page


async def test_dead_letters_are_retried_and_dropped(browser: Browser) -> None:
    await browser.sign_in()
    misfit = Misfit("[0].objectId: expected int", b'{"email": "ada@example.com"}')
    await browser.accept(misfits=(misfit,))
    (letter,) = await dead.newest(browser.store, 10)
    listed = (await browser.get("/dead")).text
    assert "expected int" in listed
    page = (await browser.get(f"/dead/{letter.id}")).text
    assert "ada@example.com" not in page
    assert "Try again" not in page
    assert "ada@example.com" in (await browser.post(f"/dead/{letter.id}", {})).text
    nowhere = (await browser.get("/events/yesterday")).text
    assert "<code>yesterday</code> is no event id" in nowhere
    answer = await browser.post("/settle", {"what": "retry", "ids": [letter.id]})
    refused = (await browser.http.get(answer.headers["location"])).text
    assert "Without a run that could be tried again: 1" in refused
    assert "back in line" not in refused
    assert '<p class="notice bad"' in refused
    assert "let the CRM send it again" in page
    assert "delivery</b> <span" not in listed
    with capture_logs() as logs:
        answer = await browser.post("/settle", {"what": "drop", "ids": [letter.id, "ada@example.com"]})
    (noted,) = (one for one in logs if one["event"] == "dead letters settled")
    assert (noted["what"], noted["by"], noted["role"], noted["ids"]) == ("drop", "console", "admin", [letter.id])
    assert "1 dropped." in (await browser.http.get(answer.headers["location"])).text
    assert await dead.count(browser.store) == 0
    assert "No dead letters wait." in (await browser.get("/dead")).text
    assert (await browser.post("/settle", {"what": "burn"})).status_code == 400
    assert "Nothing was chosen" in (await browser.get("/dead?said=drop-0-0-0")).text
    assert (await browser.get("/dead?said=drop-1-x")).status_code == 200


async def test_a_dead_letter_shows_what_sakari_answered_and_hides_people(browser: Browser) -> None:
    await browser.sign_in()
    (event,) = await browser.accept(an_event())
    (lane,) = await lanes.claim(browser.store, 1)
    letter = DeadLetter(
        id="letter",
        kind="run",
        reason="http_422",
        message="Sakari refused the call (HTTP 422, no code)",
        source="hubspot",
        at=NOW,
        rule="one",
        lane=lane.name,
        event_id=event,
        run_key=lane.head.run.key,
        member=lane.head.member,
    )
    answer = {"error": {"message": "no such attribute: seen", "value": "ADA@example.com"}}
    step = StepRecord(state="failed", at=NOW, do="update_attributes", reason="http_422", answer=answer)
    await lanes.end_run(browser.store, lane, lanes.Notes({"state": "dead", "step:0": encode(step)}), letter)
    page = (await browser.get("/dead/letter")).text
    assert "Sakari answered" in page
    assert "no such attribute: seen" in page
    assert "ada@example.com" not in page.lower()
    await browser.store.redis.delete(keys.JOURNAL)
    assert "no such attribute" not in (await browser.get("/dead/letter")).text


async def test_rules_show_what_they_are_and_what_they_did(browser: Browser) -> None:
    await browser.sign_in()
    (event,) = await browser.accept(an_event(stage="lead"))
    page = (await browser.get("/rules")).text
    assert f"/events/{event}" in page
    assert "never yet" in page
    rule = (await browser.get("/rules/quiet")).text
    assert "1 <small>match</small>" in rule
    assert "id: quiet" in rule
    assert "id: one" not in rule


async def test_the_overview_counts_the_last_hour(browser: Browser) -> None:
    await browser.sign_in()
    assert "No event has come in yet" in (await browser.get()).text
    await browser.accept(an_event("a"), an_event("b", stage="x"))
    page = (await browser.get()).text
    assert "Events accepted, minute by minute: 2 in all" in page
    assert "1 due, the oldest for" in page
    assert "0 due later" in page
    assert "1 being worked on" not in page


async def test_the_overview_counts_lanes_for_later_and_dead_letters_of_every_kind(browser: Browser) -> None:
    await browser.sign_in()
    await browser.accept(an_event(), misfits=(Misfit("no list", b"{}"),))
    (lane,) = await lanes.claim(browser.store, 1)
    await lanes.let_go(browser.store, lane, lanes.Notes({"state": "retrying"}), due=2**50)
    page = (await browser.get()).text
    assert '<p class="big">1</p>\n    <svg class="chart bars soft"' in page
    assert "0 due · 1 due later · 0 being worked on" in page
    assert "1 new within the hour" in page


async def test_the_overview_says_what_was_refused_and_why(browser: Browser) -> None:
    await browser.sign_in()
    assert "Refused within the hour" not in (await browser.get()).text
    await overview.count(browser.store, {"refused pipedrive wrong_password": 1200}, now=time.time_ns() // 1_000_000)
    page = (await browser.get()).text
    assert "<b>1,200</b> of pipedrive <code>wrong_password</code>" in page
    assert "are not those of SLUICE_PIPEDRIVE_USER" in page


async def test_only_a_mistake_in_the_rules_is_called_one(redis_url: str, store: Store, tmp_path: Path) -> None:
    async with browsing(redis_url, store, tmp_path) as browser:
        await browser.sign_in()
        assert "rules folder" not in (await browser.get()).text
        (tmp_path / "rules" / "warned.yaml").write_text(rules_text(a_rule("x", seen="${contact.other}")))
        await _until(browser, "Something to consider in the rules; they are in force")
        (tmp_path / "rules" / "broken.yaml").write_text("version: 2")
        await _until(browser, "Something is wrong with the rules folder")


async def _until(browser: Browser, said: str) -> None:
    async with asyncio.timeout(30):
        while said not in (await browser.get("/rules")).text:  # noqa: ASYNC110 - the ingress looks at files by itself
            await asyncio.sleep(0.1)
    assert said in (await browser.get()).text


async def test_a_huge_rate_can_be_read(browser: Browser) -> None:
    await browser.sign_in()
    await SharedPace(browser.store, "default", rate=100_000, burst=5, credentials="x").admit("a", "on", 0)
    assert "100,000 of 100,000 calls a second" in (await browser.get()).text


async def test_an_account_that_cannot_be_called_shows_no_pace_and_no_queue(browser: Browser) -> None:
    await browser.sign_in()
    pace = SharedPace(browser.store, "default", rate=100, burst=20, credentials="x")
    told = await pace.admit("a", "on", 0)
    for _ in range(5):
        await pace.report("a", "failed", admitted_at=told.at, reason="unavailable", message="Sakari is down")
    for lane in range(200):  # at their pace they would take two seconds
        await pace.admit(f"b{lane}", "0", 0)
    page = (await browser.get()).text
    assert "circuit open" in page
    assert "until one is answered, runs wait" in page
    assert "calls a second" not in page
    assert "The last one in the queue" not in page


async def _keys_of_events(browser: Browser) -> set[bytes]:
    """Every key but those that the ingress itself renews from time to time."""
    return {key async for key in browser.store.redis.scan_iter("*") if not key.startswith(b"sluice:ruleset")}


async def test_the_playground_tells_mistakes_and_what_a_rule_would_do(browser: Browser) -> None:
    await browser.sign_in()
    (event,) = await browser.accept(an_event())
    before = await _keys_of_events(browser)
    good = rules_text(a_rule("mine", seen="${contact.email}"))
    page = (await browser.post("/playground/result", {"text": good, "event": event})).text
    assert "fires" in page
    assert "update_attributes" in page
    assert "ada@example.com" not in page
    assert "<html" not in page
    broken = (await browser.post("/playground", {"text": good.replace("event:", "evnt:"), "event": event})).text
    assert "R202" in broken
    assert "did you mean" in broken
    assert broken.count("a rule has no key") == 1
    for form, told in (
        ({"text": good, "event": "nonsense"}, "is no event id"),
        ({"text": good, "event": "1-1"}, "no event 1-1"),
        ({"text": good, "given": "{"}, "the event is not JSON"),
        ({"text": good, "given": "[]"}, "this is no event"),
        ({"text": good, "given": "{}"}, "no field"),
        ({"text": good}, "Give an event"),
        ({"text": "x" * 70_000}, "larger than 64 kB"),
        ({"text": good, "given": "x" * 70_000}, "larger than 64 kB"),
        ({"text": "\0\ud7ff{[&"}, "mistake"),
    ):
        answer = await browser.post("/playground/result", form)
        assert (answer.status_code, told in answer.text) == (200, True), (told, answer.text)
    assert (await browser.post("/playground/result", {"text": "x" * 600_000})).status_code == 413
    assert await _keys_of_events(browser) == before
    for query in ("rule=one", f"event={event}", "rule=none&event=x"):
        assert (await browser.get(f"/playground?{query}")).status_code == 200


async def test_the_page_of_the_api_lists_what_its_description_lists(browser: Browser) -> None:
    await browser.sign_in()
    page = (await browser.get("/api")).text
    answer = await browser.http.get("/api/openapi.json", headers={"authorization": "Bearer viewer"})
    for path in answer.json()["paths"]:
        assert path in page


async def test_static_files_are_ours_only(browser: Browser) -> None:
    for name, kind in (("console.css", "text/css"), ("console.js", "text/javascript"), ("icon.svg", "image/svg+xml")):
        answer = await browser.get(f"/static/{name}")
        assert answer.headers["content-type"].startswith(kind)
    for name in ("..%2Frouter.py", "nothing", "%2e%2e"):
        assert (await browser.get(f"/static/{name}")).status_code == 404
