"""What every command shares: where it prints, how it runs, which installation it looks at."""

import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, NoReturn

import rich_click as click
import structlog
import uvloop
from rich.console import Console

from service import settings
from service.dev.processes import NotStarted
from service.errors import SettingsError
from service.store import Options, Store, open_store

out = Console()
err = Console(stderr=True)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


def command(function: Callable[..., Coroutine[Any, Any, int | None]]) -> Callable[..., None]:
    """Run an async command; tell of settings and processes that are not as they must be, and exit 2."""

    @wraps(function)
    def run(**options: Any) -> None:
        try:
            sys.exit(uvloop.run(function(**options)) or 0)
        except SettingsError as error:
            tell_settings(error)
        except NotStarted as error:
            tell_settings(SettingsError([str(error)]))

    return run


def environment() -> dict[str, str]:
    """Give the environment, with what a `sluice dev` running in this folder adds; it is told once if that adds anything."""
    context = click.get_current_context(silent=True)
    said = context.meta if context else {}
    if settings.from_dev() and not said.get(__name__):
        said[__name__] = True
        told = f"Settings that are not set come from {settings.DEV_FILE}: a `make run` or `sluice dev` runs in this folder."
        err.print(told, style="dim", highlight=False, soft_wrap=True)
    return settings.environment()


@asynccontextmanager
async def opened() -> AsyncIterator[Store]:
    """Open the store of the installation that the environment names, or of the `sluice dev` that runs here."""
    environ = environment()
    if "SLUICE_REDIS_URL" not in environ and "SLUICE_REDIS_URL_FILE" not in environ:
        raise SettingsError(["SLUICE_REDIS_URL is not set, and no `make run` or `sluice dev` runs in this folder"])
    found = settings.read({settings.ClientSettings: "SLUICE_"}, environ)
    store = open_store(found.of(settings.ClientSettings).redis_url, Options())
    try:
        if silence := await store.silence():
            raise SettingsError([f"SLUICE_REDIS_URL: {silence}"])
        yield store
    finally:
        await store.close()


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def ago(text: str | None) -> int | None:
    """The instant (ms) that lies `2h`, `7d` … back; None for None. Raises click.BadParameter."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,6})([smhdw])", text)
    if match is None:
        raise click.BadParameter(f"`{text}` is no duration; write 30s, 15m, 2h, 7d or 2w")
    return now_ms() - int(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}[match[2]] * 1000


def warn_of_typos(known: Mapping[Any, str]) -> None:
    """Log what looks like a setting and is none. `known`: the settings of both roles, which may share one file of them."""
    for name in settings.unknown(known):
        structlog.get_logger("sluice").warning(name)


def tell_settings(error: SettingsError) -> NoReturn:
    """Say what is wrong with the settings, and exit 2."""
    for problem in error.problems:
        err.print(f"sluice: {problem}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(2)
