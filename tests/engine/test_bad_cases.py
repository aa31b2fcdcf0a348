"""Golden files: one kind of mistake in a test file each, with exactly what lint says about it."""

from pathlib import Path

import pytest

from service.engine.problem import CODES
from tests.cases_bad.__main__ import FOLDER, output

BAD = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_lint_says_exactly_what_is_wrong(file: Path) -> None:
    said = output(file)
    assert said == file.with_suffix(".txt").read_text(encoding="utf-8")
    assert f" {file.stem.partition('-')[0]}: " in said


def test_every_code_of_tests_has_a_golden_file() -> None:
    of_tests = {code for code in CODES if code.startswith("R6")}
    assert of_tests - {file.stem.partition("-")[0] for file in BAD} == {"R601"}  # that one is about rules
