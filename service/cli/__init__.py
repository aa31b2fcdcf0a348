"""The `sluice` command. Each command reads its settings, wires what it needs, and says what it found.

Exit codes: 0 good, 1 findings (a rule problem, an event that is not there), 2 usage or settings.
"""

import rich_click as click

from service.cli.lazy_group import LazyGroup


@click.group(
    cls=LazyGroup,
    places={
        "dev": "service.cli.dev:dev",
        "serve": "service.cli.serve:serve",
        "work": "service.cli.work:work",
        "sandbox": "service.cli.sandbox:sandbox",
        "send": "service.cli.send:send",
        "rules": "service.cli.rules:rules",
        "events": "service.cli.events:events",
        "dead": "service.cli.dead:dead_letters",
        "accounts": "service.cli.accounts:accounts",
        "doctor": "service.cli.doctor:doctor",
        "bench": "service.cli.bench:bench",
    },
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="sluice")
def main() -> None:
    """HubSpot and Pipedrive webhooks in, YAML rules decide, Sakari calls out."""
