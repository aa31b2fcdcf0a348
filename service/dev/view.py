"""Events and what came of them, for a person at a terminal."""

import re
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct, structs
from rich.markup import escape

from service.store.journal import Story
from service.store.records import RunRecord, StepRecord

_MARKS = {
    "done": "[green]✓[/]",
    "skipped": "[dim]–[/]",
    "superseded": "[dim]≺[/]",
    "dead": "[red]✗[/]",
    "failed": "[red]✗[/]",
    "retrying": "[yellow]↻[/]",
    "dropped": "[dim]✗[/]",
    "waiting": "[yellow]…[/]",
    "pending": "[yellow]…[/]",
}
_PERSONAL = re.compile(r"email|phone|mobile|number|name|address", re.IGNORECASE)


def lines(story: Story, *, masked: bool = True) -> list[str]:
    """Tell a story in lines of rich markup. `masked` hides what looks like personal data."""
    event = story.entry.event
    what = f"{event.source} {event.account}  {event.object_type} {event.object_id or '?'}"
    head = f"[bold]{escape(event.type)}[/]  {escape(what)}"
    facts = ", ".join(_pair(path, event.values[path], masked) for path in _telling(event.values, event.changed)[:6])
    by = escape(f"by {event.actor or 'nobody named'} ({event.origin})")
    told = [
        f"[cyan]●[/] {head}  [dim]{_clock(story.entry.received_at)}  {story.id}[/]",
        f"    {facts or '[dim]no fields[/]'}  [dim]{by}[/]",
    ]
    for rule, run in story.runs.items():
        told += _run(rule, run, story, masked)
    told += [f"    [dim]◌ {escape(rule)}  shadow: would have run, called nothing[/]" for rule in story.entry.shadowed]
    told += [f"    [red]✗ {escape(f.rule)}[/]  {escape(f.message)}  → sluice dead list" for f in story.entry.failures]
    if len(told) == 2:
        told.append("    [dim]no rule was meant for it[/]")
    return told


def _run(rule: str, run: RunRecord, story: Story, masked: bool) -> list[str]:
    took = f"  [dim]{run.ended_at - story.entry.received_at} ms after it arrived[/]" if run.ended_at else ""
    tries = f"  [yellow]after {run.tries} failed tries[/]" if run.tries else ""
    why = f"  {escape(run.message)}" if run.message else ""
    told = [f"    {_MARKS[run.state]} [bold]{escape(rule)}[/]  {run.state}{took}{tries}{why}"]
    return told + [_step(number, step, masked) for number, step in sorted(run.steps.items())]


def _step(number: int, step: StepRecord, masked: bool) -> str:
    parts = [f"        {_MARKS[step.state]} step {number + 1}"]
    if step.args is not None:
        parts.append(escape(_short(step.args, masked)))
    if step.result:
        parts.append("→ " + ", ".join(_pair(path, value, masked) for path, value in step.result.items()))
    if step.state != "done":
        parts.append(escape(f"{step.state}: {step.reason}"))
    else:
        parts.append(f"[dim]{step.took_ms} ms[/]")
    return "  ".join(parts)


def _telling(values: dict[str, Any], changed: tuple[str, ...]) -> list[str]:
    """The paths that say most: what changed, else everything that is not about the delivery itself."""
    return [path for path in changed if path in values] or [
        path for path in values if not path.startswith(("hubspot.", "pipedrive.")) and not path.endswith(".id")
    ]


def _pair(path: str, value: Any, masked: bool) -> str:
    return escape(f"{path} = {'•••' if masked and _PERSONAL.search(path) else _short(value, masked)}")


def _short(value: Any, masked: bool) -> str:
    text = msgspec.json.encode(mask(value) if masked else value).decode() if not isinstance(value, str) else value
    return text if len(text) <= 160 else text[:159] + "…"


def plain(value: Any) -> Any:
    """Give back what the store keeps as plain data with a name for every field; of bytes, only how many there are."""
    if isinstance(value, Struct):
        return {name: plain(inner) for name, inner in structs.asdict(value).items()}
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else value


def mask(value: Any, name: str = "") -> Any:
    """Give back plain data with everything hidden whose name suggests personal data."""
    if isinstance(value, dict):
        return {key: mask(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [mask(inner, name) for inner in value]
    return "•••" if _PERSONAL.search(name) and value is not None else value


def _clock(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
