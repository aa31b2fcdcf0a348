"""`sluice dev|serve|work|sandbox|send`: the processes, and a delivery to one of them."""

import asyncio
from pathlib import Path

import httpx
import rich_click as click
import structlog

from service import app, settings
from service.cli.command import command, environment, out, tell_settings
from service.dev.main import dev as run_dev
from service.dev.samples import configured_routes, find
from service.dev.samples import send as send_delivery
from service.errors import SettingsError
from service.ingress import server
from service.observe import logs
from service.sandbox.__main__ import arguments
from service.sandbox.__main__ import run as run_sandbox
from service.sources import SOURCES
from service.worker import main as worker


@click.command()
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


@click.command()
def serve() -> None:
    """Run the ingress: webhooks in, promises out. Its settings are the README's, in the environment."""
    logs.configure()
    try:
        found = settings.read(app.WANTED, more_faults=app.faults)
        _warn_of_typos()
        asyncio.run(app.check(found))
    except SettingsError as error:
        tell_settings(error)
    stopping = asyncio.Event()
    ingress = app.create_app(found, stopping)
    wanted = found.of(settings.IngressSettings)
    server.serve(ingress, wanted.host, wanted.port, stopping)


@click.command()
@command
async def work() -> None:
    """Run a worker: runs out, Sakari called. Its settings are the README's, in the environment."""
    logs.configure()
    found = settings.read(worker.WANTED)
    _warn_of_typos()
    await worker.work(found)


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@command
async def sandbox(options: tuple[str, ...]) -> None:
    """Run a strict stand-in for Sakari (--help for its options)."""
    await run_sandbox(arguments(options))


@click.command()
@click.argument("source")
@click.argument("fixture")
@click.option(
    "--fresh", is_flag=True, help="Make it a new fact that occurs now; without it, a second one is a redelivery."
)
@click.option("--url", help="The ingress; by default SLUICE_PUBLIC_URL, or the running `sluice dev`.")
@click.option("--fixtures", type=click.Path(path_type=Path), default="tests/fixtures", show_default=True)
@command
async def send(source: str, fixture: str, fresh: bool, url: str | None, fixtures: Path) -> int:
    """Send a delivery, signed as SOURCE would, to a running ingress. FIXTURE is a name, or a folder with request.http."""
    environ = environment()
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
            answer = await send_delivery(client, configured_routes(environ), folder, url=address, fresh=fresh)
        except httpx.TransportError as error:
            raise SettingsError(
                [f"nothing answers at {address} ({type(error).__name__}); is the ingress running?"]
            ) from None
    out.print(f"{answer.status_code} {answer.text}", highlight=False)
    if answer.is_success and answer.json().get("duplicates"):
        out.print("It was known already, so nothing is done twice. --fresh makes it a new fact.", style="dim")
    return 0 if answer.is_success else 1


def _warn_of_typos() -> None:
    for name in settings.unknown({**app.WANTED, **worker.WANTED}):
        structlog.get_logger("sluice").warning(name)
