"""`sluice rules …`: what rule authors use before their rules go live."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rich_click as click

from service.actions import ACTIONS
from service.cli.command import json_option
from service.cli.lazy_group import LazyGroup
from service.cli.rules_report import FORMS, code_page
from service.cli.suite import lint_tests
from service.engine import Loaded, Problem, load, read_paths
from service.engine.problem import CODES, near


@click.group(
    cls=LazyGroup,
    places={
        "backtest": "service.cli.rules_backtest:backtest",
        "explain": "service.cli.rules_explain:explain",
        "new": "service.cli.rules_new:new",
        "schema": "service.cli.rules_schema:schema",
        "test": "service.cli.rules_test:test",
    },
)
def rules() -> None:
    """Check rules, test them, write new ones, set up your editor."""


@rules.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[PATH]...")
@click.option("--format", "form", type=click.Choice(list(FORMS)), help="text (the default), json, or annotations.")
@json_option
@click.option("--strict", is_flag=True, help="Exit 1 also if there is only a warning.")
@click.option("--explain", "code", metavar="CODE", help="Print the page of a code, e.g. R203, and check nothing.")
def lint(paths: tuple[Path, ...], form: str | None, as_json: bool, strict: bool, code: str | None) -> None:
    """Check rule files and their tests, and all those in folders; every mistake with its place.

    PATH: `rules` if none is given.

    Exit 1 if there is an error. `--format github` makes annotations for a workflow on GitHub.
    """
    if code is not None:
        _explain(code)
        return
    if as_json and form not in (None, "json"):
        raise click.UsageError(f"--json and --format {form} ask for two forms at once")
    if not paths and not Path("rules").is_dir():
        raise click.UsageError("there is no folder `rules` here: name the files or folders to check")
    try:
        loaded, problems, files = _checked(paths or (Path("rules"),))
    except OSError as error:
        raise click.UsageError(f"{error.filename}: {error.strerror}") from None
    said = FORMS["json" if as_json else form or "text"](problems, files, loaded.found)
    if said:
        click.echo(said)
    if not loaded.found and not problems:
        click.echo("warning: there is no rule in what was checked", err=True)
    sys.exit(1 if any(strict or problem.severity == "error" for problem in problems) else 0)


def _checked(paths: tuple[Path, ...]) -> tuple[Loaded, tuple[Problem, ...], int]:
    """The rules, what is wrong with them and with their tests, and how many rule files there are. Raises OSError."""
    with _no_garbage():
        files = read_paths(paths)
        loaded = load(files, ACTIONS)
        return loaded, (*loaded.problems, *lint_tests(paths, loaded)), len(files)


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Rules are trees without cycles: looking for some takes almost as long as checking the rules."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _explain(code: str) -> None:
    page = code_page(code)
    if page is None:
        raise click.UsageError(f"there is no code {code}; {near(code.upper(), CODES)}")
    click.echo(page, nl=False)
