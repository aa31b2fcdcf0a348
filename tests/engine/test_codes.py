"""The pages of the codes: one each, and what they tell to avoid and to prefer is tried."""

import re
from pathlib import Path

import pytest

from service.actions import ACTIONS
from service.dev import codes_page
from service.engine import load
from service.engine.problem import CODES

ROOT = Path(__file__).parents[2]
PAGES = {page.stem: page.read_text(encoding="utf-8") for page in (ROOT / "service" / "engine" / "codes").glob("*.md")}
EACH = pytest.mark.parametrize("code", sorted(PAGES))
TRIED = pytest.mark.parametrize(
    "code", sorted(code for code in PAGES if code[1] < "6" and code not in ("R101", "R109"))
)
"""R101 and R109 are about bytes, R6 about files beside the rules."""


def block(code: str, title: str) -> bytes:
    found = re.search(rf"^## {title}\n\n```yaml\n(.*?)^```$", PAGES[code], re.MULTILINE | re.DOTALL)
    assert found is not None, f"{code} has no block under {title}"
    return found[1].encode()


def codes(raw: bytes) -> set[str]:
    return {problem.code for problem in load({"page.yaml": raw}, ACTIONS).problems}


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert PAGES.keys() == CODES.keys()


@EACH
def test_a_page_has_its_title_and_four_parts(code: str) -> None:
    assert PAGES[code].startswith(f"# {code}: {CODES[code]}\n")
    assert re.findall(r"^## (.*)$", PAGES[code], re.MULTILINE) == ["What it does", "Why", "Avoid", "Prefer"]


@TRIED
def test_what_to_avoid_gives_this_code_alone(code: str) -> None:
    assert codes(block(code, "Avoid")) == {code}


@TRIED
def test_what_to_prefer_gives_nothing(code: str) -> None:
    assert codes(block(code, "Prefer")) == set()


def test_the_index_is_fresh() -> None:
    committed = (ROOT / "docs" / "rules" / "codes.md").read_text(encoding="utf-8")
    assert committed == codes_page.page(), "run: python -m service.dev.codes_page >docs/rules/codes.md"
