"""`sluice rules …`: what rule authors use before their rules go live."""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import rich_click as click

from service.actions import ACTIONS
from service.cli.command import json_option
from service.cli.suite import lint_tests
from service.engine import Problem, load, read_paths, render


@click.group()
def rules() -> None:
    """Check rules."""


@rules.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[PATH]...")
@json_option
def lint(paths: tuple[Path, ...], as_json: bool) -> None:
    """Check rule files and their tests, and all those in folders; every mistake with its place.

    PATH: `rules` if none is given.

    Exit 1 if there is an error.
    """
    if not paths and not Path("rules").is_dir():
        raise click.UsageError("there is no folder `rules` here: name the files or folders to check")
    try:
        files = read_paths(paths or (Path("rules"),))
        loaded = load(files, ACTIONS)
        problems = (*loaded.problems, *lint_tests(paths or (Path("rules"),)))
    except OSError as error:
        raise click.UsageError(f"{error.filename}: {error.strerror}") from None
    if as_json:
        click.echo(msgspec.json.encode(problems))
    else:
        for problem in problems:
            click.echo(render(problem) + "\n")
        click.echo(_summary(len(files), loaded.found, problems))
    if not loaded.found:
        click.echo("warning: there is no rule in what was checked", err=True)
    sys.exit(1 if any(problem.severity == "error" for problem in problems) else 0)


def _summary(files: int, rules_found: int, problems: Sequence[Problem]) -> str:
    errors = sum(problem.severity == "error" for problem in problems)
    counts = {"file": files, "rule": rules_found, "error": errors, "warning": len(problems) - errors}
    said = [f"{count} {word}{'' if count == 1 else 's'}" for word, count in counts.items()]
    return f"{', '.join(said[:2])}: {', '.join(said[2:])}."
