"""Whether a rule did what a case expects; what differs, path by path, and nothing else."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from service.engine.action_kind import ActionKind
from service.engine.case import Call, Case, Difference, Firing, Silence, Trial
from service.engine.check_reach import can_be
from service.engine.condition import Leaf, test_leaf
from service.engine.rule import Rule
from service.engine.rule_set import RuleSet
from service.engine.scope import EventScope
from service.engine.trial import attempt
from service.engine.values import to_json

FIRES: Final = "fires"
SILENT: Final = "stays silent"
ABSENT: Final = "(nothing)"

_OPEN: Final = frozenset((True, False))


def judge_all(case: Case, rules: RuleSet, actions: Mapping[str, ActionKind]) -> tuple[Difference, ...]:
    """Every difference, for all rules that the case speaks of; none if it passes."""
    concerned = [rule for rule in rules.rules if rule.id in case.expected or rule.id in case.watched]
    return tuple(found for rule in concerned for found in judge(case, rule, attempt(rule, case, actions)))


def judge(case: Case, rule: Rule, trial: Trial) -> Iterator[Difference]:
    """How what the rule did differs from what the case expects of it."""
    expected = case.expected.get(rule.id)
    if expected is None:
        if trial.fired and rule.id in case.watched:
            yield Difference(rule.id, "", SILENT, FIRES)
    elif isinstance(expected, Silence):
        yield from _judge_silence(case, rule, trial, expected)
    elif not trial.fired:
        yield Difference(rule.id, "", FIRES, SILENT)
    elif trial.fails != expected.fails:
        yield Difference(rule.id, "its plan", _planned(expected.fails), _planned(trial.fails, trial.why))
    else:
        yield from _judge_calls(rule, trial, expected)


def stands_alone(rule: Rule, case: Case, path: str) -> bool:
    """Whether the conditions on this path, and they alone, keep the rule from firing."""
    scope = EventScope(case.event)

    def answers(leaf: Leaf) -> frozenset[bool]:
        answer = test_leaf(leaf, scope, case.now_ms)
        return _OPEN if leaf.path == path else frozenset(() if answer is None else (answer,))

    return can_be(rule.when, True, answers)


def _judge_silence(case: Case, rule: Rule, trial: Trial, expected: Silence) -> Iterator[Difference]:
    if trial.fired:
        yield Difference(rule.id, "", SILENT, FIRES)
        return
    of_its_types = case.event.type in rule.events
    if of_its_types is (expected.because == "event"):
        actual = "it takes such events" if of_its_types else f"it does not take `{case.event.type}`"
        yield Difference(rule.id, "because", expected.because, actual)
    elif of_its_types and not stands_alone(rule, case, expected.because):
        yield Difference(rule.id, "because", f"{expected.because}, and nothing else", "something else stops it")


def _judge_calls(rule: Rule, trial: Trial, expected: Firing) -> Iterator[Difference]:
    if trial.unanswered:
        yield Difference(
            rule.id, f"results.{trial.unanswered}", "what this step finds, since later steps use it", ABSENT
        )
    if expected.calls is None:
        return
    wanted, made = [[call.do for call in calls] for calls in (expected.calls, trial.calls)]
    if wanted != made:
        yield Difference(rule.id, "calls", ", ".join(wanted) or "none", ", ".join(made) or "none")
    for number, (left, right) in enumerate(zip(expected.calls, trial.calls, strict=False), start=1):
        if left.do != right.do:
            return
        yield from _judge_call(rule.id, f"call {number} {left.do}", left, right)


def _judge_call(rule_id: str, which: str, wanted: Call, made: Call) -> Iterator[Difference]:
    if wanted.fails != made.fails:
        yield Difference(rule_id, which, _made(wanted.fails), _made(made.fails, made.why))
        return
    for path, left, right in _differing(wanted.args, made.args, ""):
        yield Difference(rule_id, f"{which}: {path}", left, right)


def _differing(wanted: Any, made: Any, path: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(wanted, dict) and isinstance(made, dict):
        for name in dict.fromkeys((*wanted, *made)):
            yield from _differing(wanted.get(name, ...), made.get(name, ...), f"{path}.{name}" if path else name)
    elif isinstance(wanted, list) and isinstance(made, list):
        for place in range(max(len(wanted), len(made))):
            left, right = (side[place] if place < len(side) else ... for side in (wanted, made))
            yield from _differing(left, right, f"{path}[{place}]")
    elif wanted != made or type(wanted) is not type(made):
        yield path, _shown(wanted), _shown(made)


def _shown(value: Any) -> str:
    return ABSENT if value is ... else to_json(value)


def _planned(reason: str, why: str = "") -> str:
    return _failed(reason, why) if reason else "succeeds"


def _made(reason: str, why: str = "") -> str:
    return _failed(reason, why) if reason else "is made"


def _failed(reason: str, why: str) -> str:
    return f"fails: {reason}; {why}" if why else f"fails: {reason}"
