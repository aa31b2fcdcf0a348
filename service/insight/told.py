"""What `--json` and the admin API tell of events and dead letters: one shape for both, personal data hidden unless asked for.

In Redis the records are arrays, which say nothing to a reader. Hidden is what may hold a person's data: values, messages, what
was sent and answered; never our own times, counts and words, so that the shape is the same with and without.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from service.engine import Preview, Problem
from service.engine.explain import ConditionVerdict, StoppedBy
from service.engine.rule import Mode
from service.insight.advice import advice
from service.insight.masking import hide
from service.insight.spoken import behind
from service.insight.trial import Tried
from service.insight.verdicts import Explained, Explanation, masked_event, masked_steps
from service.model import Event, Origin, PlanFailure
from service.observe.mask import mask
from service.store.journal import Story
from service.store.records import DeadLetter, RunRecord, RunState, StepState, plain

Hide = Callable[[dict[str, Any]], dict[str, Any]]


class ToldEvent(Struct, frozen=True, kw_only=True):
    """One normalised fact of a CRM."""

    source: str
    """`hubspot` or `pipedrive`."""
    account: str
    """The CRM account: HubSpot's portal id, Pipedrive's company id."""
    type: str
    """`<object>.<verb>`, such as `contact.updated`."""
    object_id: str
    """The CRM's id of the object; empty where the CRM gives none."""
    occurred_at: int
    """When it happened in the CRM (ms)."""
    fact_key: str
    """The same for redeliveries and for overlapping subscriptions."""
    delivery_key: str
    """The same for a redelivery only."""
    values: dict[str, Any]
    """Path -> value as it is now."""
    before: dict[str, Any]
    """Path -> value before the change, where the CRM gives it."""
    changed: list[str]
    """The paths that changed."""
    actor: str
    """`user:<id>`, `app:<id>`, or empty where the CRM does not say."""
    origin: Origin
    """Who caused it."""
    attempt: int
    """How often the CRM had tried to deliver this before."""


class ToldFailure(Struct, frozen=True, kw_only=True):
    """A rule that matched, but could not be planned."""

    rule: str
    reason: str
    message: str


class ToldEntry(Struct, frozen=True, kw_only=True):
    """An accepted event, and what the rules decided."""

    event: ToldEvent
    ruleset: str
    """Version of the rule set that decided."""
    received_at: int
    """When it was accepted (ms)."""
    runs: list[str]
    """Ids of the rules that fired."""
    shadowed: list[str]
    """Ids of the rules in `mode: shadow` that matched."""
    failures: list[ToldFailure]


class ToldStep(Struct, frozen=True, kw_only=True):
    """What one step of a run did."""

    state: StepState
    at: int
    """When it ended (ms)."""
    took_ms: int
    reason: str
    """Why it was not done, in a fixed word."""
    message: str
    result: dict[str, Any]
    """What later steps use of it."""
    args: Any
    """What was sent."""
    answer: Any
    """What Sakari answered."""
    do: str
    """The action."""


class ToldRun(Struct, frozen=True, kw_only=True):
    """What one rule's run did so far."""

    state: RunState
    reason: str
    """Why it waits or ended, in a fixed word."""
    message: str
    tries: int
    """Tries that failed."""
    put_off: int
    """How often it was told to come back later: by the pace or the circuit of its account, or while a campaign was read."""
    ended_at: int
    """When it ended (ms); 0 if it has not."""
    expires_at: int
    """Until when (ms) a person's retry may go on; 0 if there was none."""
    retries: int
    """How often a person had it tried again after it had died."""
    died_of: str
    """Why it died before the last retry, in a fixed word; empty if it was never retried."""
    died_message: str
    retried_at: int
    """When it was retried last (ms); 0 if it never was."""
    retried_by: str
    """Where the person asked for that: `console`, `admin API` or `command line`."""
    behind: str
    """What it waits behind in the lane of its object, in a sentence; told of a single event only."""
    steps: dict[str, ToldStep]
    """Number of the step, from 0 -> what it did."""


class ToldStory(Struct, frozen=True, kw_only=True):
    """An event with everything that came of it so far."""

    id: str
    entry: ToldEntry
    runs: dict[str, ToldRun]
    """Rule id -> what its run did."""
    replayed: dict[str, str]
    """Rule id -> version of the rule set, for the runs that a replay added."""


class WholeStory(ToldStory, frozen=True, kw_only=True):
    """A story, and what its rules in `mode: shadow` would have called."""

    would: dict[str, list[Preview]]
    """Rule id -> its steps; empty if the rules of that day are not kept any more."""


class ToldVerdict(Struct, frozen=True, kw_only=True):
    """What one rule made of an event."""

    rule: str
    mode: Mode
    file: str
    line: int
    matched: bool
    """Whether event type and conditions fit, in whatever mode."""
    conditions: ConditionVerdict | None
    """Every question and its answer, with the value's first 1000 bytes; null if the event is not of the rule's types, or the
    rule broke."""
    stopped_by: StoppedBy
    """What kept the rule from matching: the first question that stood in the way, or, of an `any`, those of every part; or
    that the rule is for other events; or that it broke."""
    failure: ToldFailure | None
    """Why a live rule that matched gives no run."""


class ToldRule(Struct, frozen=True, kw_only=True):
    """What one rule makes of an event, and what it would call."""

    verdict: ToldVerdict
    steps: list[Preview]
    """Of a rule that matched; arguments of more than 4096 bytes are their beginning as text."""


class ToldExplanation(Struct, frozen=True, kw_only=True):
    """What a rule set makes of an event."""

    id: str
    """The event's id in the journal; empty if it is not there."""
    event: ToldEvent
    at: int
    """When it came in (ms): what conditions on dates are seen from."""
    ruleset: str
    rules: list[ToldRule]
    """Those that matched come first, then those for its type, then the others."""


class ToldLetter(Struct, frozen=True, kw_only=True):
    """Something that cannot go on without a person."""

    id: str
    kind: Literal["run", "rule", "delivery"]
    """A run that failed; a rule that could not be planned; a verified delivery that made no sense."""
    reason: str
    """In a fixed word."""
    message: str
    source: str
    at: int
    """When it died (ms)."""
    rule: str
    lane: str
    event_id: str
    occurred_at: int
    run_key: str
    size: int
    """Bytes of the delivery that made no sense; 0 for the other kinds."""
    body: str | None
    """Those bytes as text; null unless personal data was asked for."""
    advice: str
    """What to do about it."""


class ToldTrial(Struct, frozen=True, kw_only=True):
    """What came of trying a rule text."""

    problems: list[Problem]
    """The mistakes in the text."""
    rules: int
    """How many rules the text holds; those of a text with errors are not asked."""
    explanation: ToldExplanation | None
    """What its rules make of the event, if there is one."""
    fault: str
    """Why nothing could be tried, in a sentence; empty if it could."""


def told_story(story: Story, *, masked: bool = True) -> ToldStory:
    """Tell a story."""
    return ToldStory(**_story(story, masked))


def whole_story(story: Story, would: Mapping[str, tuple[Preview, ...]], *, masked: bool = True) -> WholeStory:
    """Tell a story, and what its shadow rules would have called."""
    event = story.entry.event
    shown = {rule: list(masked_steps(steps, event) if masked else steps) for rule, steps in would.items()}
    return WholeStory(**_story(story, masked), would=shown)


def told_explanation(explanation: Explanation) -> ToldExplanation:
    """Tell an explanation, which is masked already where it should be."""
    return ToldExplanation(
        id=explanation.id,
        event=_event(explanation.event),
        at=explanation.at,
        ruleset=explanation.ruleset,
        rules=[_rule(one) for one in explanation.rules],
    )


def told_trial(tried: Tried) -> ToldTrial:
    """Tell what came of trying a rule text."""
    explanation = None if tried.explanation is None else told_explanation(tried.explanation)
    return ToldTrial(problems=list(tried.problems), rules=tried.rules, explanation=explanation, fault=tried.fault)


def told_letter(letter: DeadLetter, *, masked: bool = True) -> ToldLetter:
    """Tell a dead letter."""
    shown = plain(letter) | {"size": len(letter.body), "body": None if masked else letter.body.decode(errors="replace")}
    shown["advice"] = advice(letter)
    if masked:
        shown["message"] = mask(letter.message)
    return msgspec.convert(shown, ToldLetter)


def _story(story: Story, masked: bool) -> dict[str, Any]:
    entry, event = story.entry, story.entry.event

    def hidden(part: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = hide(part, event)
        return found

    shown = hidden if masked else _as_it_is
    told = ToldEntry(
        event=_event(masked_event(event) if masked else event),
        ruleset=entry.ruleset,
        received_at=entry.received_at,
        runs=list(entry.runs),
        shadowed=list(entry.shadowed),
        failures=[_failure(failure, shown) for failure in entry.failures],
    )
    waits = {
        rule: behind(ahead, shown({"message": ahead.record.message})["message"]) for rule, ahead in story.behind.items()
    }
    runs = {rule: _run(run, waits.get(rule, ""), shown) for rule, run in story.runs.items()}
    return {"id": story.id, "entry": told, "runs": runs, "replayed": story.replayed}


def _as_it_is(part: dict[str, Any]) -> dict[str, Any]:
    return part


def _some(record: Struct, names: tuple[str, ...], shown: Hide) -> dict[str, Any]:
    """The record by names; those named here may hold personal data."""
    given: dict[str, Any] = plain(record)
    return given | shown({name: given[name] for name in names})


def _event(event: Event) -> ToldEvent:
    return msgspec.convert(plain(event), ToldEvent)


def _failure(failure: PlanFailure, shown: Hide) -> ToldFailure:
    return msgspec.convert(_some(failure, ("message",), shown), ToldFailure)


def _run(run: RunRecord, waits: str, shown: Hide) -> ToldRun:
    steps = {
        str(number): msgspec.convert(_some(step, ("message", "result", "args", "answer"), shown), ToldStep)
        for number, step in sorted(run.steps.items())
    }
    return msgspec.convert(_some(run, ("message", "died_message"), shown) | {"behind": waits, "steps": steps}, ToldRun)


def _rule(one: Explained) -> ToldRule:
    given = msgspec.structs.asdict(one.verdict)
    failure = one.verdict.failure and _failure(one.verdict.failure, _as_it_is)
    return ToldRule(verdict=ToldVerdict(**given | {"failure": failure}), steps=list(one.steps))
