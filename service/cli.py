"""The `sluice` command. Each command reads its settings, wires what it needs, and says what it found.

Exit codes: 0 good, 1 findings (a rule problem, an event that is not there), 2 usage or settings.
"""

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Literal, NoReturn

import httpx
import msgspec
import rich_click as click
import structlog
import uvicorn
from rich.console import Console

from service import app, settings
from service.actions import ACTIONS
from service.dev import view
from service.dev.main import dev as run_dev
from service.dev.processes import NotStarted
from service.dev.samples import configured_routes, find, send
from service.engine import Loaded, load, read_paths, render
from service.errors import SettingsError
from service.observe import logs
from service.observe.mask import mask
from service.sandbox.__main__ import arguments
from service.sandbox.__main__ import run as run_sandbox
from service.sources import SOURCES
from service.store import Options, Store, dead, journal, open_store
from service.store.dead import Which
from service.store.records import DeadLetter, plain
from service.worker import main as worker

out = Console()
err = Console(stderr=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sluice")
def main() -> None:
    """HubSpot and Pipedrive webhooks in, YAML rules decide, Sakari calls out."""


def command(function: Callable[..., Coroutine[Any, Any, int | None]]) -> Callable[..., None]:
    """Run an async command; tell of settings and processes that are not as they must be, and exit 2."""

    @wraps(function)
    def run(**options: Any) -> None:
        try:
            sys.exit(asyncio.run(function(**options)) or 0)
        except SettingsError as error:
            _tell_settings(error)
        except NotStarted as error:
            _tell_settings(SettingsError([str(error)]))

    return run


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


@main.command()
@click.option("--once", is_flag=True, help="Exit after the samples: 0 if all ended as the rules say.")
@click.option(
    "--rules", type=click.Path(exists=True, file_okay=False, path_type=Path), default="rules", show_default=True
)
@click.option(
    "--fixtures",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default="tests/fixtures",
    show_default=True,
)
@click.option("--port", type=int, default=8080, show_default=True, help="For the ingress; another one if it is taken.")
@command
async def dev(once: bool, rules: Path, fixtures: Path, port: int) -> int:
    """Start everything on this machine, send sample deliveries, and show what happens."""
    redis_url = settings.given("SLUICE_REDIS_URL")
    return await run_dev(once=once, rules=rules, fixtures=fixtures, redis_url=redis_url, port=port, console=out)


@main.command()
def serve() -> None:
    """Run the ingress: webhooks in, promises out. Its settings are the README's, in the environment."""
    logs.configure()
    try:
        found = settings.read(app.WANTED)
        _warn_of_typos()
        asyncio.run(app.check(found))
        ingress = app.create_app(found)
        asyncio.run(app.check(found))
    except SettingsError as error:
        _tell_settings(error)
    wanted = found.of(settings.IngressSettings)
    uvicorn.run(ingress, host=wanted.host, port=wanted.port, log_config=None, access_log=False, server_header=False)


@main.command()
@command
async def work() -> None:
    """Run a worker: runs out, Sakari called. Its settings are the README's, in the environment."""
    logs.configure()
    found = settings.read(worker.WANTED)
    _warn_of_typos()
    await worker.work(found)


@main.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@command
async def sandbox(options: tuple[str, ...]) -> None:
    """Run a strict stand-in for Sakari (--help for its options)."""
    await run_sandbox(arguments(options))


@main.command("send")
@click.argument("source")
@click.argument("fixture")
@click.option(
    "--fresh", is_flag=True, help="Make it a new fact that occurs now; without it, a second one is a redelivery."
)
@click.option("--url", help="The ingress; by default SLUICE_PUBLIC_URL, or the running `sluice dev`.")
@click.option("--fixtures", type=click.Path(path_type=Path), default="tests/fixtures", show_default=True)
@command
async def send_command(source: str, fixture: str, fresh: bool, url: str | None, fixtures: Path) -> int:
    """Send a delivery, signed as SOURCE would, to a running ingress. FIXTURE is a name, or a folder with request.http."""
    environ = settings.environment()
    address = url or environ.get("SLUICE_PUBLIC_URL")
    if address is None:
        raise SettingsError(
            ["SLUICE_PUBLIC_URL is not set, there is no --url, and no `sluice dev` runs in this folder"]
        )
    environ.setdefault("SLUICE_PUBLIC_URL", address)
    if source not in SOURCES:
        raise click.UsageError(f"there is no source `{source}`; there are: {', '.join(SOURCES)}")
    try:
        folder = find(fixtures, source, fixture)
    except FileNotFoundError as error:
        raise click.UsageError(str(error)) from None
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            answer = await send(client, configured_routes(environ), folder, url=address, fresh=fresh)
        except httpx.TransportError as error:
            raise SettingsError(
                [f"nothing answers at {address} ({type(error).__name__}); is the ingress running?"]
            ) from None
    out.print(f"{answer.status_code} {answer.text}", highlight=False)
    if answer.is_success and answer.json().get("duplicates"):
        out.print("It was known already, so nothing is done twice. --fresh makes it a new fact.", style="dim")
    return 0 if answer.is_success else 1


@main.group()
def rules() -> None:
    """Check rules."""


@rules.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[PATH]...")
@json_option
def lint(paths: tuple[Path, ...], as_json: bool) -> None:
    """Check rule files, and all those in folders; every mistake with its place. PATH: `rules` if none is given.

    Exit 1 if there is an error.
    """
    if not paths and not Path("rules").is_dir():
        raise click.UsageError("there is no folder `rules` here: name the files or folders to check")
    try:
        files = read_paths(paths or (Path("rules"),))
    except OSError as error:
        raise click.UsageError(f"{error.filename}: {error.strerror}") from None
    loaded = load(files, ACTIONS)
    if as_json:
        click.echo(msgspec.json.encode(loaded.problems))
    else:
        for problem in loaded.problems:
            click.echo(render(problem) + "\n")
        click.echo(_summary(len(files), loaded))
    if not loaded.found:
        click.echo("warning: there is no rule in what was checked", err=True)
    sys.exit(1 if loaded.broken else 0)


def _summary(files: int, loaded: Loaded) -> str:
    errors = sum(problem.severity == "error" for problem in loaded.problems)
    counts = {"file": files, "rule": loaded.found, "error": errors, "warning": len(loaded.problems) - errors}
    said = [f"{count} {word}{'' if count == 1 else 's'}" for word, count in counts.items()]
    return f"{', '.join(said[:2])}: {', '.join(said[2:])}."


@main.group()
def events() -> None:
    """Look at accepted events."""


@events.command("list")
@click.option("--most", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most.")
@json_option
@command
async def list_events(most: int, as_json: bool) -> None:
    """List the newest events with what came of them."""
    async with _opened() as store:
        stories = [await journal.story(store, event) for event in await journal.newest(store, most)]
    if as_json:
        click.echo(msgspec.json.encode([mask(plain(story)) for story in stories]))
        return
    for story in stories:
        event = story.entry.event
        runs = ", ".join(f"{rule}: {state}" for rule, state in story.states.items()) or "no rule"
        out.print(
            f"{story.id}  {event.type:<24} {event.lane:<44} {runs}", highlight=False, markup=False, soft_wrap=True
        )
    if not stories:
        out.print("No events yet.")


@events.command("show")
@click.argument("event_id")
@click.option("--unmasked", is_flag=True, help="Show personal data.")
@json_option
@command
async def show_event(event_id: str, unmasked: bool, as_json: bool) -> int:
    """Show one event: its fields, its rules, their steps, Sakari's answers."""
    async with _opened() as store:
        try:
            event = await journal.read(store, event_id)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        if event is None:
            err.print(f"There is no event {event_id} in the journal (any more).")
            return 1
        story = await journal.story(store, event)
    if as_json:
        click.echo(msgspec.json.encode(plain(story) if unmasked else mask(plain(story))))
        return 0
    for line in view.lines(story, masked=not unmasked):
        out.print(line, highlight=False, soft_wrap=True)
    return 0


@main.group("dead")
def dead_letters() -> None:
    """Look at what could not be done, retry it, drop it."""


def which_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which dead letters are meant."""
    for option in (
        click.option("--until", "until", metavar="AGO", help="Died before this long ago, e.g. 30m."),
        click.option("--since", "since", metavar="AGO", help="Died within this time, e.g. 2h or 7d."),
        click.option("--object", "object_id", default="", help="An object's id, or type/id."),
        click.option("--kind", type=click.Choice(["run", "rule", "delivery"]), help="What died."),
        click.option("--rule", default="", help="The rule's id."),
        click.option("--reason", default="", help="The reason, as the list shows it."),
    ):
        function = option(function)
    return function


def _which(reason: str, rule: str, kind: str | None, object_id: str, since: str | None, until: str | None) -> Which:
    return Which(
        reason=reason, rule=rule, kind=kind or "", object=object_id, since=_ago(since) or 0, until=_ago(until) or 0
    )


def _ago(text: str | None) -> int | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)([smhdw])", text)
    if match is None:
        raise click.BadParameter(f"`{text}` is no duration; write 30s, 15m, 2h, 7d or 2w")
    return _now() - int(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}[match[2]] * 1000


@dead_letters.command("list")
@which_options
@click.option("--most", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most.")
@json_option
@command
async def list_dead(most: int, as_json: bool, **which: Any) -> None:
    """List the newest dead letters that fit."""
    async with _opened() as store:
        letters = await dead.newest(store, most, _which(**which))
        total = await dead.count(store)
    if as_json:
        click.echo(msgspec.json.encode([_shown(letter) for letter in letters]))
        return
    for letter in letters:
        line = f"{view.day(letter.at)}  {letter.id}  {letter.rule or letter.kind}  {letter.reason}: {letter.message}"
        out.print(line, highlight=False, markup=False, soft_wrap=True)
    out.print(f"{len(letters)} shown, {total} in all." if total else "No dead letters.", style="dim")


def _shown(letter: DeadLetter) -> dict[str, Any]:
    shown: dict[str, Any] = plain(letter)
    del shown["member"]
    return {**shown, "body": f"{len(letter.body)} bytes (--unmasked shows them)" if letter.body else ""}


@dead_letters.command("show")
@click.argument("letter_id")
@click.option("--unmasked", is_flag=True, help="Show the body of a delivery that made no sense, and what was sent.")
@json_option
@command
async def show_dead(letter_id: str, unmasked: bool, as_json: bool) -> None:
    """Show one dead letter: why it died, what was tried, and the event that it came from."""
    async with _opened() as store:
        letter = await _letter(store, letter_id)
        event = await journal.read(store, letter.event_id) if letter.event_id else None
        story = await journal.story(store, event) if event else None
    shown = _shown(letter)
    if unmasked and letter.body:
        shown["body"] = letter.body.decode(errors="replace")
    if as_json:
        click.echo(msgspec.json.encode(shown))
        return
    for name, value in shown.items():
        if value:
            text = view.day(value) if name in ("at", "occurred_at") else value
            out.print(view.printable(f"{name:<12} {text}"), highlight=False, markup=False, soft_wrap=True)
    for line in view.lines(story, masked=not unmasked) if story else []:
        out.print(line, highlight=False, soft_wrap=True)


@dead_letters.command("retry")
@click.argument("letter_ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All that fit the options below, instead of ids.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@which_options
@command
async def retry_dead(letter_ids: tuple[str, ...], everything: bool, yes: bool, **which: Any) -> int:
    """Try runs again, for another day. Steps that are done stay done."""
    return await _settle("retry", letter_ids, everything, yes, _which(**which))


@dead_letters.command("drop")
@click.argument("letter_ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All that fit the options below, instead of ids.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@which_options
@command
async def drop_dead(letter_ids: tuple[str, ...], everything: bool, yes: bool, **which: Any) -> int:
    """Forget dead letters; their runs are recorded as dropped."""
    return await _settle("drop", letter_ids, everything, yes, _which(**which))


async def _settle(
    what: Literal["retry", "drop"], letter_ids: tuple[str, ...], everything: bool, yes: bool, which: Which
) -> int:
    if bool(letter_ids) == everything:
        raise click.UsageError("give ids, or --all with options that say which")
    async with _opened() as store:
        for letter_id in letter_ids:
            await _letter(store, letter_id)
        chosen = await dead.ids(store, which) if everything else list(letter_ids)
        if everything and not yes:
            click.confirm(f"{what} {len(chosen)} dead letters?", abort=True)
        settled = await dead.settle(store, what, chosen, now=_now())
    word = {"retry": "back in their lanes", "drop": "dropped"}[what]
    out.print(f"{settled.done} {word}.", highlight=False)
    if settled.gone:
        out.print(f"{settled.gone} were taken care of already.", highlight=False)
    if settled.refused:
        out.print(f"{settled.refused} hold no run that could be tried again (see `sluice dead show`).")
    return 1 if settled.refused or (letter_ids and settled.gone) else 0


async def _letter(store: Store, letter_id: str) -> DeadLetter:
    letter = await dead.read(store, letter_id)
    if letter is None:
        raise click.ClickException(f"there is no dead letter {letter_id} (any more); see `sluice dead list`")
    return letter


@asynccontextmanager
async def _opened() -> AsyncIterator[Store]:
    """Open the store of the installation that the environment names, or of the `sluice dev` that runs here."""
    environ = settings.environment()
    if "SLUICE_REDIS_URL" not in environ and "SLUICE_REDIS_URL_FILE" not in environ:
        raise SettingsError(["SLUICE_REDIS_URL is not set, and no `sluice dev` runs in this folder"])
    found = settings.read({settings.ClientSettings: "SLUICE_"}, environ)
    store = open_store(found.of(settings.ClientSettings).redis_url, Options())
    try:
        if not await store.answers():
            raise SettingsError(["SLUICE_REDIS_URL: nothing answers there"])
        yield store
    finally:
        await store.close()


def _warn_of_typos() -> None:
    for name in settings.unknown({**app.WANTED, **worker.WANTED}):
        structlog.get_logger("sluice").warning(name)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _tell_settings(error: SettingsError) -> NoReturn:
    for problem in error.problems:
        err.print(f"sluice: {problem}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(2)
