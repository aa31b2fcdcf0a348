"""How things are said, to whoever is told of them."""

from typing import Any

import msgspec

from service.store.records import RunRecord, Waiting

_LONGEST = 80


def rate(per_second: float) -> str:
    """So many a second, to three digits below a hundred: `0.25`, `12.5`, `100,000`."""
    return f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:.3g}"


def value(given: Any) -> str:
    """A value within a sentence, at most 80 characters of it."""
    text = given if isinstance(given, str) else msgspec.json.encode(given, enc_hook=str).decode()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def is_warning(problem: str) -> bool:
    """Whether a problem with the rules, in words, is one that keeps nothing from being used."""
    return ": warning R" in problem.partition("\n")[0]


def retried(run: RunRecord, died_message: str) -> str:
    """What came before a person had a run tried again. `died_message`: with personal data hidden if it should be."""
    times = "once" if run.retries == 1 else f"{run.retries} times, last"
    place = f" from the {run.retried_by}" if run.retried_by else ""
    why = f"{run.died_of}, {died_message}" if died_message else run.died_of
    return f"died {times}: {why}; retried{place} at"


def behind(ahead: Waiting, message: str) -> str:
    """What a run waits behind: the run that its lane is at, and why that one does not go on.

    `message`: that of the run ahead, with personal data hidden if it should be.
    """
    reason = ahead.record.reason
    why = f"{reason}, {message}" if reason else "its turn has not come yet"
    return f"waits behind run {ahead.run.rule} of event {ahead.event_id}: {why}"
