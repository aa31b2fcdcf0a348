"""The pages of the codes: one each, and what they tell to avoid and to prefer is tried."""

import re
from pathlib import Path

import pytest

from service.actions import ACTIONS
from service.cli.suite import recorded
from service.dev import codes_page
from service.engine import load, read_cases, untested
from service.engine.problem import CODES

ROOT = Path(__file__).parents[2]
PAGES = {page.stem: page.read_text(encoding="utf-8") for page in (ROOT / "service" / "engine" / "codes").glob("*.md")}
EACH = pytest.mark.parametrize("code", sorted(PAGES))
TRIED = pytest.mark.parametrize("code", sorted(PAGES.keys() - {"R101", "R109", "R112", "R113"}))
"""The others are about bytes and disks, and about faults of Sluice."""

GUIDE = (ROOT / "docs" / "rules" / "testing.md").read_text(encoding="utf-8")
RULES = load({"page.yaml": GUIDE.partition("```yaml\n")[2].partition("```")[0].encode()}, ACTIONS).rule_set
"""The rule that the pages of R6 write cases for."""


def block(code: str, title: str) -> bytes:
    found = re.search(rf"^## {title}\n\n```yaml\n(.*?)^```$", PAGES[code], re.MULTILINE | re.DOTALL)
    assert found is not None, f"{code} has no block under {title}"
    return found[1].encode()


def codes(code: str, raw: bytes) -> set[str]:
    """What lint finds in a block: in a rule file, or in a test file for a page of R6."""
    if not code.startswith("R6"):
        return {problem.code for problem in load({"page.yaml": raw}, ACTIONS).problems}
    cases = read_cases({str(ROOT / "rules" / "page.test.yaml"): raw}, RULES, ACTIONS, recorded)
    found = cases.problems or untested(RULES, cases.cases)
    return {problem.code for problem in found}


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert PAGES.keys() == CODES.keys()


@EACH
def test_a_page_has_its_title_and_four_parts(code: str) -> None:
    assert PAGES[code].startswith(f"# {code}: {CODES[code]}\n")
    assert re.findall(r"^## (.*)$", PAGES[code], re.MULTILINE) == ["What it does", "Why", "Avoid", "Prefer"]


@TRIED
def test_what_to_avoid_gives_this_code_alone(code: str) -> None:
    assert codes(code, block(code, "Avoid")) == {code}


@TRIED
def test_what_to_prefer_gives_nothing(code: str) -> None:
    assert codes(code, block(code, "Prefer")) == set()


def test_the_index_is_fresh() -> None:
    committed = (ROOT / "docs" / "rules" / "codes.md").read_text(encoding="utf-8")
    assert committed == codes_page.page(), "run: python -m service.dev.codes_page >docs/rules/codes.md"
