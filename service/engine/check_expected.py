"""What a test case expects: nodes of `expect`, `not` and `because` -> what each rule must do."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from service.engine.action_kind import Actions
from service.engine.case import Call, Firing, Silence
from service.engine.check_args import check_args
from service.engine.condition import paths
from service.engine.fields import items, kind, text
from service.engine.problem import Report, near
from service.engine.rule import Rule
from service.engine.yaml_nodes import Node, to_plain

NOTHING: Final = "nothing"
_FORMS: Final = "a rule id, a list of them, `nothing`, or rule id -> its calls"

Expected = dict[str, Firing | Silence]


def check_expected(
    case: Node, given: Mapping[str, Node], rules: Mapping[str, Rule], actions: Actions, report: Report
) -> Expected:
    """Rule id -> what it must do. `given`: the fields of the case."""
    if "expect" not in given and "not" not in given:
        hint = "`expect:` the rules that fire, `expect: nothing`, or `not:` a rule with `because:` a condition"
        report.add("R602", case.at, "this case expects nothing, so it could never fail", hint)
    expected = _check_firings(given["expect"], rules, actions, report) if "expect" in given else {}
    silent = _check_silences(given, rules, report)
    for rule_id in expected.keys() & silent.keys():
        report.add("R602", given["not"].at, f"`{rule_id}` stands in `expect` and in `not`", "one of them")
    return {**expected, **silent}


def _check_firings(node: Node, rules: Mapping[str, Rule], actions: Actions, report: Report) -> Expected:
    if node.value == NOTHING:
        return {}
    if isinstance(node.value, dict):
        if not node.value:
            report.add("R602", node.at, "`expect` is empty", _FORMS)
        known = {name: child for name, child in node.value.items() if _is_rule(name, child.key_at, rules, report)}
        return {name: _check_firing(name, child, actions, report) for name, child in known.items()}
    return {name: Firing(None) for name in _rule_ids(node, "`expect`", rules, report)}


def _rule_ids(node: Node, what: str, rules: Mapping[str, Rule], report: Report) -> list[str]:
    nodes = items(node, report, what, _FORMS) if isinstance(node.value, tuple) else (node,)
    named = [(text(each, report, what, _FORMS), each.at) for each in nodes or ()]
    return [name for name, at in named if name is not None and _is_rule(name, at, rules, report)]


def _is_rule(name: str, at: tuple[int, int], rules: Mapping[str, Rule], report: Report) -> bool:
    if name not in rules:
        report.add("R603", at, f"there is no rule `{name}`", near(name, rules) if rules else "")
    return name in rules


def _check_firing(rule_id: str, node: Node, actions: Actions, report: Report) -> Firing:
    """`fires`, `{ fails: reason }`, or a list of calls, each `action: arguments`."""
    if node.value == "fires":
        return Firing(None)
    reason = _failure(node)
    if reason:
        return Firing((), fails=reason)
    if not isinstance(node.value, tuple):
        hint = "`fires`, `{ fails: missing_value }`, or a list of calls: `- update_attributes: { … }`"
        report.add("R201", node.at, f"what `{rule_id}` does is {kind(node)}, not a list of calls", hint)
        return Firing(None)
    calls = [_check_call(child, actions, report) for child in node.value]
    return Firing(tuple(call for call in calls if call is not None))


def _check_call(node: Node, actions: Actions, report: Report) -> Call | None:
    if not isinstance(node.value, dict) or len(node.value) != 1:
        report.add(
            "R201", node.at, "a call is not written so", "one action with its arguments: `- upsert_contact: { … }`"
        )
        return None
    ((do, child),) = node.value.items()
    if do not in actions:
        report.add("R501", child.key_at, f"there is no action `{do}`", near(do, actions))
        return None
    reason = _failure(child)
    if reason:
        return Call(do, fails=reason)
    before = len(report.problems)
    check_args(child, _literal(child), actions[do], report)
    return Call(do) if len(report.problems) > before else _converted(do, child, actions, report)


def _converted(do: str, node: Node, actions: Actions, report: Report) -> Call | None:
    """The arguments as the action would get them: with its defaults, in its types."""
    try:
        args = msgspec.convert(to_plain(node), actions[do].args.cls, strict=False)
    except msgspec.ValidationError as fault:
        report.add("R504", node.at, f"`{do}` does not take these arguments: {fault}")
        return None
    return Call(do, msgspec.to_builtins(args))


def _literal(node: Node) -> Any:
    """The node as a tree of `with` in which nothing is a template."""
    if isinstance(node.value, dict):
        return {name: _literal(child) for name, child in node.value.items()}
    if isinstance(node.value, tuple):
        return tuple(_literal(child) for child in node.value)
    return node.value


def _failure(node: Node) -> str:
    """The reason in `{ fails: reason }`, or empty."""
    if not isinstance(node.value, dict) or list(node.value) != ["fails"]:
        return ""
    reason = node.value["fails"].value
    return reason if isinstance(reason, str) else ""


def _check_silences(given: Mapping[str, Node], rules: Mapping[str, Rule], report: Report) -> Expected:
    if "because" in given and "not" not in given:
        hint = "`not:` names the rule that this condition must stop"
        report.add("R609", given["because"].key_at, "`because` stands without `not`", hint)
    if "not" not in given:
        return {}
    if "because" not in given:
        message = "`not` stands without `because`"
        report.add(
            "R609", given["not"].key_at, message, "name the condition that must stop the rule: `because: origin`"
        )
        return {}
    node = given["because"]
    path = text(node, report, "`because`", "the path of a condition, `origin` for instance")
    ids = _rule_ids(given["not"], "`not`", rules, report)
    if path is None:
        return {}
    for rule_id in ids:
        asked = sorted(paths(rules[rule_id].when))
        if path != "event" and path not in asked:
            hint = near(path, [*asked, "event"])
            report.add("R609", node.at, f"`{rule_id}` has no condition on `{path}`", hint)
    return {rule_id: Silence(path) for rule_id in ids}
