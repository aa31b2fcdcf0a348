"""`sluice bench`: the measurements of `make bench`, which are part of the sources and of no installed package."""

import subprocess
import sys
from pathlib import Path

import rich_click as click

from service.cli.command import tell_settings
from service.errors import SettingsError


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def bench(options: tuple[str, ...]) -> None:
    """Measure this machine's Sluice beside its yardsticks, in a checkout of the sources (--help for its options)."""
    if not Path("tests/bench/__main__.py").is_file():
        tell_settings(
            SettingsError(
                ["bench measures the sources, and there are none here; run it in a checkout (or `make bench`)"]
            )
        )
    sys.exit(subprocess.run([sys.executable, "-m", "tests.bench", *options], check=False).returncode)  # noqa: S603 - ourselves
