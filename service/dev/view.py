"""Events and what came of them, for a person at a terminal."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.markup import escape

from service.insight.masking import hide
from service.insight.spoken import behind, hindered, lasted, one_call, retried, span
from service.model import Event
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

_MOST_FIELDS = 6
"""Of an event in its two lines."""


def lines(
    story: Story,
    *,
    masked: bool = True,
    would: Mapping[str, Sequence[str]] | None = None,
    unmatched: str = "no rule matched",
) -> list[str]:
    """Tell a story in lines of rich markup. `masked` hides what looks like personal data.

    `would`: rule -> lines on what it would have called, for rules in `mode: shadow`. `unmatched`: what to say if no rule
    matched.
    """
    told = head(story.entry.event, story.entry.received_at, story.id, masked=masked)
    for rule, run in story.runs.items():
        told += _run(rule, run, story, masked)
    for rule in story.shadowed:
        told.append(f"    [dim]◌ {escape(rule)}  shadow: would have run, called nothing[/]")
        told += (would or {}).get(rule, ())
    told += [f"    [red]✗ {escape(f.rule)}[/]  {escape(f.message)}  → sluice dead list" for f in story.failures]
    if not story.states:
        told.append(f"    [dim]{escape(unmatched)}[/]")
    return [printable(line) for line in told]


def head(event: Event, at: int, event_id: str, *, masked: bool = False) -> list[str]:
    """Tell what happened, in two lines of rich markup. `at`: when it came in (ms)."""
    where = f"{event.source} {event.account}  {event.object_type} {event.object_id or '?'}"
    told = hide(event.values, event) if masked else event.values
    telling = _telling(event.values, event.changed)
    facts = ", ".join(_pair(path, told[path]) for path in telling[:_MOST_FIELDS])
    if len(telling) > _MOST_FIELDS:
        facts += f" [dim]and {len(telling) - _MOST_FIELDS} more (--json)[/]"
    by = f"by {escape(event.actor or 'nobody named')} ({event.origin})"
    return [
        f"[cyan]●[/] [bold]{escape(event.type)}[/]  {escape(where)}  [dim]{_clock(at)}  {event_id}[/]",
        f"    {facts or '[dim]no fields[/]'}  [dim]{by}[/]",
    ]


def _run(rule: str, run: RunRecord, story: Story, masked: bool) -> list[str]:
    lasting = lasted(run, story.entry.received_at)
    took = f"  [dim]{lasting}[/]" if lasting else ""
    held = "".join(f"  [yellow]{part}[/]" for part in hindered(run))
    why = f"  {escape(run.message)}" if run.message else ""
    why += f"  [dim]added by a replay under {story.replayed[rule]}[/]" if rule in story.replayed else ""
    told = [f"    {_MARKS[run.state]} [bold]{escape(rule)}[/]  {run.state}{took}{held}{why}"]
    if run.retries:
        message = hide(run.died_message, story.entry.event) if masked else run.died_message
        told.append(f"        {escape(retried(run, message))} {day(run.retried_at)}")
    if rule in story.behind:
        ahead = story.behind[rule]
        message = hide(ahead.record.message, story.entry.event) if masked else ahead.record.message
        told.append(f"        {escape(behind(ahead, message))}")
    return told + [
        _step(number, step, story.entry.event, masked, one_call(story.runs, rule, step))
        for number, step in sorted(run.steps.items())
    ]


def _step(number: int, step: StepRecord, event: Event, masked: bool, together: str) -> str:
    def shown(part: Any) -> Any:
        return hide(part, event) if masked else part

    parts = [f"        {_MARKS[step.state]} step {number + 1} {step.do}"]
    if step.args is not None:
        parts.append(escape(short(shown(step.args))))
    if step.result:
        parts.append("→ " + ", ".join(_pair(path, value) for path, value in shown(step.result).items()))
    if step.state != "done":
        parts.append(escape(f"{step.state}: {step.reason}"))
        if step.answer is not None:
            parts.append("[dim]answered[/] " + escape(short(shown(step.answer))))
    else:
        parts.append(f"[dim]{span(step.took_ms)}[/]")
    if together:
        parts.append(f"[dim]{escape(together)}[/]")
    return "  ".join(parts)


def _telling(values: dict[str, Any], changed: tuple[str, ...]) -> list[str]:
    """The paths that say most: what changed, else everything that is not about the delivery itself."""
    return [path for path in changed if path in values] or [
        path for path in values if not path.startswith(("hubspot.", "pipedrive.")) and not path.endswith(".id")
    ]


def _pair(path: str, value: Any) -> str:
    return escape(f"{path} = {short(value)}")


def short(value: Any) -> str:
    """Say a value in at most 160 characters."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 160 else text[:159] + "…"


def _clock(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%H:%M:%S.%f")[:-3] + "Z"


def printable(text: str) -> str:
    """Take out what would control the terminal: a CRM's values come from anybody."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def day(at: int) -> str:
    """Say an instant (ms) to the second, in UTC like the console and the logs."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def counted(number: int, word: str) -> str:
    """Say how many: `1 run`, `1,200 runs`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"
