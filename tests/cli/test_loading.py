"""A command loads what it needs, and no more: what `sluice` imports is paid for at every start."""

import subprocess
import sys

import pytest
import rich_click as click
from click.testing import CliRunner

from service.cli import main

LOADED = "import sys; from service.cli import main; main(sys.argv[1:], standalone_mode=False); print(*sys.modules)"


def loaded(*arguments: str) -> set[str]:
    """Everything that a process has imported once it has answered."""
    command = (sys.executable, "-c", LOADED, *arguments)
    told = subprocess.run(command, check=True, capture_output=True, text=True)
    return set(told.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("command", "needless"),
    [
        (
            "--version",
            {"service.store", "service.engine", "service.app", "litestar", "service.sakari.connection", "arq", "redis"},
        ),
        ("serve --help", {"service.worker.main", "arq", "service.sakari.connection", "service.sandbox"}),
        ("work --help", {"service.app", "service.console", "litestar", "service.sandbox"}),
        ("rules lint --help", {"service.app", "service.worker", "litestar", "service.sakari.connection", "arq"}),
        ("events list --help", {"service.app", "service.worker", "litestar", "service.sakari.connection", "arq"}),
        ("send --help", {"service.app", "service.worker", "litestar", "service.sakari.connection", "arq"}),
    ],
)
def test_a_command_loads_nothing_that_only_others_need(command: str, needless: set[str]) -> None:
    found = loaded(*command.split())
    assert "service.cli" in found
    assert found & needless == set()


@pytest.mark.parametrize("words", ["", "rules", "events"])
def test_the_help_of_a_group_names_every_command_in_order_and_says_what_it_does(words: str) -> None:
    group: click.Command | None = main
    for word in words.split():
        assert isinstance(group, click.Group)
        group = group.get_command(click.Context(group), word)
    assert isinstance(group, click.Group)
    context = click.Context(group)
    told = CliRunner().invoke(main, [*words.split(), "--help"], env={"COLUMNS": "300"}).output
    shown = [line.strip("│ ").split(maxsplit=1) for line in told.partition("Commands")[2].splitlines()[1:-1]]
    assert [name for name, _ in shown] == sorted(group.list_commands(context))
    for name, said in shown:
        command = group.get_command(context, name)
        assert command is not None
        assert command.get_short_help_str(300).removesuffix(".") in said


@pytest.mark.parametrize(("typed", "meant"), [("serv", "serve"), ("rules lnt", "lint"), ("rules backtst", "backtest")])
def test_a_misspelt_command_is_told_the_near_miss(typed: str, meant: str) -> None:
    result = CliRunner().invoke(main, typed.split())
    assert result.exit_code == 2
    assert f"Did you mean '{meant}'?" in result.output
