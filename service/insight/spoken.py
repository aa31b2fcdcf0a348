"""How things are said, to whoever is told of them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from service.actions import ACTIONS
from service.store.records import RunRecord, StepRecord, Waiting

_LONGEST = 80


def rate(per_second: float) -> str:
    """So many a second, to three digits below a hundred: `0.25`, `12.5`, `100,000`."""
    return f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:.3g}"


def span(milliseconds: int | None) -> str:
    """A span of time in one unit: `12 ms`, `3.4 s`, `5 min`, `2 h`, `3 days`."""
    if milliseconds is None:
        return "–"
    for limit, size, unit in (
        (1000, 1, "ms"),
        (60_000, 1000, "s"),
        (3_600_000, 60_000, "min"),
        (86_400_000, 3_600_000, "h"),
    ):
        if milliseconds < limit:
            shown = milliseconds / size
            return f"{shown:.1f} {unit}" if unit == "s" and shown < 10 else f"{shown:.0f} {unit}"
    return f"{milliseconds / 86_400_000:.0f} days"


def value(given: Any) -> str:
    """A value within a sentence, at most 80 characters of it."""
    text = given if isinstance(given, str) else msgspec.json.encode(given, enc_hook=str).decode()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def is_warning(problem: str) -> bool:
    """Whether a problem with the rules, in words, is one that keeps nothing from being used."""
    return ": warning R" in problem.partition("\n")[0]


def lasted(run: RunRecord, accepted_at: int) -> str:
    """How long after its event (ms) a run came to its end; empty before that.

    A dropped run keeps the time of its death: when its letter was dropped, and whether by a person or by age, is not kept.
    """
    if not run.ended or not run.ended_at:
        return ""
    died = "it had died " if run.state == "dropped" else ""
    return f"{died}{span(run.ended_at - accepted_at)} after it arrived"


def hindered(run: RunRecord) -> list[str]:
    """What kept a run from ending at once, in parts: `1 failed try`, `had to wait twice`.

    Counts only: its ledger keeps the last reason, which its `message` tells, and none once it is done.
    """
    said = [f"{run.tries} failed {'try' if run.tries == 1 else 'tries'}"] if run.tries else []
    times = {1: "once", 2: "twice"}.get(run.put_off, f"{run.put_off:,} times")
    return [*said, f"had to wait {times}"] if run.put_off else said


def retried(run: RunRecord, died_message: str) -> str:
    """What came before a person had a run tried again. `died_message`: with personal data hidden if it should be."""
    times = "once" if run.retries == 1 else f"{run.retries} times, last"
    place = f" from the {run.retried_by}" if run.retried_by else ""
    why = f"{run.died_of}, {died_message}" if died_message else run.died_of
    return f"died {times}: {why}; retried{place} at"


def one_call(runs: Mapping[str, RunRecord], rule: str, step: StepRecord) -> str:
    """Which other rules of one event had a part in the call of this step; empty if none had.

    All parts of a merged write are given the same record, to the millisecond. `runs`: those of a story, by rule.
    """
    if step.state != "done" or step.do not in ACTIONS or ACTIONS[step.do].merge is None:
        return ""
    others = [other for other, run in runs.items() if other != rule and step in run.steps.values()]
    return f"one call together with {', '.join(others)}" if others else ""


def behind(ahead: Waiting, message: str) -> str:
    """What a run waits behind: the run that its lane is at, and why that one does not go on.

    `message`: that of the run ahead, with personal data hidden if it should be.
    """
    reason = ahead.record.reason
    why = f"{reason}, {message}" if reason else "its turn has not come yet"
    return f"waits behind run {ahead.run.rule} of event {ahead.event_id}: {why}"
