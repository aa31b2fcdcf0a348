"""`sluice serve`: the ingress."""

import asyncio

import rich_click as click

from service import app, settings
from service.cli.command import tell_settings, warn_of_typos
from service.errors import SettingsError
from service.ingress import server
from service.ingress.wanted import WANTED
from service.observe import logs
from service.worker.wanted import WANTED as WANTED_BY_WORK


@click.command()
def serve() -> None:
    """Run the ingress: webhooks in, promises out. Its settings are the README's, in the environment."""
    logs.configure()
    try:
        found = settings.read(WANTED, more_faults=app.faults)
        warn_of_typos({**WANTED, **WANTED_BY_WORK})
        asyncio.run(app.check(found))
    except SettingsError as error:
        tell_settings(error)
    stopping = asyncio.Event()
    ingress = app.create_app(found, stopping)
    wanted = found.of(settings.IngressSettings)
    server.serve(ingress, wanted.host, wanted.port, stopping)
