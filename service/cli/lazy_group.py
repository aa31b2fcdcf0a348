"""Groups of commands that are imported when they are asked for: who starts a worker need not load what the others need.

As click's documentation has it: https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import rich_click as click


class LazyGroup(click.RichGroup):
    """Knows its commands by name, and imports each with its first use. Its help uses all of them."""

    def __init__(self, *args: Any, places: Mapping[str, str], **options: Any) -> None:
        """`places`: name of a command -> `module:attribute`."""
        super().__init__(*args, **options)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command's name, in order."""
        return sorted({*super().list_commands(ctx), *self._places})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, unless that has been done; None if there is none of that name."""
        if cmd_name in self._places and cmd_name not in self.commands:
            module, _, attribute = self._places[cmd_name].partition(":")
            self.add_command(getattr(import_module(module), attribute), cmd_name)
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was typed; for a name that is none, click looks for a near miss among those it has."""
        if args[0] not in self.list_commands(ctx):
            for name in self._places:
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)
