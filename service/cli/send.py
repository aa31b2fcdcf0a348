"""`sluice send`: a delivery to a running ingress."""

from pathlib import Path

import httpx
import rich_click as click

from service.cli.command import command, environment, out
from service.dev.samples import configured_routes, find
from service.dev.samples import send as send_delivery
from service.errors import SettingsError
from service.sources import SOURCES


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
            ["SLUICE_PUBLIC_URL is not set, there is no --url, and no `make run` or `sluice dev` runs in this folder"]
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
