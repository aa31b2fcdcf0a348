"""`sluice events show ID --as-test`: what was recorded passes as a test, and names nobody."""

import re
from pathlib import Path

import pytest

from service.actions import ACTIONS
from service.cli.as_test import NotATest, as_test
from service.cli.suite import recorded
from service.engine import RuleSet, judge_all, load, plan, read_cases, read_folder, render
from service.model import Event
from service.store.journal import Story
from service.store.records import JournalEntry, RunRecord, StepRecord

ROOT = Path(__file__).parents[2]
FIXTURES = sorted(
    str(folder.parent.relative_to(ROOT / "tests/fixtures")) for folder in ROOT.glob("tests/fixtures/*/*/request.http")
)
NOW = 1_795_350_000_500
DRIP = {"found": True, "latest": {"status": "active"}}


def rules_of(text: str) -> RuleSet:
    loaded = load({"t.yaml": text.encode()}, ACTIONS)
    assert [render(problem) for problem in loaded.problems if problem.severity == "error"] == []
    return loaded.rule_set


def story(event: Event, rules: RuleSet, **runs: RunRecord) -> Story:
    decided = plan(rules, event, NOW)
    fired = tuple(run.rule for run in decided.runs)
    return Story("1-0", JournalEntry(event, rules.version, NOW, fired, decided.shadowed, decided.failures), runs)


def passes(text: str, rules: RuleSet) -> bool:
    """Whether it is a file of one case that passes as it stands."""
    read = read_cases({"t.test.yaml": text.encode()}, rules, ACTIONS, recorded)
    assert [render(problem) for problem in read.problems if problem.severity == "error"] == []
    (case,) = read.cases
    return judge_all(case, rules, ACTIONS) == ()


@pytest.mark.parametrize("name", FIXTURES)
def test_every_recorded_delivery_passes_as_the_test_it_becomes(name: str) -> None:
    rules = load(read_folder(ROOT / "rules"), ACTIONS).rule_set
    for event in recorded(str(ROOT / "rules" / "x.test.yaml"), name):
        if event.type == "event.completed" or event.type.endswith(".archive"):
            with pytest.raises(NotATest, match="no word for an event"):
                as_test(story(event, rules), rules, None)
        else:
            steps = {0: StepRecord(state="done", at=NOW, result=DRIP)}
            told = story(event, rules, **{"customer-leaves-nurture": RunRecord(steps=steps)})
            assert passes(as_test(told, rules, None), rules)


WELCOME = """\
version: 1
rules:
  - id: welcome
    event: contact.enrolled
    when: { contact.email: { exists: true }, contact.stage: new, not: { contact.vip: "yes" } }
    then:
      - do: upsert_contact
        with:
          contact:
            email: "${contact.email}"
            firstName: "${contact.firstname}"
            lastName: "${contact.lastname | default('')}"
            mobile: { number: "${contact.phone | e164}" }
            attributes: { note: "${contact.note}", city: "${contact.city | default('')}", told: "${contact.told}" }
"""
GRACE = {
    "contact.email": "grace@navy.mil",
    "contact.stage": "new",
    "contact.vip": "no",
    "contact.firstname": "Grace",
    "contact.lastname": "Hopper",
    "contact.phone": "+1 212 555 7788",
    "contact.note": "Grace called twice",
    "contact.city": "Arlington",
    "contact.told": ["hopper@navy.mil", {"by": "Hopper"}],
    "contact.unused": "secret",
}


def enrolled(**more: object) -> Event:
    event = {
        "source": "hubspot",
        "account": "48150001",
        "type": "contact.enrolled",
        "object_id": "310000000451",
        "occurred_at": NOW - 500,
        "fact_key": "f",
        "delivery_key": "d",
        "values": {"contact.id": "310000000451", **GRACE},
        "actor": "user:5550001",
        "origin": "workflow",
    }
    return Event(**{**event, **more})  # type: ignore[arg-type]


def test_nobody_can_be_recognised() -> None:
    rules = rules_of(WELCOME)
    text = as_test(story(enrolled(), rules), rules, None)
    assert passes(text, rules)
    for word in ("grace", "hopper", "navy", "212", "7788", "twice", "arlington", "secret", "310000", "48150", "555000"):
        assert word not in text.lower(), word
    assert "contact.stage: new" in text
    assert "contact.email: ada@example.com" in text.replace('"', "")


def test_what_decides_stays_even_if_it_looks_personal_and_the_reader_is_told() -> None:
    rules = rules_of(WELCOME.replace("{ exists: true }", "{ ends_with: '@navy.mil' }"))
    text = as_test(story(enrolled(), rules), rules, None)
    assert passes(text, rules)
    assert "grace@navy.mil" in text
    assert "# Mind contact.email: it is as it came" in text
    assert "Hopper" not in text


def test_only_the_values_that_decide_stay() -> None:
    when = "{ contact.email: { ends_with: '@navy.mil' }, contact.firstname: { exists: true }"
    rules = rules_of(re.sub(r"when: .*", f"when: {when}, contact.note: {{ contains: twice }} }}", WELCOME))
    text = as_test(story(enrolled(), rules), rules, None)
    assert re.findall("# Mind (.*):", text) == ["contact.email", "contact.note"]
    assert "contact.firstname: Ada" in text


@pytest.mark.parametrize("number", ["4915112345678", "(030) 1234567", 4915112345678])
def test_a_number_that_a_step_formats_as_a_phone_number_is_made_up(number: object) -> None:
    rules = rules_of(WELCOME.replace("contact.phone | e164", "contact.whatsapp | e164"))
    event = enrolled(values={"contact.id": "1", **GRACE, "contact.whatsapp": number})
    text = as_test(story(event, rules), rules, None)
    assert passes(text, rules)
    assert "4567" not in text
    assert "5678" not in text


def test_a_rule_that_stayed_silent_is_asked_for_by_name() -> None:
    rules = rules_of(WELCOME)
    text = as_test(story(enrolled(values={"contact.id": "1", **GRACE, "contact.vip": "yes"}), rules), rules, "welcome")
    assert passes(text, rules)
    assert "not: welcome\n    because: contact.vip\n" in text
    both = as_test(story(enrolled(values={"contact.id": "1", "contact.stage": "old"}), rules), rules, "welcome")
    assert passes(both, rules)
    assert "expect: nothing" in both


def test_a_rule_that_could_not_be_planned_is_expected_to_fail() -> None:
    rules = rules_of(WELCOME)
    values = {path: value for path, value in GRACE.items() if path != "contact.note"}
    text = as_test(story(enrolled(values=values), rules), rules, None)
    assert passes(text, rules)
    assert "expect: { welcome: { fails: missing_value } }" in text


def test_the_clock_of_the_day_is_kept_where_a_rule_looks_at_it() -> None:
    rules = rules_of(WELCOME.replace("contact.stage: new", "contact.since: { newer_than: 1h }"))
    values = {"contact.id": "1", **GRACE, "contact.since": str(NOW - 60_000)}
    text = as_test(story(enrolled(values=values), rules), rules, None)
    assert passes(text, rules)
    assert "occurred_at: " in text
    assert "now: " in text
    assert "now: " not in as_test(story(enrolled(), rules_of(WELCOME)), rules_of(WELCOME), None)


def test_a_step_that_failed_fails_in_the_test_too() -> None:
    rules = load(read_folder(ROOT / "rules"), ACTIONS).rule_set
    (event,) = recorded(str(ROOT / "rules" / "x"), "hubspot/contact.updated__lifecyclestage_customer")
    steps = {0: StepRecord(state="failed", at=NOW, reason="http_500")}
    text = as_test(story(event, rules, **{"customer-leaves-nurture": RunRecord(steps=steps)}), rules, None)
    assert passes(text, rules)
    assert "results: { drip: { fails: http_500 } }" in text


@pytest.mark.parametrize(("rule", "why"), [("nobody", "no rule nobody"), ("welcome", "not for events like")])
def test_a_rule_that_has_no_part_in_it_is_refused(rule: str, why: str) -> None:
    rules = rules_of(WELCOME)
    with pytest.raises(NotATest, match=why):
        as_test(story(enrolled(type="contact.created", values={}), rules), rules, rule)
