"""What the documents say is true: their rules lint, their generated parts are fresh, their settings exist."""

import re
from pathlib import Path

import msgspec
import pytest

from service import app
from service.actions import ACTIONS
from service.dev import actions_page
from service.engine import load, read_folder, render
from service.worker import main as worker

ROOT = Path(__file__).parents[1]
BLOCKS = [
    pytest.param(block, id=f"{path.name}-{number}")
    for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
    for number, block in enumerate(re.findall(r"^```yaml\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL))
]


@pytest.mark.parametrize("block", BLOCKS)
def test_every_yaml_block_in_the_docs_lints(block: str) -> None:
    assert [render(problem) for problem in load({"docs.yaml": block.encode()}, ACTIONS).problems] == []


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
