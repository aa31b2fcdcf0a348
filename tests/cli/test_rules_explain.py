"""`sluice rules explain`: every rule, every condition, and what stopped it; personal data only when asked for."""

import json
import shutil
from pathlib import Path

import pytest

from service import settings
from service.sources import SOURCES
from tests.cli.conftest import Stage, a_rule, an_event

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures"


def test_a_rule_that_does_not_fire_says_what_stopped_it(stage: Stage) -> None:
    (event,) = stage.accept(stage.rules(a_rule(stage="lead"), a_rule("two")), an_event())
    told = stage.run("rules", "explain", event)
    assert told.exit_code == 0
    lines = told.output.splitlines()
    assert "✓ two  fires  r.yaml:10" in lines
    assert lines.index("✓ two  fires  r.yaml:10") < lines.index("✗ one  does not fire  r.yaml:3")
    assert "    ✗ contact.stage = lead  is customer  line 6  ← stopped it" in lines
    assert lines[-1] != ""
    assert '→ step 1 update_attributes  {"type":"contacts"' in told.output


def test_the_rules_of_the_day_explain_unless_others_are_named(stage: Stage) -> None:
    (event,) = stage.accept(stage.rules(a_rule()), an_event())
    stage.accept(stage.rules(a_rule(stage="lead")))
    stage.rules(a_rule(stage="other"), folder="others")
    for options, said in (
        ((), "✓ one  fires"),
        (("--now-rules",), "contact.stage = lead"),
        (("--rules", "others"), "contact.stage = other"),
    ):
        assert said in stage.run("rules", "explain", event, *options).output
    assert stage.run("rules", "explain", event, "--rules", "others", "--now-rules").exit_code == 2


def test_a_running_dev_is_named_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    (event,) = stage.accept(stage.rules(a_rule()), an_event())
    monkeypatch.delenv("SLUICE_REDIS_URL")
    settings.DEV_FILE.parent.mkdir(parents=True)
    settings.DEV_FILE.write_text(f"SLUICE_REDIS_URL={stage.redis_url}\n")
    for _ in range(2):
        assert stage.run("rules", "explain", event).stderr.count("Settings that are not set") == 1


def test_personal_data_is_masked_unless_asked_for(stage: Stage) -> None:
    rule = a_rule().replace("contact.stage: customer", "contact.email: { ends_with: .net }")
    (event,) = stage.accept(stage.rules(rule), an_event())
    for more in ((), ("--json",)):
        masked = stage.run("rules", "explain", event, *more)
        plain = stage.run("rules", "explain", event, "--unmasked", *more)
        assert (masked.exit_code, plain.exit_code) == (0, 0)
        assert "ada@example.com" not in masked.output
        assert "ada@example.com" in plain.output


def test_an_unknown_answer_is_told_from_a_no(stage: Stage) -> None:
    (event,) = stage.accept(stage.rules(a_rule().replace("contact.stage", "contact.none")), an_event())
    told = stage.run("rules", "explain", event).output
    assert "? contact.none = customer  no contact.none in the event  line 6  ← stopped it" in told


def test_every_branch_of_an_any_that_failed_is_marked(stage: Stage) -> None:
    branches = "any: [{ contact.stage: lead }, { contact.none: 1 }]"
    (event,) = stage.accept(stage.rules(a_rule().replace("contact.stage: customer", branches)), an_event())
    told = stage.run("rules", "explain", event).output.splitlines()
    assert [line.strip() for line in told if "stopped it" in line] == [
        "✗ contact.stage = lead  is customer  line 6  ← stopped it",
        "? contact.none = 1  no contact.none in the event  line 6  ← stopped it",
    ]


def test_a_rule_that_matches_and_cannot_be_carried_out_has_a_cross(stage: Stage) -> None:
    (event,) = stage.accept(stage.rules(a_rule(seen="${contact.none}")), an_event())
    told = stage.run("rules", "explain", event).output
    assert "✗ one  fails: rule one, step 1 (update_attributes): the event carries no contact.none" in told
    assert "    ✓ contact.stage = customer" in told


def test_json_holds_every_rule(stage: Stage) -> None:
    other = a_rule("other").replace("contact.updated", "contact.created")
    (event,) = stage.accept(stage.rules(a_rule(), other), an_event())
    (told,) = json.loads(stage.run("rules", "explain", event, "--json").output)
    assert told["id"] == event
    assert [one["verdict"]["matched"] for one in told["rules"]] == [True, False]
    assert told["rules"][0]["steps"][0]["args"]["contact"]["attributes"] == {"seen": "yes"}
    (told,) = json.loads(stage.run("rules", "explain", event, "--json", "--rule", "other").output)
    assert [one["verdict"]["stopped_by"] for one in told["rules"]] == ["event type"]
    assert "other  is for other events" in stage.run("rules", "explain", event, "--all").output
    assert "1 rule is for other events" in stage.run("rules", "explain", event).output
    assert stage.run("rules", "explain", event, "--rule", "none").exit_code == 2


@pytest.mark.parametrize("mode", ["shadow", "off"])
def test_a_rule_that_is_not_live_says_so(stage: Stage, mode: str) -> None:
    (event,) = stage.accept(stage.rules(a_rule(mode=mode)), an_event())
    assert f"matches, but is in mode: {mode}" in stage.run("rules", "explain", event).output


@pytest.fixture
def without_redis(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.delenv("SLUICE_REDIS_URL")
    shutil.copytree(ROOT / "rules", stage.folder / "rules")
    return stage


@pytest.mark.parametrize("source", SOURCES)
def test_every_fixture_can_be_explained_without_redis(without_redis: Stage, source: str) -> None:
    for folder in sorted((FIXTURES / source).iterdir()):
        told = without_redis.run("rules", "explain", f"{source}/{folder.name}", "--fixtures", str(FIXTURES))
        assert told.exit_code == 0, told.output
        assert "under rule set" in told.output or "made no sense" in told.output


def test_what_a_fixture_fires(without_redis: Stage) -> None:
    event = "hubspot/contact.updated__lifecyclestage_customer"
    told = without_redis.run("rules", "explain", event, "--fixtures", str(FIXTURES)).output
    assert "✓ customer-leaves-nurture  fires  hubspot-contacts.yaml:8" in told
    assert '"nurture_status":"${drip.latest.status}"' in told
    assert "if what an earlier step finds allows it" in told


def test_what_events_show_prints_can_be_explained(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    (event,) = stage.accept(stage.rules(a_rule()), an_event())
    printed = stage.run("events", "show", event, "--json", "--unmasked").output
    (stage.folder / "story.json").write_text(printed)
    (stage.folder / "event.json").write_text(json.dumps(json.loads(printed)["entry"]["event"]))
    monkeypatch.delenv("SLUICE_REDIS_URL")
    for name in ("story.json", "event.json"):
        assert "✓ one  fires" in stage.run("rules", "explain", name).output
    assert "✓ one  fires" in stage.run("rules", "explain", "-", answer=printed).output


@pytest.mark.parametrize(
    ("text", "said"),
    [("{}", "no field `source`"), ("[1]", "this is no event"), ("nonsense", "malformed"), ('{"entry": 5}', "no event")],
)
def test_what_is_no_event_is_said_so(stage: Stage, text: str, said: str) -> None:
    stage.rules(a_rule())
    (stage.folder / "x.json").write_text(text)
    told = stage.run("rules", "explain", "x.json")
    assert told.exit_code == 2
    assert said in told.output


def test_what_cannot_be_found_is_said_so(stage: Stage) -> None:
    stage.rules(a_rule())
    assert "is no event" in stage.run("rules", "explain", "yesterday").output
    assert "no fixture `none`" in stage.run("rules", "explain", "hubspot/none").output
    assert "no event 1-1 in the journal" in stage.run("rules", "explain", "1-1").output
    (event,) = stage.accept(stage.rules(a_rule()), an_event())
    stage.forget_rule_sets()
    assert "try --rules or --now-rules" in stage.run("rules", "explain", event).output


def test_the_story_of_a_shadow_rule_shows_what_it_would_have_called(stage: Stage) -> None:
    rule = a_rule(mode="shadow").replace('"yes"', '"${contact.email}"')
    (event,) = stage.accept(stage.rules(rule.replace("seen:", "email:")), an_event())
    masked = stage.run("events", "show", event).output
    assert "◌ one  shadow: would have run, called nothing" in masked
    assert '→ step 1 update_attributes  {"type":"contacts"' in masked
    assert "ada@example.com" not in masked
    assert "ada@example.com" in stage.run("events", "show", event, "--unmasked").output
    told = json.loads(stage.run("events", "show", event, "--json").output)
    assert told["would"]["one"][0]["args"]["contact"]["hubspot"] == {"id": "7"}
