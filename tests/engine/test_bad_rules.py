"""Golden files: one mistake (or kind of mistake) each, with exactly what lint says about it.

`python -m tests.rules_bad` writes what it says now beside every file; the difference is then there to be read.
"""

import re
from pathlib import Path

import pytest

from service.engine.problem import CODES
from tests.rules_bad.__main__ import FOLDER, output

BAD = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_lint_says_exactly_what_is_wrong(file: Path) -> None:
    said = output(file)
    assert said == file.with_suffix(".txt").read_text(encoding="utf-8")
    if file.stem.startswith("R"):
        assert set(re.findall(r": (?:error|warning) (R\d+): ", said)) == {file.stem.partition("-")[0]}


def test_every_code_of_rules_but_those_of_files_too_large_or_unreadable_has_a_golden_file() -> None:
    known = {code for code in CODES if code < "R6"}  # R6 is about tests, which are files of their own
    assert {file.stem.partition("-")[0] for file in BAD if file.stem.startswith("R")} == known - {
        "R109",
        "R112",
        "R113",
    }


def test_one_run_tells_every_mistake_of_a_file() -> None:
    said = (FOLDER / "many-mistakes.txt").read_text(encoding="utf-8")
    assert len(set(re.findall(r" (R\d+): ", said))) == 13
