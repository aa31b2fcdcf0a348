"""The forms in which lint tells what it found, and the pages of its codes."""

import json
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from service.cli import main
from service.cli.rules_report import github
from service.engine import Problem

BAD = Path(__file__).parents[1] / "rules_bad"


@pytest.fixture
def bad(tmp_path: Path) -> str:
    """A file with a mistake, in a folder of its own: lint reads every file beside it."""
    return str(shutil.copy(BAD / "R209-mode.yaml", tmp_path))


def lint(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["rules", "lint", *arguments])


def test_text_says_how_to_read_more(bad: str) -> None:
    answer = lint(bad)
    assert answer.exit_code == 1
    assert answer.stdout.splitlines()[-2:] == [
        "What a code means: sluice rules lint --explain R209",
        "1 file, 1 rule: 1 error, 0 warnings.",
    ]


def test_a_code_is_explained() -> None:
    answer = lint("--explain", "r315")
    assert answer.exit_code == 0
    assert answer.stdout.startswith("# R315: A condition can never hold\n\n## What it does\n")


@pytest.mark.parametrize("code", ["R999", "../R315", ""])
def test_a_code_that_is_not_there_is_a_mistake_of_the_caller(code: str) -> None:
    assert lint("--explain", code).exit_code == 2


def test_json_may_be_asked_for_in_two_ways_but_not_against_another_form(bad: str) -> None:
    assert json.loads(lint("--json", bad).stdout) == json.loads(lint("--format", "json", bad).stdout)
    assert lint("--json", "--format", "github", bad).exit_code == 2


def test_github_shows_problems_on_their_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a,b.yaml").write_bytes((BAD / "R209-mode.yaml").read_bytes())
    answer = lint("--format", "github", "a,b.yaml")
    assert answer.exit_code == 1
    assert answer.stdout == (
        "::error file=a%2Cb.yaml,line=5,col=11,title=Sluice R209::`mode` cannot be `shadwo`"
        "%0Adid you mean `shadow`? allowed: live, shadow, off\n"
    )


def test_github_hears_nothing_of_good_rules() -> None:
    assert lint("--format", "github", "rules").stdout == ""


@given(st.text(), st.text(), st.text(min_size=1))
def test_an_annotation_is_one_line_whatever_a_file_holds(file: str, message: str, hint: str) -> None:
    problem = Problem(
        code="R102", severity="error", file=file, line=1, column=2, message=message, hint=hint, source_line=""
    )
    said = github([problem], 1, 1)
    shape = re.fullmatch(r"::error file=([^,:\n]*),line=1,col=2,title=Sluice R102::([^\r\n]*)", said)
    assert shape is not None
    assert (unquote(shape[1]), unquote(shape[2])) == (file, f"{message}\n{hint}")
