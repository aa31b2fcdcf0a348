"""The `sluice` command. Each command reads its settings, wires what it needs, and says what it found.

Exit codes: 0 good, 1 findings (a rule problem, an event that is not there), 2 usage or settings.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import httpx
import msgspec
import rich_click as click
import uvicorn
from rich.console import Console

from service import app, settings
from service.actions import ACTIONS
from service.dev import view
from service.dev.main import dev as run_dev
from service.dev.processes import NotStarted
from service.dev.samples import configured_routes, find, send
from service.engine import load, read_folder, render
from service.errors import SettingsError
from service.observe import logs
from service.sandbox.__main__ import arguments
from service.sandbox.__main__ import run as run_sandbox
from service.store import Options, Store, dead, journal, open_store
from service.store.records import DeadLetter
from service.worker import main as worker

out = Console()
err = Console(stderr=True)

DAY_MS = 86_400_000


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
    """Run the ingress: webhooks in, promises out."""
    logs.configure()
    try:
        found = settings.read(app.WANTED)
        ingress = app.create_app(found)
        asyncio.run(app.check(found))
    except SettingsError as error:
        _tell_settings(error)
    wanted = found.of(settings.IngressSettings)
    uvicorn.run(ingress, host=wanted.host, port=wanted.port, log_config=None, access_log=False, server_header=False)


@main.command()
@command
async def work() -> None:
    """Run a worker: runs out, Sakari called."""
    logs.configure()
    await worker.work(settings.read(worker.WANTED))


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
    if "SLUICE_PUBLIC_URL" not in environ:
        raise SettingsError(["SLUICE_PUBLIC_URL is not set, and no `sluice dev` runs in this folder"])
    try:
        folder = find(fixtures, source, fixture)
    except FileNotFoundError as error:
        raise click.UsageError(str(error)) from None
    address = url or environ["SLUICE_PUBLIC_URL"]
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
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default="rules")
@json_option
def lint(folder: Path, as_json: bool) -> None:
    """Check all rule files of FOLDER; every mistake with its place. Exit 1 if there is an error."""
    loaded = load(read_folder(folder), {name: action.args for name, action in ACTIONS.items()})
    if as_json:
        click.echo(msgspec.json.encode(loaded.problems))
    else:
        for problem in loaded.problems:
            click.echo(render(problem) + "\n")
        errors = sum(problem.severity == "error" for problem in loaded.problems)
        click.echo(f"{len(loaded.rule_set.rules)} good rules in {len(loaded.rule_set.files)} files, {errors} errors.")
    sys.exit(1 if any(problem.severity == "error" for problem in loaded.problems) else 0)


@main.group()
def events() -> None:
    """Look at accepted events."""


@events.command("list")
@click.option("--most", type=int, default=20, show_default=True)
@json_option
@command
async def list_events(most: int, as_json: bool) -> None:
    """List the newest events with what came of them."""
    async with _opened() as store:
        stories = [await journal.story(store, event) for event in await journal.newest(store, most)]
    if as_json:
        click.echo(msgspec.json.encode(view.mask(view.plain(stories))))
        return
    for story in stories:
        event = story.entry.event
        runs = ", ".join(f"{rule}: {run.state}" for rule, run in story.runs.items()) or "no rule"
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
        plain = view.plain(story)
        click.echo(msgspec.json.encode(plain if unmasked else view.mask(plain)))
        return 0
    for line in view.lines(story, masked=not unmasked):
        out.print(line, highlight=False, soft_wrap=True)
    return 0


@main.group("dead")
def dead_letters() -> None:
    """Look at what could not be done, retry it, drop it."""


@dead_letters.command("list")
@click.option("--most", type=int, default=20, show_default=True)
@json_option
@command
async def list_dead(most: int, as_json: bool) -> None:
    """List the newest dead letters."""
    async with _opened() as store:
        letters = await dead.newest(store, most)
    if as_json:
        click.echo(msgspec.json.encode(view.mask(view.plain(letters))))
        return
    for letter in letters:
        what = letter.rule or letter.kind
        out.print(
            f"{letter.id}  {what}  {letter.reason}: {letter.message}", highlight=False, markup=False, soft_wrap=True
        )
    out.print(f"{len(letters)} dead letters." if letters else "No dead letters.", style="dim")


@dead_letters.command("show")
@click.argument("letter_id")
@click.option("--unmasked", is_flag=True, help="Show the body of a delivery that made no sense.")
@command
async def show_dead(letter_id: str, unmasked: bool) -> None:
    """Show one dead letter."""
    async with _opened() as store:
        letter = await _letter(store, letter_id)
    for name, value in msgspec.structs.asdict(letter).items():
        if name == "member" or not value:
            continue
        text = f"{len(value)} bytes (--unmasked shows them)" if name == "body" and not unmasked else value
        out.print(f"{name:<12} {text}", highlight=False, markup=False, soft_wrap=True)


@dead_letters.command("retry")
@click.argument("letter_id")
@command
async def retry_dead(letter_id: str) -> int:
    """Try a run again. Steps that are done stay done."""
    async with _opened() as store:
        letter = await _letter(store, letter_id)
        try:
            done = await dead.retry(store, letter, expires_at=_now() + DAY_MS)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    out.print(f"{letter_id} is back in its lane." if done else f"{letter_id} was taken care of already.")
    return 0 if done else 1


@dead_letters.command("drop")
@click.argument("letter_id")
@command
async def drop_dead(letter_id: str) -> int:
    """Forget a dead letter; its run is recorded as dropped."""
    async with _opened() as store:
        done = await dead.drop(store, await _letter(store, letter_id))
    out.print(f"{letter_id} is dropped." if done else f"{letter_id} was taken care of already.")
    return 0 if done else 1


async def _letter(store: Store, letter_id: str) -> DeadLetter:
    letter = await dead.read(store, letter_id)
    if letter is None:
        raise click.ClickException(f"there is no dead letter {letter_id} (any more); see `sluice dead list`")
    return letter


@asynccontextmanager
async def _opened() -> AsyncIterator[Store]:
    """Open the store of the installation that the environment names, or of the `sluice dev` that runs here."""
    found = settings.read({settings.ClientSettings: "SLUICE_"}, settings.environment())
    store = open_store(found.of(settings.ClientSettings).redis_url, Options())
    try:
        if not await store.answers():
            raise SettingsError(["SLUICE_REDIS_URL: nothing answers there"])
        yield store
    finally:
        await store.close()


def _now() -> int:
    return time.time_ns() // 1_000_000


def _tell_settings(error: SettingsError) -> NoReturn:
    for problem in error.problems:
        err.print(f"sluice: {problem}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(2)
