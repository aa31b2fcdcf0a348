"""The commands: what they print for people and for machines, and with which code they exit."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.model import Event, Misfit, Plan, PlanFailure, Run
from service.store import Options, Store, accept, dead, journal, keys, lanes, open_store, rulesets
from service.store.records import DeadLetter, StepRecord, encode

T = TypeVar("T")
NOW = 1_790_000_000_000
TUTORIAL = Path(__file__).parents[2] / "docs" / "rules" / "tutorial.md"
GOOD = """\
version: 1
rules:
  - id: r
    event: contact.updated
    then: [{ do: update_attributes, with: { type: contacts, contact: { hubspot: { id: "${contact.id}" }, firstName: x } } }]
"""
CASE = """\
version: 1
cases:
  - { name: a change fires it, event: contact.updated, contact.stage: lead, expect: r }
"""


def sluice(*arguments: str, env: dict[str, str] | None = None, answer: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, env=env, input=answer)


@pytest.fixture
def installed(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A Redis with nothing in it, that the commands find; gives a way to work on its store."""
    monkeypatch.setenv("SLUICE_REDIS_URL", redis_url)
    monkeypatch.chdir(tmp_path)

    def on(work: Callable[[Store], Awaitable[T]]) -> T:
        async def opened() -> T:
            store = open_store(redis_url, Options())
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(opened())

    on(lambda store: store.redis.flushall())
    return on


async def accepted(store: Store) -> str:
    """One event with a run that is done, one that failed, a rule that could not be planned; and a misfit."""
    event = Event(
        source="hubspot",
        account="1",
        type="contact.updated",
        object_id="7",
        occurred_at=NOW,
        fact_key="f",
        delivery_key="d",
        values={"contact.id": "7", "contact.email": "ada@example.com", "contact.stage": "customer"},
        changed=("contact.stage", "contact.email"),
    )
    runs = tuple(
        Run(
            key=f"f/{rule}",
            rule=rule,
            ruleset="v",
            lane=event.lane,
            occurred_at=NOW,
            planned_at=NOW,
            expires_at=NOW,
            values={"contact.email": "ada@example.com"},
        )
        for rule in ("good", "bad")
    )
    plan = Plan(event=event, ruleset="v", runs=runs, failures=(PlanFailure("broken", "missing_value", "no phone"),))
    receipt = await accept(store, "hubspot", [plan], [Misfit("[1]: no", b"ada@example.com?")], now=NOW)
    (lane,) = await lanes.claim(store, 1)
    step = StepRecord(state="done", at=NOW, args={"contact": {"email": "ada@example.com"}})
    await lanes.end_run(store, lane, lanes.Notes({"state": "done", "ended_at": NOW, "step:0": encode(step)}))
    letter = DeadLetter(
        id=f"{receipt.events[0]}-bad",
        kind="run",
        reason="http_400",
        message="refused",
        source="hubspot",
        at=NOW,
        rule="bad",
        lane=lane.name,
        event_id=receipt.events[0],
        occurred_at=NOW,
        run_key="f/bad",
        member=lane.head.member,
    )
    await lanes.end_run(store, lane, lanes.Notes({"state": "dead", "reason": "http_400"}), letter)
    return receipt.events[0]


def test_help_names_every_command() -> None:
    shown = sluice("-h")
    assert shown.exit_code == 0
    for name in ("dev", "serve", "work", "sandbox", "send", "rules", "events", "dead"):
        assert f" {name} " in shown.output


def test_an_unknown_command_is_a_usage_error() -> None:
    assert sluice("fly").exit_code == 2


def test_good_rules_pass(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "good.test.yaml").write_text(CASE)
    checked = sluice("rules", "lint", str(tmp_path))
    assert (checked.exit_code, checked.output) == (0, "1 file, 1 rule: 0 errors, 0 warnings.\n")
    assert sluice("rules", "lint", str(tmp_path), "--json").output == "[]\n"


def test_every_mistake_is_told_with_its_place_and_exits_1(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(GOOD.replace("update_attributes", "update_atributes").replace("id: r", "id: R"))
    checked = sluice("rules", "lint", str(tmp_path))

    assert checked.exit_code == 1
    assert "bad.yaml:3:9" in checked.output
    assert "bad.yaml:5:" in checked.output
    assert "^" in checked.output
    assert "2 files, 2 rules: 2 errors, 0 warnings." in checked.output
    problems = json.loads(sluice("rules", "lint", str(tmp_path), "--json").output)
    assert [(Path(problem["file"]).name, problem["line"]) for problem in problems] == [("bad.yaml", 3), ("bad.yaml", 5)]


def test_a_folder_of_rules_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    assert sluice("rules", "lint", str(tmp_path / "none")).exit_code == 2


@pytest.mark.usefixtures("installed")
def test_nothing_accepted_is_said_so() -> None:
    assert sluice("events", "list").output == "No events yet.\n"
    assert sluice("events", "list", "--json").output == "[]\n"
    assert sluice("dead", "list").output == "No dead letters.\n"


def test_events_are_listed_with_what_came_of_them(installed: Callable[..., Any]) -> None:
    event = installed(accepted)
    listed = sluice("events", "list")

    assert listed.exit_code == 0
    assert event in listed.output
    assert "contact.updated 7" in listed.output
    assert "good: done, bad: dead" in listed.output
    (story,) = json.loads(sluice("events", "list", "--json").output)
    assert (story["id"], story["runs"]["bad"]["reason"]) == (event, "http_400")
    assert "ada@example.com" not in json.dumps(story)


def test_the_tutorial_shows_listed_events_as_they_are(installed: Callable[..., Any]) -> None:
    installed(accepted)
    shape = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ  \d{13}-\d+  (?=.{32} \S)\w+\.\w+ \d+ +[\w-]+: \w+")
    assert shape.match(sluice("events", "list").output)
    shown = re.findall(r"^\d.*welcome-new-person: .*$", TUTORIAL.read_text(), re.MULTILINE)
    assert len(shown) == 2
    assert all(shape.fullmatch(line) for line in shown)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (("--object", "7"), True),
        (("--object", "contact/7", "--rule", "bad", "--outcome", "dead"), True),
        (("--object", "8"), False),
        (("--rule", "good", "--outcome", "dead"), False),
        (("--since", "1h"), True),
    ],
)
def test_events_are_found_by_object_rule_outcome_and_time(
    installed: Callable[..., Any], given: tuple[str, ...], found: bool
) -> None:
    event = installed(accepted)
    listed = sluice("events", "list", *given)
    assert (event in listed.output) == found
    assert found or listed.output == "None of 1 events fits.\n"
    assert sluice("events", "list", "--since", "yesterday").exit_code == 2


def test_an_event_is_shown_masked_unless_asked(installed: Callable[..., Any]) -> None:
    event = installed(accepted)
    for more in ([], ["--json"]):
        masked = sluice("events", "show", event, *more)
        plain = sluice("events", "show", event, "--unmasked", *more)
        assert (masked.exit_code, plain.exit_code) == (0, 0)
        assert "customer" in masked.output
        assert "ada@example.com" not in masked.output
        assert "ada@example.com" in plain.output
    assert json.loads(plain.output)["runs"]["good"]["steps"]["0"]["args"]["contact"]["email"] == "ada@example.com"
    shown = sluice("events", "show", event).output
    assert all(word in shown for word in ("good", "bad", "broken", "no phone"))


@pytest.mark.usefixtures("installed")
def test_an_event_that_is_not_there_exits_1_and_what_is_no_id_exits_2() -> None:
    assert sluice("events", "show", "1-1").exit_code == 1
    nonsense = sluice("events", "show", "yesterday")
    assert nonsense.exit_code == 2
    assert "no event id" in nonsense.output


def test_dead_letters_are_listed_without_personal_data(installed: Callable[..., Any]) -> None:
    event = installed(accepted)
    listed = sluice("dead", "list").output
    assert f"{event}-bad  bad  http_400: refused" in listed
    assert "broken  missing_value: no phone" in listed
    assert "delivery  malformed: [1]: no" in listed
    assert "3 shown, 3 in all." in listed

    printed = sluice("dead", "list", "--json").output
    letters = {letter["kind"]: letter for letter in json.loads(printed)}
    assert letters["run"]["id"] == f"{event}-bad"
    assert (letters["delivery"]["size"], letters["delivery"]["body"]) == (16, None)
    assert "YWRhQGV4" not in printed


def test_a_dead_letter_is_shown_with_the_commands_that_settle_it(installed: Callable[..., Any]) -> None:
    event = installed(accepted)
    shown = sluice("dead", "show", f"{event}-bad").output.splitlines()
    assert [line.strip() for line in shown[-2:]] == [f"sluice dead {what} {event}-bad" for what in ("retry", "drop")]
    (delivery,) = (letter for letter in installed(lambda store: dead.newest(store, 10)) if letter.kind == "delivery")
    assert "dead retry" not in sluice("dead", "show", delivery.id).output


def test_an_event_leads_to_its_dead_letters(installed: Callable[..., Any]) -> None:
    event = installed(accepted)
    (rule,) = (letter for letter in installed(lambda store: dead.newest(store, 10)) if letter.kind == "rule")
    several = sluice("dead", "drop", event)
    assert several.exit_code == 1
    assert f"{event} is an event with 2 dead letters" in several.output
    assert {f"{event}-bad", rule.id} <= set(several.output.replace(",", " ").split())
    assert sluice("dead", "drop", rule.id).exit_code == 0
    assert f"sluice dead retry {event}-bad" in sluice("dead", "show", event).output
    assert sluice("dead", "retry", event).output == "1 back in its lane.\n"
    assert "no dead letter" in sluice("dead", "retry", event).output


def test_a_dead_letter_is_shown_and_its_body_only_when_asked(installed: Callable[..., Any]) -> None:
    event = installed(accepted)
    shown = sluice("dead", "show", f"{event}-bad")
    assert shown.exit_code == 0
    assert "http_400" in shown.output
    assert "member" not in shown.output

    (delivery,) = (letter for letter in installed(lambda store: dead.newest(store, 10)) if letter.kind == "delivery")
    masked = sluice("dead", "show", delivery.id).output
    assert "16 bytes (--unmasked shows them)" in masked
    assert "let the CRM send it again; then drop this letter" in " ".join(masked.split())
    assert "ada@example.com?" in sluice("dead", "show", delivery.id, "--unmasked").output


def test_a_dead_letter_can_be_retried_once(installed: Callable[..., Any]) -> None:
    event = installed(accepted)
    again = sluice("dead", "retry", f"{event}-bad")
    assert (again.exit_code, again.output) == (0, "1 back in its lane.\n")
    assert sluice("dead", "retry", f"{event}-bad").exit_code == 1

    record = installed(lambda store: journal.ledger(store, "f/bad"))
    assert record.state == "retrying"
    assert record.expires_at > NOW
    assert installed(lambda store: store.redis.zcard(keys.READY)) == 1
    told = " ".join(sluice("events", "show", event).output.split())
    assert "died once: http_400, refused; retried from the command line at 20" in told


def test_only_a_run_can_be_retried(installed: Callable[..., Any]) -> None:
    installed(accepted)
    (rule,) = (letter for letter in installed(lambda store: dead.newest(store, 10)) if letter.kind == "rule")
    refused = sluice("dead", "retry", rule.id)
    assert refused.exit_code == 1
    assert "Without a run that could be tried again: 1" in refused.output


def test_a_rule_that_could_not_be_planned_says_how_to_go_on(installed: Callable[..., Any]) -> None:
    event = installed(accepted)
    (letter,) = (letter for letter in installed(lambda store: dead.newest(store, 10)) if letter.kind == "rule")
    assert f"Mend the rule; then `sluice events replay {event}`" in sluice("dead", "show", letter.id).output
    assert json.loads(sluice("dead", "show", letter.id, "--json").output)["event_id"] == event


def test_a_dead_letter_can_be_dropped_once(installed: Callable[..., Any]) -> None:
    event = installed(accepted)
    dropped = sluice("dead", "drop", f"{event}-bad")
    assert (dropped.exit_code, dropped.output) == (0, "1 dropped.\n")
    assert sluice("dead", "drop", f"{event}-bad").exit_code == 1
    assert installed(lambda store: journal.ledger(store, "f/bad")).state == "dropped"


def test_dead_letters_are_settled_by_what_is_known_of_them(installed: Callable[..., Any]) -> None:
    installed(accepted)
    assert sluice("dead", "drop").exit_code == 2
    assert sluice("dead", "list", "--since", "yesterday").exit_code == 2
    assert "No dead letters" not in sluice("dead", "list", "--reason", "http_400", "--until", "1s").output
    assert sluice("dead", "drop", "--all", "--rule", "bad", answer="n\n").exit_code == 1
    assert sluice("dead", "drop", "--all", "--rule", "bad", answer="y\n").output.endswith("1 dropped.\n")
    assert sluice("dead", "drop", "--all", "--kind", "rule", "--yes").output == "1 dropped.\n"
    assert sluice("dead", "list").output.endswith("1 shown, 1 in all.\n")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("command", ["show", "retry", "drop"])
def test_a_dead_letter_that_is_not_there_exits_1(command: str) -> None:
    missing = sluice("dead", command, "none")
    assert missing.exit_code == 1
    assert "no dead letter none" in missing.output


@pytest.mark.usefixtures("installed")
def test_a_redis_that_does_not_answer_is_named() -> None:
    told = sluice("events", "list", env={"SLUICE_REDIS_URL": "redis://127.0.0.1:1/0"})
    assert (told.exit_code, told.output) == (2, "sluice: SLUICE_REDIS_URL: nothing answers there (ConnectionError)\n")


def test_without_an_installation_the_missing_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = sluice("events", "list", env={"SLUICE_REDIS_URL": ""})
    assert told.exit_code == 2
    assert told.output == "sluice: SLUICE_REDIS_URL is not set (nor SLUICE_REDIS_URL_FILE)\n"


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("serve", {"SLUICE_REDIS_URL", "SLUICE_PUBLIC_URL", "SLUICE_PORT", "no"}),  # no source has a secret
        (
            "work",
            {"SLUICE_REDIS_URL"} | {f"SLUICE_SAKARI_{name}" for name in ("ACCOUNT_ID", "CLIENT_ID", "CLIENT_SECRET")},
        ),
    ],
)
def test_every_missing_setting_is_named_at_once(command: str, missing: set[str]) -> None:
    nothing = dict.fromkeys(missing - {"no"}, "") | {"SLUICE_PORT": "many"}
    arguments = (sys.executable, "-m", "service", command)
    told = subprocess.run(arguments, env={**os.environ, **nothing}, capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert {line.split()[1].rstrip(":") for line in told.stderr.splitlines()} == missing


def test_the_sandbox_tells_its_own_options() -> None:
    shown = sluice("sandbox", "--help")
    assert shown.exit_code == 0
    assert "usage: sluice sandbox " in shown.output
    assert "--token-lifetime" in shown.output


HERE = {"SLUICE_PUBLIC_URL": "http://127.0.0.1:1", "SLUICE_HUBSPOT_CLIENT_SECRET": "s"}
FIXTURES = str(Path(__file__).parents[1] / "fixtures")


def test_sending_an_unknown_fixture_lists_what_there_is() -> None:
    told = sluice("send", "hubspot", "contact.flown", "--fixtures", FIXTURES, env=HERE)
    assert told.exit_code == 2
    assert "contact.flown" in told.output
    assert "contact.created__ui" in told.output
    none = sluice("send", "salesforce", "x", "--fixtures", FIXTURES, env=HERE)
    assert "there is no source `salesforce`" in none.output


def test_sending_to_nobody_says_that_nobody_is_there() -> None:
    told = sluice("send", "hubspot", "contact.created__ui", "--fixtures", FIXTURES, env=HERE)
    assert told.exit_code == 2
    assert "nothing answers at http://127.0.0.1:1 (ConnectError)" in told.output


def test_sending_without_the_secret_names_what_is_missing() -> None:
    told = sluice("send", "pipedrive", "deal.updated__stage_won", "--fixtures", FIXTURES, env=HERE)
    assert told.exit_code == 2
    assert "no secret for /webhooks/pipedrive" in told.output


def test_sending_without_an_installation_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SLUICE_PUBLIC_URL", raising=False)
    told = sluice("send", "hubspot", "contact.created__ui", "--fixtures", FIXTURES)
    assert told.exit_code == 2
    assert "no `make run` or `sluice dev` runs in this folder" in told.output


def test_dev_needs_its_folders(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    assert sluice("dev", "--rules", str(tmp_path / "none")).exit_code == 2
    assert sluice("dev", "--rules", str(tmp_path / "rules"), "--fixtures", str(tmp_path / "none")).exit_code == 2


RECORDED = """\
version: 1
rules:
  - id: good
    event: contact.updated
    when: { contact.stage: { changed_to: customer } }
    then: [{ do: update_attributes, with: { type: contacts, contact: { hubspot: { id: "${contact.id}" }, email: a } } }]
"""


def test_an_event_is_printed_as_a_test_while_its_rules_are_kept(installed: Callable[..., Any], tmp_path: Path) -> None:
    event = installed(accepted)
    gone = sluice("events", "show", event, "--as-test")
    assert gone.exit_code == 1
    assert "no longer kept" in gone.output

    installed(lambda store: rulesets.keep(store, "v", {"good.yaml": RECORDED}))
    printed = sluice("events", "show", event, "--as-test")
    assert printed.exit_code == 0
    (tmp_path / "good.yaml").write_text(RECORDED)
    (tmp_path / "good.test.yaml").write_text(printed.output)
    ran = sluice("rules", "test", str(tmp_path), "--no-mutation")
    assert ran.exit_code == 0, ran.output
    assert "1 case in 1 file: all passed." in ran.output
    assert sluice("events", "show", event, "--as-test", "--rule", "nobody").exit_code == 1
    assert sluice("events", "show", event, "--rule", "good").exit_code == 2
    assert sluice("events", "show", event, "--as-test", "--json").exit_code == 2
