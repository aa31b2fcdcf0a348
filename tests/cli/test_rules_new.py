"""`sluice rules new` and `schema`: what is written lints, and what is there stays as it is."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from service.actions import ACTIONS
from service.cli import main
from service.cli.rules_schema import schema_text
from service.engine import load, read_folder

STEP = "{ do: fetch_executions, with: { campaign: c } }"
OLD = """# Mine.
version: 1
rules:
    - id: old   # stays
      event: contact.enrolled
      then: [{ do: fetch_executions, with: { campaign: c } }]"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a folder `rules`."""
    (tmp_path / "rules").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(*arguments: str, **more: str) -> Result:
    return CliRunner().invoke(main, ["rules", "new", *arguments], **more)  # type: ignore[arg-type]


PEOPLE = [("contact.updated", "hubspot"), ("contact.enrolled", "hubspot"), ("person.created", "pipedrive")]
LINKED = [("deal.updated", "pipedrive"), ("activity.created", "pipedrive"), ("lead.created", "pipedrive")]


@pytest.mark.parametrize(
    ("action", "event", "source"),
    [
        *((action, *known) for action in ACTIONS for known in PEOPLE),
        *((action, *known) for action in ("fetch_executions", "update_attributes") for known in LINKED),
        ("update_attributes", "deal.updated", "hubspot"),
        ("update_attributes", "ticket.created", "hubspot"),
    ],
)
def test_a_new_rule_lints_and_calls_nothing_yet(action: str, event: str, source: str) -> None:
    answer = new("first", "--event", event, "--source", source, "--action", action)
    assert answer.exit_code == 0, answer.output
    loaded = load(read_folder(Path("rules")), ACTIONS)
    assert loaded.problems == ()
    (rule,) = loaded.rule_set.rules
    assert (rule.id, rule.events, rule.mode, rule.steps[0].do) == ("first", (event,), "shadow", action)


@pytest.mark.parametrize(
    ("event", "source", "written", "absent"),
    [
        ("deal.updated", "pipedrive", 'pipedrive: { id: "${deal.person_id}" }', "${deal.id}"),
        ("activity.created", "pipedrive", "activity.person_id: { exists: true }", "${activity.id}"),
        ("deal.updated", "hubspot", "type: deals", "type: contacts"),
    ],
)
def test_the_id_of_a_deal_is_never_a_persons(event: str, source: str, written: str, absent: str) -> None:
    assert new("first", "--event", event, "--source", source, "--file", "rules/x.yaml").exit_code == 0
    text = Path("rules/x.yaml").read_text()
    assert written in text
    assert absent not in text


@pytest.mark.parametrize(
    ("action", "event", "source", "why"),
    [
        ("upsert_contact", "deal.updated", "hubspot", "needs `phone`"),
        ("upsert_contact", "company.enrolled", "hubspot", "needs `firstname`"),
        ("fetch_executions", "deal.enrolled", "hubspot", "do not say whose"),
        ("update_attributes", "2-123.updated", "hubspot", "do not say whose"),
        ("upsert_contact", "deal.updated", "pipedrive", "use events of `person`"),
        ("fetch_executions", "organization.updated", "pipedrive", "do not say whose"),
    ],
)
def test_what_would_write_to_nobody_is_refused(action: str, event: str, source: str, why: str) -> None:
    answer = new("first", "--event", event, "--source", source, "--action", action)
    assert answer.exit_code == 2
    assert why in " ".join(answer.output.replace("│", "").split())
    assert list(Path("rules").iterdir()) == []


def test_a_rule_is_added_below_what_is_there() -> None:
    file = Path("rules/hubspot-contacts.yaml")
    file.write_text(OLD)
    assert new("added", "--event", "contact.updated", "--source", "hubspot").exit_code == 0
    text = file.read_text()
    assert text.startswith(OLD + "\n\n    - id: added\n")
    assert load(read_folder(Path("rules")), ACTIONS).rule_set.by_id.keys() == {"old", "added"}


def test_a_new_file_names_the_schema_that_lies_beside_it() -> None:
    assert CliRunner().invoke(main, ["rules", "schema", "--write"]).output == "wrote rules/.schema/rules.json\n"
    new("first", "--event", "contact.updated", "--source", "hubspot", "--file", "rules/x.yaml")
    assert (
        Path("rules/x.yaml").read_text().startswith("# yaml-language-server: $schema=.schema/rules.json\nversion: 1\n")
    )


def test_the_schema_is_printed() -> None:
    answer = CliRunner().invoke(main, ["rules", "schema"])
    assert json.loads(answer.output) == json.loads(schema_text())


@pytest.mark.parametrize(
    "old",
    [
        f"version: 1\nrules: [{{ id: old, event: contact.enrolled, then: [{STEP}] }}]\n",
        f"rules:\n  - id: old\n    event: contact.enrolled\n    then: [{STEP}]\nversion: 1\n",
        "version: 1\nrules:\n  - id: [\n",
    ],
)
def test_a_file_that_cannot_take_a_rule_at_its_end_stays_as_it_is(old: str) -> None:
    Path("rules/x.yaml").write_text(old)
    answer = new("added", "--event", "contact.updated", "--source", "hubspot", "--file", "rules/x.yaml")
    assert answer.exit_code == 1
    assert "rules/x.yaml is as it was" in answer.stderr
    assert Path("rules/x.yaml").read_text() == old


def test_a_rule_that_would_not_lint_is_not_written() -> None:
    answer = new("first", "--event", "contact.created", "--source", "hubspot", "--action", "upsert_contact")
    assert (answer.exit_code, "R312" in answer.stderr) == (1, True)
    assert list(Path("rules").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Bad Id", "--event", "contact.updated", "--source", "hubspot"], "cannot be an id"),
        (["x", "--event", "contact", "--source", "hubspot"], "is not the name of an event"),
        (["x", "--source", "hubspot"], "--event is missing"),
        (["old", "--event", "contact.updated", "--source", "hubspot"], "has a rule `old` already"),
    ],
)
def test_what_is_asked_for_wrongly_is_told(arguments: list[str], said: str) -> None:
    Path("rules/mine.yaml").write_text(OLD)
    answer = new(*arguments)
    assert answer.exit_code == 2
    assert said in " ".join(answer.output.replace("│", "").split())
