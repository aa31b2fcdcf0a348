"""`sluice rules test`: what it runs, what it prints, and with which code it exits."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from service.cli import main
from tests import shipped

ROOT = Path(__file__).parents[2]
RULE = """\
version: 1
rules:
  - id: marked
    event: contact.updated
    when:
      contact.stage: lead
      origin: user
    then: [{ do: update_attributes, with: { type: contacts, contact: { hubspot: { id: "${contact.id}" }, firstName: x } } }]
"""
MARKED = "[update_attributes: { type: contacts, contact: { hubspot: { id: '1' }, firstName: x } }]"
CASES = f"""\
version: 1
cases:
  - {{ name: a lead is marked, event: contact.updated, contact.stage: lead, expect: {{ marked: {MARKED} }} }}
  - {{ name: others are not, event: contact.updated, contact.stage: new, not: marked, because: contact.stage }}
"""
IMPORTED = """\
  - { name: nor imports, event: contact.updated, contact.stage: lead, origin: import, not: marked, because: origin }
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["rules", *arguments])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A rule `marked` whose cases pass and notice all but one change; the working directory is above it."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "leads.yaml").write_text(RULE)
    (tmp_path / "rules" / "leads.test.yaml").write_text(CASES)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "rules"


def test_the_rules_that_we_ship_are_covered_and_every_change_of_them_is_noticed() -> None:
    shown = run("test", *map(str, shipped.TESTS), "--strict")
    assert shown.exit_code == 0, shown.output
    assert "(100 %)" in shown.output


def test_green_is_short(folder: Path) -> None:
    (folder / "leads.test.yaml").write_text(CASES + IMPORTED)
    shown = run("test")
    assert shown.exit_code == 0
    assert shown.output == (
        "3 cases in 1 file: all passed.\n"
        "1 rule: 1 seen both to fire and to stay silent.\n"
        "6 changes to them: 6 noticed (100 %).\n"
    )


@pytest.mark.usefixtures("folder")
def test_an_unnoticed_change_is_named_and_counts_if_asked() -> None:
    shown = run("test")
    assert shown.exit_code == 0
    assert "rules/leads.yaml:7:7: marked: `origin` eq user\n    left out: no case notices" in shown.output
    assert run("test", "--strict").exit_code == 1
    assert run("test", "--strict", "--no-mutation").exit_code == 0


def test_a_rule_without_cases_is_named_and_counts_if_asked(folder: Path) -> None:
    (folder / "more.yaml").write_text(RULE.replace("marked", "other"))
    shown = run("test")
    assert shown.exit_code == 0
    assert "rules/more.yaml:3: other has no test" in shown.output
    assert run("test", "--strict", "--no-mutation").exit_code == 1
    assert run("test", "rules/leads.yaml", "--strict", "--no-mutation").exit_code == 0


def test_a_failing_case_shows_only_what_differs(folder: Path) -> None:
    (folder / "leads.test.yaml").write_text(CASES.replace("firstName: x", "firstName: y"))
    shown = run("test")
    assert shown.exit_code == 1
    assert shown.output.startswith(
        "FAILED a lead is marked\n"
        "  rules/leads.test.yaml:3\n"
        "  marked\n"
        "    call 1 update_attributes: contact.firstName\n"
        '      expected  "y"\n'
        '      actual    "x"\n\n'
    )
    assert "hubspot" not in shown.output
    assert "2 cases in 1 file: 1 failed." in shown.output
    assert "noticed (" not in shown.output


def test_a_rule_that_stayed_silent_tells_where_it_stopped(folder: Path) -> None:
    (folder / "leads.test.yaml").write_text(CASES.replace("contact.stage: lead", "contact.stage: led"))
    assert (
        "    expected: it fires; but it stays silent\n"
        '      stopped at rules/leads.yaml:6 by `contact.stage` eq lead: it is "led"\n'
    ) in run("test").output


def test_a_rule_that_needed_one_of_several_tells_each_of_them(folder: Path) -> None:
    (folder / "leads.yaml").write_text(RULE.replace("contact.stage: lead", "any: [contact.stage: lead, contact.b: 1]"))
    (folder / "leads.test.yaml").write_text(CASES.replace("contact.stage: lead", "contact.stage: led"))
    assert (
        '      stopped at rules/leads.yaml:6 by `contact.stage` eq lead: it is "led"\n'
        "      stopped at rules/leads.yaml:6 by `contact.b` eq 1: the event does not carry it\n"
    ) in run("test").output


def test_of_many_alternatives_the_first_are_told_and_the_others_counted(folder: Path) -> None:
    many = ", ".join(f"contact.b: {number}" for number in range(9))
    (folder / "leads.yaml").write_text(RULE.replace("contact.stage: lead", f"any: [contact.stage: lead, {many}]"))
    (folder / "leads.test.yaml").write_text(CASES.replace("contact.stage: lead", "contact.stage: led"))
    told = run("test").output
    assert "`contact.b` eq 3: the event does not carry it\n      and by 5 more, of which one would have done\n" in told


@pytest.mark.parametrize("path", ["rules", "rules/leads.yaml", "rules/leads.test.yaml"])
@pytest.mark.usefixtures("folder")
def test_a_topic_is_named_by_either_of_its_files(path: str) -> None:
    assert "2 cases in 1 file: all passed." in run("test", path).output


def test_a_file_is_tested_without_its_neighbours_but_may_speak_of_their_rules(folder: Path) -> None:
    (folder / "more.yaml").write_text(RULE.replace("marked", "other"))
    (folder / "more.test.yaml").write_text(CASES.replace("marked:", "other:").replace("not: marked", "not: other"))
    (folder / "leads.test.yaml").write_text(CASES.replace("expect: {", "expect: { other: fires,"))
    assert "2 cases in 1 file: all passed." in run("test", "rules/leads.yaml").output
    assert "4 cases in 2 files: all passed." in run("test").output


@pytest.mark.usefixtures("folder")
def test_cases_are_chosen_by_name() -> None:
    shown = run("test", "-k", "NOT")
    assert shown.output == "1 case in 1 file: all passed.\n"
    assert run("test", "-k", "nonsense").exit_code == 2


def test_broken_files_are_told_and_nothing_runs(folder: Path) -> None:
    (folder / "leads.test.yaml").write_text(CASES.replace("not: marked", "not: market"))
    shown = run("test")
    assert shown.exit_code == 1
    assert "rules/leads.test.yaml:4:78: error R603: there is no rule `market`" in shown.output
    assert "did you mean `marked`?" in shown.output
    (folder / "leads.yaml").write_text(RULE.replace("event:", "evnt:"))
    shown = run("test")
    assert "R202" in shown.output
    assert "R603" not in shown.output


def test_programs_get_all_of_it(folder: Path) -> None:
    told = json.loads(run("test", "--json").output)
    assert [(case["name"], case["passed"]) for case in told["cases"]] == [
        ("a lead is marked", True),
        ("others are not", True),
    ]
    assert (told["changes"]["tried"], told["changes"]["noticed"]) == (6, 5)
    (survivor,) = told["changes"]["survivors"]
    assert (survivor["file"], survivor["line"], survivor["change"]) == ("rules/leads.yaml", 7, "left out")
    (folder / "leads.test.yaml").write_text(CASES.replace("firstName: x", "firstName: y"))
    (difference,) = json.loads(run("test", "--json").output)["cases"][0]["differences"]
    assert difference["path"] == "call 1 update_attributes: contact.firstName"


def test_ci_gets_junit(folder: Path) -> None:
    def counts(*more: str) -> dict[str | None, tuple[str | None, str | None]]:
        run("test", "--junit", "report.xml", *more)
        suites = ET.parse("report.xml").getroot()  # noqa: S314  # we wrote it
        return {suite.get("name"): (suite.get("tests"), suite.get("failures")) for suite in suites}

    assert counts() == {"rules/leads.test.yaml": ("2", "0")}
    assert counts("--strict") == {"rules/leads.test.yaml": ("2", "0"), "rules": ("1", "1")}
    (folder / "leads.test.yaml").write_text(CASES.replace("firstName: x", "firstName: y"))
    assert counts() == {"rules/leads.test.yaml": ("2", "1")}
    (folder / "leads.test.yaml").write_text("version: 1\n")
    assert counts() == {"files": ("1", "1")}


def test_a_fixture_is_found_above_the_test_file(folder: Path) -> None:
    name = "hubspot/contact.updated__lifecyclestage_customer"
    case = "version: 1\ncases: [{{ name: real, fixture: {}, expect: nothing }}]\n"
    (folder / "leads.test.yaml").write_text(case.format(name))
    missing = run("test")
    assert missing.exit_code == 1
    assert f"there is no fixture `{name}`" in missing.output
    shutil.copytree(ROOT / "tests" / "fixtures" / name, folder.parent / "fixtures" / name)
    assert run("test").exit_code == 0
    (folder / "leads.test.yaml").write_text(case.format("hubspot/contact.updated__lifecycle"))
    assert "there are: contact.updated__lifecyclestage_customer" in run("test").output
    (folder / "leads.test.yaml").write_text(case.format("hubspt/x"))
    assert "`hubspt` is no source" in run("test").output


def test_lint_warns_of_rules_without_a_test_and_checks_the_tests(folder: Path) -> None:
    assert run("lint").output == "1 file, 1 rule: 0 errors, 0 warnings.\n"
    (folder / "leads.test.yaml").write_text(CASES.replace("expect:", "expct:"))
    broken = run("lint")
    assert broken.exit_code == 1
    assert "R202" in broken.output
    (folder / "leads.test.yaml").unlink()
    alone = run("lint")
    assert alone.exit_code == 0
    assert "rules/leads.yaml:3:5: warning R601: `marked` has no test" in alone.output
    (folder / "leads.yaml").write_text(RULE.replace("    event:", "    mode: off\n    event:"))
    assert "R601" not in run("lint").output
    (folder / "leads.yaml").write_text(RULE + RULE.partition("rules:\n")[2].replace("marked", "other"))
    assert run("lint").output.count(" R601: ") == 1
    assert "none of the 2 rules in this file has a test" in run("lint").output


def test_there_must_be_something_to_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("test").exit_code == 2
    assert "no case" in run("test", str(tmp_path)).output
