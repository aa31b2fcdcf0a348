"""`sluice rules new`: write a rule to begin with, which lints."""

import sys
from pathlib import Path
from typing import Any

import rich_click as click

from service.actions import ACTIONS
from service.cli.rule_draft import Unsuited, draft
from service.cli.rules_schema import MODELINE, PLACE
from service.engine import Loaded, load, read_paths, render
from service.engine.check import ID
from service.engine.paths import EVENT_NAME, SOURCES


@click.command()
@click.argument("rule_id", metavar="ID")
@click.option("--event", metavar="EVENT", help="What it is for, e.g. contact.updated.")
@click.option("--source", type=click.Choice(SOURCES), help="The CRM.")
@click.option(
    "--action", type=click.Choice(list(ACTIONS)), default="update_attributes", show_default=True, help="Its step."
)
@click.option(
    "--file", "path", type=click.Path(dir_okay=False, path_type=Path), help="rules/SOURCE-OBJECTs.yaml if left out."
)
def new(rule_id: str, event: str | None, source: str | None, action: str, path: Path | None) -> None:
    """Write a new rule in `mode: shadow`, at the end of a file that is there or in a new one.

    On a terminal it asks for what you do not give. Nothing that is written already is changed.
    """
    if not ID.fullmatch(rule_id):
        raise click.UsageError(f"`{rule_id}` cannot be an id: small letters, digits, `-` and `_`")
    source = source or _ask("--source", "Which CRM", click.Choice(SOURCES))
    event = event or _ask("--event", "Which event (contact.updated, deal.created, …)", click.STRING)
    if not EVENT_NAME.fullmatch(event):
        raise click.UsageError(
            f"`{event}` is not the name of an event: `<object>.<verb>`, for instance contact.updated"
        )
    path = path or Path("rules", f"{source}-{event.partition('.')[0]}s.yaml")
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    folder = path.parent if path.parent.is_dir() else Path()
    before = _loaded(folder, path, old) if old else _loaded(folder, path, "version: 1\nrules: []\n")
    _refuse_taken(rule_id, before)
    text = old or _head(path)
    added = ("" if text.endswith("\n") else "\n") + ("\n" if old else "")
    added += _indented(_drafted(rule_id, event, source, action), text)
    _refuse_unsound(rule_id, before, _loaded(folder, path, text + added), path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a" if old else "x", encoding="utf-8") as file:
        file.write(added if old else text + added)
    click.echo(f"{path}: wrote the rule {rule_id}; edit it, then: sluice rules lint {path}")


def _ask(option: str, question: str, kind: Any) -> str:
    if not sys.stdin.isatty():
        raise click.UsageError(f"{option} is missing, and this is no terminal to ask on")
    return str(click.prompt(question, type=kind))


def _drafted(rule_id: str, event: str, source: str, action: str) -> str:
    try:
        return draft(rule_id, event, source, ACTIONS[action])
    except Unsuited as error:
        raise click.UsageError(str(error)) from None


def _head(path: Path) -> str:
    """The beginning of a new file; with the schema's place if there is one beside it."""
    modeline = MODELINE.format(PLACE.as_posix()) if (path.parent / PLACE).exists() else ""
    return f"{modeline}version: 1\nrules:\n"


def _indented(item: str, text: str) -> str:
    """The item as far to the right as the last one that is there."""
    dashes = [line for line in text.splitlines() if line.lstrip().startswith("- id:")]
    margin = dashes[-1][: len(dashes[-1]) - len(dashes[-1].lstrip())] if dashes else "  "
    return "".join(f"{margin}{line}\n" if line else "\n" for line in item.splitlines())


def _loaded(folder: Path, path: Path, text: str) -> Loaded:
    """Every rule beside the file, with this text in the file's place."""
    files = read_paths([folder]) if folder != Path() else {}
    return load({**files, path.as_posix(): text.encode()}, ACTIONS)


def _refuse_taken(rule_id: str, before: Loaded) -> None:
    taken = before.rule_set.by_id.get(rule_id)
    if taken is not None:
        raise click.UsageError(
            f"{taken.file}:{taken.line} has a rule `{rule_id}` already: ids are unique over all files"
        )


def _refuse_unsound(rule_id: str, before: Loaded, after: Loaded, path: Path) -> None:
    """Exit 1, with nothing written, if the file would not be what it was with one more rule."""
    known = {(problem.file, problem.line, problem.code) for problem in before.problems}
    fresh = [problem for problem in after.problems if (problem.file, problem.line, problem.code) not in known]
    lost = before.rule_set.by_id.keys() - after.rule_set.by_id.keys()
    if fresh or lost or rule_id not in after.rule_set.by_id:
        for problem in fresh:
            click.echo(f"{render(problem)}\n", err=True)
        click.echo(f"sluice: {path} is as it was: the new rule would not be sound there", err=True)
        sys.exit(1)
