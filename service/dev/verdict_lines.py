"""What rules make of an event, in lines for a person at a terminal."""

from collections.abc import Sequence

from msgspec import UNSET
from rich.markup import escape

from service.dev.view import counted, head, printable, short
from service.engine import Preview, RuleVerdict
from service.engine.explain import ConditionVerdict, GroupVerdict, LeafVerdict
from service.insight.verdicts import Explained, Explanation

_MARKS = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[yellow]?[/]"}
_COMBINES = {"all": "all of", "any": "one of", "not": "not"}
_SAID = {"eq": "=", "ne": "≠", "in": "one of", "not_in": "none of", "gt": ">", "gte": "≥", "lt": "<", "lte": "≤"}


def lines(explanation: Explanation, *, everything: bool = False) -> list[str]:
    """Tell it in lines of rich markup. `everything`: rules for other events too, by their names."""
    told = head(explanation.event, explanation.at, explanation.id)
    told.append(f"    [dim]under rule set {explanation.ruleset}, {counted(len(explanation.rules), 'rule')}[/]")
    others = [one.verdict for one in explanation.rules if not one.near]
    for one in explanation.rules:
        told += ["", *_rule(one)] if one.near else []
    if everything:
        told += [
            "",
            *(f"[dim]·[/] {escape(rule.rule)}  [dim]is for other events  {_place(rule)}[/]" for rule in others),
        ]
    elif others:
        verb = "is" if len(others) == 1 else "are"
        told += ["", f"[dim]{counted(len(others), 'rule')} {verb} for other events (--all names them)[/]"]
    return [printable(line) for line in told]


def step_lines(steps: Sequence[Preview]) -> list[str]:
    """Tell what steps would call."""
    return [_step(step) for step in steps]


def _rule(one: Explained) -> list[str]:
    verdict = one.verdict
    mark = _MARKS[verdict.conditions.verdict if verdict.conditions and not verdict.failure else False]
    told = [f"{mark} [bold]{escape(verdict.rule)}[/]  {_outcome(verdict)}  [dim]{_place(verdict)}[/]"]
    if verdict.conditions is not None:
        for part in _parts(verdict.conditions):
            told += _condition(part, verdict, 1)
    return told + [f"    {line}" for line in step_lines(one.steps)]


def _outcome(verdict: RuleVerdict) -> str:
    if verdict.failure is not None:
        return f"[red]fails: {escape(verdict.failure.message)}[/]"
    if not verdict.matched:
        return "does not fire"
    fires = {"live": "[green]fires[/]", "shadow": "matches, but is in [bold]mode: shadow[/]: recorded, calls nothing"}
    return fires.get(verdict.mode, "matches, but is in [bold]mode: off[/]")


def _parts(conditions: ConditionVerdict) -> tuple[ConditionVerdict, ...]:
    """The questions of a rule's `when`, which is itself no more than all of them."""
    whole = isinstance(conditions, GroupVerdict) and conditions.combines == "all"
    return conditions.parts if whole and isinstance(conditions, GroupVerdict) else (conditions,)


def _condition(part: ConditionVerdict, rule: RuleVerdict, depth: int) -> list[str]:
    lead = "    " * depth + _MARKS[part.verdict]
    if isinstance(part, LeafVerdict):
        stopped = "  [bold red]← stopped it[/]" if part in _stopping(rule) else ""
        return [f"{lead} {escape(_question(part))}  [dim]{escape(_seen(part))}  line {part.line}[/]{stopped}"]
    told = [f"{lead} {_COMBINES[part.combines]}  [dim]line {part.line}[/]"]
    for inner in part.parts:
        told += _condition(inner, rule, depth + 1)
    return told


def _stopping(rule: RuleVerdict) -> tuple[LeafVerdict, ...]:
    return rule.stopped_by if isinstance(rule.stopped_by, tuple) else ()


def _question(leaf: LeafVerdict) -> str:
    if leaf.operator == "exists":
        return f"{leaf.path} is there" if leaf.expected else f"{leaf.path} is not there"
    if leaf.operator == "changed":
        return f"{leaf.path} changed" if leaf.expected else f"{leaf.path} is there, unchanged"
    return f"{leaf.path} {_SAID.get(leaf.operator, leaf.operator)} {short(leaf.expected)}"


def _seen(leaf: LeafVerdict) -> str:
    return f"no {leaf.path} in the event" if leaf.actual is UNSET else f"is {short(leaf.actual)}"


def _step(step: Preview) -> str:
    condition = {True: "", False: "its `if` does not hold", None: "if what an earlier step finds allows it"}[
        step.applies
    ]
    args = "" if step.args is None else escape(short(step.args))
    parts = (
        f"[dim]→[/] step {step.step + 1} {escape(step.do)}",
        args,
        escape(step.problem),
        f"[dim]{condition}[/]",
    )
    return "  ".join(part for part in parts if part not in ("", "[dim][/]"))


def _place(verdict: RuleVerdict) -> str:
    return escape(f"{verdict.file}:{verdict.line}")
