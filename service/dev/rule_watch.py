"""What the ingress says of its rules while somebody edits them: which rule set is live, or which file is broken, and where."""

import asyncio

import httpx
import msgspec
from rich.console import Console
from rich.markup import escape

from service.dev.view import counted, printable
from service.ingress.http import Readiness
from service.insight.spoken import is_warning

_EVERY_S = 0.5


async def watch_rules(url: str, console: Console) -> None:
    """Tell each change that an ingress takes up, until cancelled."""
    last: Readiness | None = None
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            now = await _ask(client, url)
            if now is not None:
                for line in lines(last or now, now):
                    console.print(line, highlight=False, soft_wrap=True)
                last = now
            await asyncio.sleep(_EVERY_S)


async def _ask(client: httpx.AsyncClient, url: str) -> Readiness | None:
    """What /readyz says; None if nobody answers just now."""
    try:
        return msgspec.json.decode((await client.get(url + "/readyz")).content, type=Readiness)
    except (httpx.HTTPError, msgspec.DecodeError):
        return None


def lines(before: Readiness, now: Readiness) -> list[str]:
    """Tell in rich markup what has changed between two answers of /readyz; nothing if nothing has."""
    if (now.ruleset, now.problems) == (before.ruleset, before.problems):
        return []
    fresh = [problem for problem in now.problems if problem not in before.problems]
    told = [f"{_mark(problem)} {escape(_shown(problem))}" for problem in fresh]
    live = f"rule set {now.ruleset} is live, {counted(now.rules, 'rule')}"
    if now.ruleset != before.ruleset:
        told.append(f"[green]●[/] the rules have changed: {live}")
    elif not now.problems:
        told.append(f"[green]●[/] the rules are good again: {live}")
    elif not fresh:
        told.append(f"[yellow]●[/] {counted(len(now.problems), 'problem')} left: {live}")
    else:
        told.append(f"  [dim]{live} as before[/]")
    return told


def _mark(problem: str) -> str:
    return "[yellow]![/]" if is_warning(problem) else "[red]✗[/]"


def _shown(problem: str) -> str:
    """A message of several lines, indented to stand below its mark."""
    return "\n  ".join(printable(line) for line in problem.splitlines())
