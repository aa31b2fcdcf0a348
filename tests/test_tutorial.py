"""Whoever follows the tutorial sees what it shows: its commands are run on its files, one step after the other.

Left out are the steps that need a running Sluice: their times and ids are other ones each time.
"""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from service.cli import main

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "rules" / "tutorial.md").read_text()
RULE, CASES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
STEPS = re.findall(r"^```sh\nsluice (rules [^\n]*)\n```\n\n```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
"""A command, and what it is said to print."""


def _printed(command: str, *, status: int = 0) -> str:
    result = CliRunner().invoke(main, command.split())
    assert result.exit_code == status, result.output
    return result.stdout


def test_every_step_prints_what_the_tutorial_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    monkeypatch.chdir(tmp_path)
    rule, cases = Path("rules/welcome.yaml"), Path("rules/welcome.test.yaml")
    (lint, slips), (explain, verdict), (test, lacking), (again, complete) = STEPS

    rule.write_text(RULE.replace("person.created", "person.create").replace(" | e164", ""))
    assert _printed(lint) == slips

    rule.write_text(RULE)
    assert "1 warning." in _printed(lint)
    assert _printed(explain).endswith(verdict)  # before that, the time at which it was asked

    cases.write_text(CASES.rpartition("\n  - name:")[0])
    assert _printed(test) == lacking
    cases.write_text(CASES)
    assert _printed(again) == complete

    rule.write_text(RULE.replace("    mode: shadow\n", ""))
    assert "0 errors, 0 warnings." in _printed("rules lint")
    assert _printed("rules test --strict") == complete
    assert "welcome-new-person  fires" in _printed(explain)
