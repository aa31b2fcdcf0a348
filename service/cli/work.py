"""`sluice work`: a worker."""

import rich_click as click

from service import settings
from service.cli.command import command, warn_of_typos
from service.ingress.wanted import WANTED as WANTED_BY_SERVE
from service.observe import logs
from service.worker import main as worker
from service.worker.wanted import WANTED


@click.command()
@command
async def work() -> None:
    """Run a worker: runs out, Sakari called. Its settings are the README's, in the environment."""
    logs.configure()
    found = settings.read(WANTED)
    warn_of_typos({**WANTED_BY_SERVE, **WANTED})
    await worker.work(found)
