"""What fails while `sluice dev` is up: an account of Sakari that cannot be called, a process that ended unasked."""

import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from service.dev.view import printable
from service.store import Store, pace
from service.store.pace import AccountState

_EVERY_S = 0.5

PARTS = {
    "sandbox": ("the stand-in for Sakari", "calls fail, and runs wait"),
    "worker": ("the worker", "events are accepted, and wait"),
    "ingress": ("the ingress", "nothing is accepted"),
}
"""Name of a process -> what it is, and what comes of its end."""


async def watch_accounts(store: Store, console: Console) -> None:
    """Tell when the circuit of an account opens or closes, until cancelled."""
    last: dict[str, str] = {}
    while True:
        for account in await pace.states(store):
            if account.circuit != last.get(account.name, "closed"):
                console.print(circuit_line(account), highlight=False, soft_wrap=True)
            last[account.name] = account.circuit
        await asyncio.sleep(_EVERY_S)


def circuit_line(account: AccountState) -> str:
    """Tell in rich markup how an account does now that its circuit has changed."""
    name, why = escape(account.name), escape(printable(account.message))
    if account.circuit == "closed":
        return f"[green]●[/] circuit closed: Sakari answers again, and account {name} works off what has waited"
    if account.circuit == "paused":
        return (
            f"[red]✗[/] account {name} paused: Sakari refuses it; its runs wait, and it is tried every minute ({why})"
        )
    return f"[red]✗[/] circuit opened: Sakari is down; runs of account {name} wait, and it is tried until it answers ({why})"


async def watch_processes(processes: Mapping[str, asyncio.subprocess.Process], folder: Path, console: Console) -> None:
    """Tell when one of them ends, until cancelled. `folder`: where their logs are."""
    running = dict(processes)
    while True:
        for name, process in list(running.items()):
            if process.returncode is not None:
                del running[name]
                console.print(end_line(name, process.returncode, folder), highlight=False, soft_wrap=True)
        await asyncio.sleep(_EVERY_S)


def end_line(name: str, code: int, folder: Path) -> str:
    """Tell in rich markup that a process has ended, and with what exit code (-9: killed by signal 9)."""
    part, effect = PARTS[name]
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"[red]✗[/] {part} has ended unasked ({how}): {effect}; see {folder}/{name}.log, then start everything anew"
