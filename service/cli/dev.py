"""`sluice dev`: everything on this machine."""

from pathlib import Path

import rich_click as click

from service import settings
from service.cli.command import command, out
from service.dev.main import dev as run_dev


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
