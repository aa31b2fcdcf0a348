"""What the rules decide for one event: pure, the same for the same event, rules and time; it never raises."""

from service.engine.condition import evaluate
from service.engine.index import candidates
from service.engine.rule import Rule
from service.engine.rule_set import RuleSet
from service.engine.scope import EventScope
from service.engine.values import MISSING
from service.model import Event, Plan, PlanFailure, Run


def plan(rule_set: RuleSet, event: Event, now_ms: int) -> Plan:
    """The runs of every matching rule, in the order of the rule set. `now_ms`: milliseconds since the epoch."""
    scope = EventScope(event)
    positions = candidates(rule_set.index, scope)
    if not positions:
        return Plan(event=event, ruleset=rule_set.version)
    runs: list[Run] = []
    shadowed: list[str] = []
    failures: list[PlanFailure] = []
    for position in positions:
        rule = rule_set.rules[position]
        decision = decide(rule, scope, now_ms, rule_set.version)
        if isinstance(decision, Run):
            runs.append(decision)
        elif isinstance(decision, PlanFailure):
            failures.append(decision)
        elif decision:
            shadowed.append(rule.id)
    return Plan(
        event=event, ruleset=rule_set.version, runs=tuple(runs), shadowed=tuple(shadowed), failures=tuple(failures)
    )


def decide(rule: Rule, scope: EventScope, now_ms: int, ruleset: str) -> Run | PlanFailure | bool:
    """One rule, one event of its types: a run, a failure, or whether the rule is a matching one in `mode: shadow`."""
    try:
        if evaluate(rule.when, scope, now_ms) is not True:
            return False
        return rule.mode == "shadow" or missing(rule, scope) or _run(rule, scope, now_ms, ruleset)
    except Exception as fault:  # noqa: BLE001  # one faulty rule must not cost the others their run
        return rule_error(rule, fault)


def missing(rule: Rule, scope: EventScope) -> PlanFailure | None:
    """The failure of a rule whose unconditional steps need what the event does not carry."""
    for step in rule.steps:
        if step.conditional:
            continue
        if absent := [path for path in step.needs if scope.get(path) is MISSING]:
            lacks = ", ".join(sorted(absent))
            message = f"rule {rule.id}, step {step.index + 1} ({step.do}): the event carries no {lacks}"
            return PlanFailure(rule.id, "missing_value", message)
    return None


def rule_error(rule: Rule, fault: Exception) -> PlanFailure:
    """The failure of a rule that broke; the type of the error only, since its text may hold values of the event."""
    return PlanFailure(rule.id, "rule_error", f"rule {rule.id}: {type(fault).__name__}")


def _run(rule: Rule, scope: EventScope, now_ms: int, ruleset: str) -> Run:
    event = scope.event
    values = {path: scope.get(path) for path in rule.uses}
    return Run(
        key=f"{event.fact_key}/{rule.id}",
        rule=rule.id,
        ruleset=ruleset,
        lane=event.lane,
        occurred_at=event.occurred_at,
        planned_at=now_ms,
        expires_at=now_ms + rule.expires_ms,
        values={path: value for path, value in values.items() if value is not MISSING},
    )
