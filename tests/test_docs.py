"""What the documents say is true: their rules lint, their tests pass, their generated parts are fresh, their settings exist."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import rich_click as click

from service.actions import ACTIONS
from service.cli import main as sluice
from service.cli.suite import recorded
from service.dev import actions_page
from service.engine import cover, examine, judge_all, load, read_cases, render
from service.ingress.wanted import WANTED
from service.worker.wanted import WANTED as WORKS
from tests import shipped

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
COOKBOOK = ROOT / "docs" / "rules" / "cookbook"
RECIPES = [page for page in PAGES if page.parent == COOKBOOK and page.name != "README.md"]


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


@pytest.mark.parametrize("page", RECIPES, ids=lambda page: page.stem)
def test_the_cases_of_a_recipe_notice_every_change_of_its_rules(page: Path) -> None:
    rules, cases = yaml_blocks(page)
    rule_set = load({"docs.yaml": rules.encode()}, ACTIONS).rule_set
    read = read_cases({"docs.test.yaml": cases.encode()}, rule_set, ACTIONS, recorded)
    assert [rule.id for rule in rule_set.rules if not cover(rule, read.cases, ACTIONS).complete] == []
    assert [examine(rule, read.cases, ACTIONS).survivors for rule in rule_set.rules] == [()] * len(rule_set.rules)


def test_all_recipes_can_stand_beside_the_rules_that_we_ship() -> None:
    recipes = {f"{page.stem}.yaml": yaml_blocks(page)[0].encode() for page in RECIPES}
    assert [render(problem) for problem in load({**shipped.CONTENT, **recipes}, ACTIONS).problems] == []


def test_the_index_of_the_cookbook_names_every_recipe() -> None:
    table = (COOKBOOK / "README.md").read_text().partition("\n## ")[0]
    assert sorted(re.findall(r"^\| \[.*\]\(([\w-]+)\.md\) \|", table, re.MULTILINE)) == [page.stem for page in RECIPES]


def test_the_rules_that_we_ship_lint() -> None:
    loaded = load(shipped.CONTENT, ACTIONS)
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
        for kind, prefix in [*WANTED.items(), *WORKS.items()]
        for field in msgspec.structs.fields(kind)
    }
    table = (ROOT / "README.md").read_text().partition("## Configuration")[2].partition("## Where")[0]
    assert set(re.findall(r"`((?:SLUICE|OTEL)_[A-Z0-9_]+)`", table)) == wanted


def commands() -> Iterator[object]:
    """Every `sluice …` that a page tells the reader to type, without its comment."""
    for page in PAGES:
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            for line in re.findall(r"^(?:\.venv/bin/)?sluice (.*)$", block, re.MULTILINE):
                yield pytest.param(line, id=f"{page.name}: {line.partition('  ')[0]}")


@pytest.mark.parametrize("line", list(commands()))
def test_every_command_in_the_docs_exists_and_takes_what_it_is_given(line: str) -> None:
    command: click.Command | None = sluice
    words = shlex.split(line, comments=True)
    while isinstance(command, click.Group):
        command = command.get_command(click.Context(command), words.pop(0))
    assert command is not None, "there is no such command"
    parser = command.make_parser(click.Context(command))
    given, left, _ = parser.parse_args(words)  # names and arguments only: the files and ids are made up
    assert left == []
    assert [
        parameter.name for parameter in command.params if parameter.required and not given.get(parameter.name)
    ] == []


def test_doctor_on_a_machine_is_given_what_the_units_are_and_no_shell_reads_secrets() -> None:
    page = (ROOT / "docs" / "operations" / "machine.md").read_text().partition("## Without Docker")[2]
    (asked,) = (
        block for block in re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL) if "doctor" in block
    )
    words = shlex.split(asked)
    assert words[0] == "systemd-run"
    unit = [one for line in re.findall(r"^Environment=(.*SLUICE_RULES.*)$", page, re.MULTILINE) for one in line.split()]
    assert [word.removeprefix("--setenv=") for word in words if word.startswith("--setenv=")] == unit
    for process in ("ingress", "worker"):
        assert f"--property=EnvironmentFile=/etc/sluice/{process}.env" in words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_nobody_is_told_to_install_another_project(page: Path) -> None:
    """The public package index has a `sluice` that is not ours."""
    assert re.findall(r"pip install\b.* '?sluice\b", page.read_text()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_a_heading_find_it(page: Path) -> None:
    for path, anchor in re.findall(r"\]\(((?!https?:)[^)#]*)#([^)]+)\)", page.read_text()):
        target = page.parent / path if path else page
        titles = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, (
            f"{path}#{anchor}"
        )
