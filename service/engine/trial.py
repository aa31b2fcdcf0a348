"""Trying a rule on the event of a case: the plan, and the calls that its run would make with mocked results."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import structs

from service.engine.action_kind import ActionKind
from service.engine.case import Call, Case, MockFailure, Trial
from service.engine.fill import fill_in
from service.engine.paths import head
from service.engine.plan import decide
from service.engine.rule import Rule, Step
from service.engine.scope import EventScope, StepScope
from service.errors import Permanent
from service.model import PlanFailure, Run


def attempt(rule: Rule, case: Case, actions: Mapping[str, ActionKind]) -> Trial:
    """What the rule does. A rule in shadow or off is tried as if it were live: its mode is not what is tested."""
    if case.event.type not in rule.events:
        return Trial(fired=False)
    live = rule if rule.mode == "live" else structs.replace(rule, mode="live")
    decision = decide(live, EventScope(case.event), case.now_ms, "")
    if isinstance(decision, PlanFailure):
        return Trial(fired=True, fails=decision.reason, why=decision.message)
    return _carry_out(live, decision, case, actions) if isinstance(decision, Run) else Trial(fired=False)


def _carry_out(rule: Rule, run: Run, case: Case, actions: Mapping[str, ActionKind]) -> Trial:
    """The steps as a worker takes them, up to the one that fails."""
    calls: list[Call] = []
    results: dict[str, Any] = {}
    for place, step in enumerate(rule.steps):
        scope = StepScope(run.values, results)
        if step.applies(scope, case.now_ms) is not True:
            continue
        call = _call(actions[step.do], step, scope)
        calls.append(call)
        given = case.results.get(step.name) if step.name else None
        if call.fails or isinstance(given, MockFailure):
            break
        if given is not None:
            results[step.name] = given
        elif _is_used(step, rule.steps[place + 1 :]):
            return Trial(fired=True, calls=tuple(calls), unanswered=step.name)
    return Trial(fired=True, calls=tuple(calls))


def _call(action: ActionKind, step: Step, scope: StepScope) -> Call:
    try:
        args = fill_in(action, step, scope)
        if action.target is not None:
            action.target(args)
    except Permanent as fault:
        return Call(step.do, fails=fault.reason, why=str(fault))
    return Call(step.do, msgspec.to_builtins(args))


def _is_used(step: Step, later: tuple[Step, ...]) -> bool:
    return any(head(path) == step.name for other in later for path in other.results)
