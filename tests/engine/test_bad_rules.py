"""Golden files: one mistake (or kind of mistake) each, with exactly what lint says about it."""

from pathlib import Path

import pytest

from service.engine.problem import CODES
from tests.rules_bad.__main__ import FOLDER, output

BAD = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_lint_says_exactly_what_is_wrong(file: Path) -> None:
    said = output(file)
    assert said == file.with_suffix(".txt").read_text(encoding="utf-8")
    assert f" {file.stem.partition('-')[0]}: " in said


def test_every_code_of_rules_but_that_of_files_too_large_or_unreadable_has_a_golden_file() -> None:
    of_rules = {code for code in CODES if not code.startswith("R6")}
    assert {file.stem.partition("-")[0] for file in BAD} == of_rules - {"R109", "R112"}
