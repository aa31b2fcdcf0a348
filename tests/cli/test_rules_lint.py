"""`sluice rules lint`: what it reads, what it says, and its exit code."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from service.cli import main

RULE = """version: 1
rules:
  - id: {}
    event: contact.updated
    then: [{{ do: fetch_executions, with: {{ campaign: {} }} }}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with three rules in `rules`: one good, one with an error, one with a warning."""
    (tmp_path / "rules" / "sub").mkdir(parents=True)
    (tmp_path / "rules" / "a.yaml").write_text(RULE.format("a", "c"))
    (tmp_path / "rules" / "b.yml").write_text(RULE.format("b", "660412"))
    (tmp_path / "rules" / "sub" / "c.yaml").write_text(RULE.format("c", "c").replace("updated", "moved"))
    (tmp_path / "rules" / "a.test.yaml").write_text("no rule file")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lint(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["rules", "lint", *arguments])


@pytest.mark.usefixtures("folder")
def test_every_file_and_rule_counts_whether_good_or_not() -> None:
    answer = lint()
    assert answer.exit_code == 1
    assert "rules/b.yml:5:54: error R504: `campaign` is a number, not text\n" in answer.stdout
    assert "rules/sub/c.yaml:4:12: warning R208: " in answer.stdout
    assert answer.stdout.endswith("\n3 files, 3 rules: 1 error, 1 warning.\n")
    assert answer.stderr == ""


def test_files_and_folders_can_be_named(folder: Path) -> None:
    assert lint("rules/a.yaml").stdout == "1 file, 1 rule: 0 errors, 0 warnings.\n"
    assert lint("rules/a.yaml").exit_code == 0
    several = lint(
        "rules/sub", str(folder / "rules" / "a.yaml"), "rules/a.yaml", "rules/a.test.yaml", "rules/sub/c.yaml"
    )
    assert several.exit_code == 0
    assert several.stdout.endswith("\n2 files, 2 rules: 0 errors, 1 warning.\n")


@pytest.mark.usefixtures("folder")
def test_a_warning_can_count_as_an_error() -> None:
    assert lint("rules/sub").exit_code == 0
    assert lint("rules/sub", "--strict").exit_code == 1
    assert lint("rules/a.yaml", "--strict").exit_code == 0


def test_an_id_is_unique_over_all_that_is_named(folder: Path) -> None:
    (folder / "more.txt").write_text(RULE.format("a", "c"))
    assert "R206: the id `a` is used twice" in lint("rules/a.yaml", "more.txt").stdout


@pytest.mark.usefixtures("folder")
def test_machines_get_the_problems() -> None:
    answer = lint("--json")
    assert answer.exit_code == 1
    assert [(problem["file"], problem["code"]) for problem in json.loads(answer.stdout)] == [
        ("rules/b.yml", "R504"),
        ("rules/sub/c.yaml", "R208"),
    ]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_no_rule_at_all_is_worth_a_warning(folder: Path, options: list[str]) -> None:
    (folder / "empty").mkdir()
    answer = lint("empty", *options)
    assert answer.exit_code == 0
    assert answer.stdout in ("0 files, 0 rules: 0 errors, 0 warnings.\n", "[]\n")
    assert answer.stderr == "warning: there is no rule in what was checked\n"


def test_a_file_that_cannot_be_read_is_said_once(folder: Path) -> None:
    (folder / "broken").mkdir()
    (folder / "broken" / "r.yaml").write_text("rules: {")
    answer = lint("broken")
    assert (answer.exit_code, answer.stderr) == (1, "")
    assert "1 error, 0 warnings" in answer.stdout


def test_what_is_not_there_is_a_mistake_of_the_caller(folder: Path) -> None:
    assert lint("nothing").exit_code == 2
    (folder / "rules").rename(folder / "elsewhere")
    assert lint().exit_code == 2
    (folder / "link.yaml").symlink_to("link.yaml")
    assert lint("link.yaml").exit_code == 2
    (folder / "elsewhere" / "gone.yaml").symlink_to("nowhere")
    dangling = lint("elsewhere")
    assert (dangling.exit_code, "gone.yaml" in dangling.output) == (1, True)
