"""`sluice sandbox`: a stand-in for Sakari."""

import rich_click as click

from service.cli.command import command
from service.sandbox.__main__ import arguments
from service.sandbox.__main__ import run as run_sandbox


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@command
async def sandbox(options: tuple[str, ...]) -> None:
    """Run a strict stand-in for Sakari (--help for its options)."""
    await run_sandbox(arguments(options, typed="sluice sandbox"))
