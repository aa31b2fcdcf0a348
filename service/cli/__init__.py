"""The `sluice` command. Each command reads its settings, wires what it needs, and says what it found.

Exit codes: 0 good, 1 findings (a rule problem, an event that is not there), 2 usage or settings.
"""

import rich_click as click

from service.cli.accounts import accounts
from service.cli.bench import bench
from service.cli.dead import dead_letters
from service.cli.doctor import doctor
from service.cli.events import events
from service.cli.events_replay import replay_events
from service.cli.processes import dev, sandbox, send, serve, work
from service.cli.rules import rules
from service.cli.rules_backtest import backtest
from service.cli.rules_explain import explain
from service.cli.rules_new import new
from service.cli.rules_schema import schema
from service.cli.rules_test import test


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sluice")
def main() -> None:
    """HubSpot and Pipedrive webhooks in, YAML rules decide, Sakari calls out."""


events.add_command(replay_events)
rules.add_command(explain)
rules.add_command(backtest)
rules.add_command(test)
rules.add_command(new)
rules.add_command(schema)
for _command in (dev, serve, work, sandbox, send, rules, events, dead_letters, accounts, doctor, bench):
    main.add_command(_command)
