"""Why nothing was done about an event, in one line: the rule that came nearest, and what stopped it."""

from msgspec import UNSET

from service.engine.explain import ConditionVerdict, LeafVerdict
from service.insight.spoken import value
from service.insight.verdicts import Explained, Explanation

_MOST_NAMED = 3
"""Of the questions of which one would have done."""


def unmatched(explanation: Explanation | None) -> str:
    """Say why no rule did anything about an event. None: the rules of its day are not kept any more."""
    if explanation is None:
        return "no rule matched"
    near = [one for one in explanation.rules if one.near]
    if not near:
        return f"no rule is for {explanation.event.type}"
    nearest = max(near, key=_share)
    return f"no rule matched; nearest: {nearest.verdict.rule}, {_stopped(nearest)}"


def _share(one: Explained) -> float:
    """How much of a rule's questions was answered with yes; all of them, if it is only switched off."""
    answers = _answers(one.verdict.conditions)
    return 1.0 if one.verdict.matched else sum(answer is True for answer in answers) / max(1, len(answers))


def _answers(conditions: ConditionVerdict | None) -> list[bool | None]:
    if conditions is None:
        return []
    if isinstance(conditions, LeafVerdict) or conditions.combines != "all":
        return [conditions.verdict]
    return [answer for part in conditions.parts for answer in _answers(part)]


def _stopped(one: Explained) -> str:
    verdict, by = one.verdict, one.verdict.stopped_by
    if verdict.matched:
        return f"in mode: {verdict.mode}"
    if not isinstance(by, tuple):
        return "which broke"
    seen = [
        f"{leaf.path} ({'not in the event' if leaf.actual is UNSET else f'is {value(leaf.actual)}'})" for leaf in by
    ]
    named = list(dict.fromkeys(seen))
    return f"stopped by {', '.join(named[:_MOST_NAMED])}{', …' if len(named) > _MOST_NAMED else ''}"
