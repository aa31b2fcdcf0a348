"""`sluice accounts`: the Sakari accounts in use, how fast they go, and whether they can be called."""

import msgspec
import rich_click as click
from rich.table import Table

from service.cli.command import command, json_option, now_ms, opened, out
from service.insight.spoken import rate
from service.store import pace
from service.store.pace import AccountState


@click.command()
@json_option
@command
async def accounts(as_json: bool) -> int:
    """Show the Sakari accounts in use. Exits 1 if one of them cannot be called just now."""
    async with opened() as store:
        states = await pace.states(store)
    if as_json:
        click.echo(msgspec.json.encode(states))
    elif states:
        _tell(states, now_ms())
    else:
        out.print("No account has been called yet.", style="dim")
    return int(any(state.circuit != "closed" for state in states))


def _tell(states: list[AccountState], now: int) -> None:
    table = Table("account", "calls/s now", "of", "circuit", "queue", "since, and why")
    for state in states:
        goes = state.circuit == "closed"  # if not, there is no pace, and the queue stands until the next probe
        table.add_row(
            state.name,
            rate(state.rate_now) if goes else "–",
            rate(state.rate),
            f"[{'green' if goes else 'red'}]{state.circuit}[/]",
            _span(state.queue_ms) if goes else "–",
            _why(state, now),
        )
    out.print(table)


def _why(state: AccountState, now: int) -> str:
    if state.circuit != "closed":
        probe = f"next probe in {_span(max(0, state.probe_at - now))}"
        return f"{_span(max(0, now - state.since))}: {state.message}; {probe}"
    if state.hold_until:
        return f"Sakari asked for a pause: {_span(max(0, state.hold_until - now))} left"
    return "slower after a 429" if state.rate_now < state.rate else ""


def _span(ms: int) -> str:
    """Say a span of time: `0 s`, `42 s`, `3 min`."""
    return f"{ms / 1000:.0f} s" if ms < 120_000 else f"{ms / 60_000:.0f} min"
