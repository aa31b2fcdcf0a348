"""Running accepted events again: which runs a replay would add, which it would skip and why."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from service.engine import RuleSet, plan
from service.model import Run
from service.store import Store, replay
from service.store.journal import Journalled
from service.store.records import RunRecord
from service.store.replay import Addition

_SKIPS: Mapping[str, str] = {
    "waiting": "waits to be done already",
    "retrying": "is being tried already",
    "done": "is done already",
    "skipped": "was done already: no step's `if` held",
    "superseded": "was done already: newer values stood in Sakari",
    "dead": "died half done; see `sluice dead show`, and retry or drop it there",
    "dropped": "was dropped by a person",
}


class Considered(Struct, frozen=True, kw_only=True):
    """What a replay makes of one rule that matches one event."""

    event_id: str
    rule: str
    addition: Addition | None = None
    """The run to add; None if it is skipped."""
    skipped: str = ""
    """Why: a few words that follow on "its run …"."""


async def consider(store: Store, rule_set: RuleSet, event: Journalled, now_ms: int, only: str = "") -> list[Considered]:
    """Plan an event again, as of the time it came in, and look at what is known of its runs.

    `only`: this rule and no other. A run that is added expires as if it were planned now.
    """
    planned = plan(rule_set, event.entry.event, event.entry.received_at)
    matching = [rule for rule in (run.rule for run in planned.runs) if only in ("", rule)]
    if not matching and not planned.failures and not planned.shadowed:
        return []
    known = await replay.known(store, event, matching)
    considered = [_weigh(event, _afresh(run, rule_set, now_ms), known) for run in planned.runs if run.rule in matching]
    unplanned = {failure.rule: "cannot be planned: " + failure.message for failure in planned.failures}
    shadowed = dict.fromkeys(planned.shadowed, "would only be recorded: its rule is in `mode: shadow`")
    others = {rule: why for rule, why in {**unplanned, **shadowed}.items() if only in ("", rule)}
    return considered + [Considered(event_id=event.id, rule=rule, skipped=why) for rule, why in others.items()]


def _afresh(run: Run, rule_set: RuleSet, now_ms: int) -> Run:
    expires_at = now_ms + rule_set.by_id[run.rule].expires_ms
    return msgspec.structs.replace(run, planned_at=now_ms, expires_at=expires_at)


def _weigh(event: Journalled, run: Run, known: replay.Known) -> Considered:
    ledger = known.ledgers.get(run.rule)
    if ledger is None and run.rule in known.planned:
        skipped = "was added before: it waits, or it ended so long ago that its ledger is gone"
    elif ledger is not None and not _never_happened(ledger):
        skipped = _SKIPS[ledger.state]
    else:
        addition = Addition(event_id=event.id, fact_key=event.entry.event.fact_key, run=run, instead_of=ledger)
        return Considered(event_id=event.id, rule=run.rule, addition=addition)
    return Considered(event_id=event.id, rule=run.rule, skipped=skipped)


def _never_happened(ledger: RunRecord) -> bool:
    """Whether a run died before any of its steps did anything, so that another may take its place."""
    untouched = all(step.state in ("failed", "skipped") for step in ledger.steps.values())
    return ledger.state == "dead" and untouched and not ledger.reason.startswith("uncertain_")
