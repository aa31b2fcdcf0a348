"""What the documents say is true: their rules lint, their tests pass, their generated parts are fresh, their settings exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from service import app
from service.actions import ACTIONS
from service.cli.suite import recorded
from service.dev import actions_page
from service.engine import judge_all, load, read_cases, read_folder, render
from service.worker import main as worker

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]


def yaml_blocks(page: Path) -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def is_test(block: str) -> bool:
    return "\ncases:\n" in block


RULES = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(yaml_blocks(page))
    if not is_test(block)
]


def docs_cases() -> Iterator[object]:
    """Each block of test cases, with the block of rules that stands before it on its page."""
    for page in PAGES:
        rules = ""
        for number, block in enumerate(yaml_blocks(page)):
            if is_test(block):
                yield pytest.param(rules, block, id=f"{page.name}-{number}")
            else:
                rules = block


@pytest.mark.parametrize("block", RULES)
def test_every_yaml_block_in_the_docs_lints(block: str) -> None:
    assert [render(problem) for problem in load({"docs.yaml": block.encode()}, ACTIONS).problems] == []


@pytest.mark.parametrize(("rules", "block"), list(docs_cases()))
def test_every_test_case_in_the_docs_passes(rules: str, block: str) -> None:
    rule_set = load({"docs.yaml": rules.encode()}, ACTIONS).rule_set
    read = read_cases({"docs.test.yaml": block.encode()}, rule_set, ACTIONS, recorded)
    assert [render(problem) for problem in read.problems] == []
    assert read.cases
    assert {
        case.name: judge_all(case, rule_set, ACTIONS) for case in read.cases if judge_all(case, rule_set, ACTIONS)
    } == {}


def test_the_rules_that_we_ship_lint() -> None:
    loaded = load(read_folder(ROOT / "rules"), ACTIONS)
    assert [render(problem) for problem in loaded.problems] == []
    assert len(loaded.rule_set.rules) >= 4


def test_the_pages_of_the_actions_are_fresh() -> None:
    folder = ROOT / "docs" / "rules"
    pages = actions_page.pages()
    assert {path: (folder / path).read_text() for path in pages} == pages, "run: python -m service.dev.actions_page"
    assert {f"actions/{page.name}" for page in (folder / "actions").glob("*.md")} == pages.keys() - {"actions.md"}


def test_the_readme_names_every_setting_and_no_other() -> None:
    wanted = {
        prefix + field.name.upper()
        for kind, prefix in [*app.WANTED.items(), *worker.WANTED.items()]
        for field in msgspec.structs.fields(kind)  # type: ignore[arg-type]
    }
    table = (ROOT / "README.md").read_text().partition("## Configuration")[2].partition("## Where")[0]
    assert set(re.findall(r"`(SLUICE_[A-Z0-9_]+)`", table)) == wanted
