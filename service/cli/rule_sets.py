"""Which rules a command is about: a folder, a Git reference of it, those in force, those of a version."""

import io
import subprocess
import tarfile
from pathlib import Path, PurePosixPath

import rich_click as click

from service.actions import ACTIONS
from service.cli.command import err
from service.engine import RuleSet, is_rule_file, load, read_folder
from service.store import Store, rulesets


def of_folder(folder: Path) -> RuleSet:
    """The rules of a folder. Raises click.UsageError if it cannot be read."""
    try:
        return compiled(read_folder(folder))
    except OSError as error:
        raise click.UsageError(f"the rules folder `{folder}` cannot be read: {error.strerror}") from None


def of_git(folder: Path, ref: str) -> RuleSet:
    """The rules that a folder held at a Git reference of its repository. Raises click.UsageError."""
    if ref.startswith("-"):
        raise click.UsageError(f"`{ref}` is no Git reference")
    where = folder if folder.is_dir() else Path()
    command = ["git", "-C", str(where), "archive", "--format=tar", ref]
    try:
        archive = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - no shell, checked above
    except FileNotFoundError:
        raise click.UsageError(f"there is no folder `{ref}`, and no git here to look for it as a reference") from None
    if archive.returncode:
        said = archive.stderr.decode(errors="replace").strip().rpartition("\n")[2].removeprefix("fatal: ")
        raise click.UsageError(f"`{ref}` is neither a folder nor a Git reference of the rules in `{folder}`: {said}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        files = {
            member.name: content.read()
            for member in tar
            if is_rule_file(PurePosixPath(member.name)) and (content := tar.extractfile(member)) is not None
        }
    return compiled(files)


async def in_force(store: Store) -> RuleSet:
    """The rules that an ingress took into use last. Raises click.UsageError if Redis does not know any."""
    found = await rulesets.in_force(store)
    if found is None:
        raise click.UsageError(
            "Redis knows of no rules in force (has `sluice serve` ever run?); name some with --rules"
        )
    return _of_texts(found[1])


async def of_version(store: Store, version: str) -> RuleSet | None:
    """The rules of a version; None if Redis does not have it any more."""
    files = await rulesets.read(store, version)
    return None if files is None else _of_texts(files)


def _of_texts(files: dict[str, str]) -> RuleSet:
    return compiled({name: text.encode() for name, text in files.items()})


def compiled(files: dict[str, bytes]) -> RuleSet:
    """The rules of files; which of them are broken, and so left out, is told."""
    loaded = load(files, ACTIONS)
    for name in sorted(loaded.broken):
        err.print(
            f"{name} has errors, so its rules are left out; see `sluice rules lint`", style="yellow", markup=False
        )
    return loaded.rule_set
