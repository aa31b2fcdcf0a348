"""Nodes of a test file -> cases. All mistakes are noted, as for rules."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from service.engine.action_kind import ActionKind, Actions, wishes
from service.engine.case import Case, MockFailure
from service.engine.case_event import FACT_FIELDS, event_of, instant_of
from service.engine.check import check_version
from service.engine.check_expected import check_expected
from service.engine.fields import fields, items, kind, text
from service.engine.folder import topic
from service.engine.problem import Problem, Report, near
from service.engine.rule import Rule
from service.engine.rule_set import RuleSet
from service.engine.yaml_nodes import MAX_BYTES, Node, decode, read_yaml, to_plain
from service.model import Event

_FIELDS: Final = ("event", *FACT_FIELDS, "fixture", "nth", "now", "results", "expect", "not", "because")


class FixtureError(Exception):
    """A fixture that cannot be used; `hint` says what there is."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


Fixtures = Callable[[str, str], tuple[Event, ...]]
"""(test file, name of a fixture) -> the events of its delivery. Raises FixtureError."""


class Cases(Struct, frozen=True):
    """What the test files hold."""

    cases: tuple[Case, ...]
    """Of files without errors, in order."""
    problems: tuple[Problem, ...]
    """By file, line and column."""


class _Surroundings(Struct, frozen=True):
    """What a case may refer to."""

    rules: Mapping[str, Rule]
    actions: Actions
    watched: frozenset[str]
    fixtures: Fixtures


def read_cases(
    files: Mapping[str, bytes], rules: RuleSet, actions: Mapping[str, ActionKind], fixtures: Fixtures
) -> Cases:
    """Read and check test files. Raises nothing: what is wrong is in `problems`.

    A case watches over the rules of the file beside its own: `deals.test.yaml` over `deals.yaml`. A test file that has
    no such neighbour watches over all rules.
    """
    known = wishes(actions)
    cases: list[Case] = []
    problems: list[Problem] = []
    for name, raw in sorted(files.items()):
        beside = frozenset(rule.id for rule in rules.rules if topic(rule.file) == topic(name))
        around = _Surroundings(rules.by_id, known, _armed(beside or rules.by_id.keys(), rules), fixtures)
        report = Report(name, decode(raw) or raw[:MAX_BYTES].decode(errors="replace"))
        found = _check_file(read_yaml(raw, report), around, report)
        problems += sorted(report.problems, key=lambda problem: (problem.line, problem.column, problem.code))
        cases += [] if report.has_errors else found
    return Cases(tuple(cases), tuple(problems))


def _armed(ids: Any, rules: RuleSet) -> frozenset[str]:
    return frozenset(rule_id for rule_id in ids if rules.by_id[rule_id].mode != "off")


def _check_file(root: Node | None, around: _Surroundings, report: Report) -> list[Case]:
    top = None if root is None else fields(root, report, "the file", required=("version", "cases"))
    if top is None:
        return []
    if "version" in top:
        check_version(top["version"], report)
    nodes = items(top.get("cases"), report, "`cases`", "each case begins with `- name: …`") or ()
    cases = [case for node in nodes if (case := _check_case(node, around, report)) is not None]
    _check_names(cases, report)
    return cases


def _check_names(cases: list[Case], report: Report) -> None:
    first: dict[str, int] = {}
    for case in cases:
        if case.name in first:
            hint = f"also on line {first[case.name]}; `-k` and reports know a case by its name"
            report.add("R610", (case.line, case.column), f"two cases are named `{case.name}`", hint)
        first.setdefault(case.name, case.line)


def _check_case(node: Node, around: _Surroundings, report: Report) -> Case | None:
    """One case; None if it cannot be run, which the report then explains."""
    if not isinstance(node.value, dict):
        report.add("R201", node.at, f"a case is {kind(node)}, not a mapping", "it begins with `- name: …`")
        return None
    values = {key: child for key, child in node.value.items() if "." in key}
    words = {key: child for key, child in node.value.items() if "." not in key}
    given = fields(Node(words, node.at, node.key_at), report, "a case", required=("name",), optional=_FIELDS) or {}
    name = text(given.get("name"), report, "`name`")
    event = _check_event(node, given, values, around, report)
    now_ms = instant_of(given["now"], "`now`", report) if "now" in given else None
    results = _check_results(given.get("results"), around, report)
    expected = check_expected(node, given, around.rules, around.actions, report)
    if name is None or event is None:
        return None
    return Case(
        name=name,
        file=report.file,
        line=node.at[0],
        column=node.at[1],
        event=event,
        now_ms=event.occurred_at if now_ms is None else now_ms,
        results=results,
        expected=expected,
        watched=around.watched,
    )


def _check_event(
    node: Node, given: dict[str, Node], values: dict[str, Node], around: _Surroundings, report: Report
) -> Event | None:
    if ("event" in given) is ("fixture" in given):
        message = "this case has both `event` and `fixture`" if "event" in given else "this case has no event"
        report.add("R604", node.at, message, "give `event` with the values it carries, or `fixture`")
        return None
    if "event" in given:
        if "nth" in given:
            report.add("R604", given["nth"].key_at, "`nth` goes with `fixture`", "an `event` is one event")
        return event_of(given, values, report)
    for name, child in (*given.items(), *values.items()):
        if name in FACT_FIELDS or name in values:
            report.add("R604", child.key_at, f"`{name}` stands beside `fixture`", "a fixture brings its own values")
    return _recorded(given["fixture"], given.get("nth"), around, report)


def _recorded(node: Node, nth: Node | None, around: _Surroundings, report: Report) -> Event | None:
    name = text(node, report, "`fixture`", "`hubspot/contact.created__ui`, for instance")
    if name is None:
        return None
    try:
        events = around.fixtures(report.file, name)
    except FixtureError as fault:
        report.add("R605", node.at, fault.message, fault.hint)
        return None
    if nth is None and len(events) == 1:
        return events[0]
    which = nth.value if nth is not None else None
    if isinstance(which, bool) or not isinstance(which, int) or not 1 <= which <= len(events):
        hint = f"say which one is meant: `nth: 1` to `nth: {len(events)}`"
        report.add("R605", (nth or node).at, f"`{name}` holds {len(events)} events", hint)
        return None
    return events[which - 1]


def _check_results(node: Node | None, around: _Surroundings, report: Report) -> dict[str, dict[str, Any] | MockFailure]:
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        hint = "step name -> what it gives: `drip: { found: true }`"
        report.add("R201", node.at, f"`results` is {kind(node)}, not a mapping", hint)
        return {}
    steps = sorted({step.name for rule in around.rules.values() for step in rule.steps if step.name})
    results: dict[str, dict[str, Any] | MockFailure] = {}
    for name, child in node.value.items():
        if name not in steps:
            hint = near(name, steps) if steps else "a step gets a name with `as`"
            report.add("R608", child.key_at, f"no step of these rules is named `{name}`", hint)
        elif not isinstance(child.value, dict):
            hint = "`{ found: true }`, or `{ fails: timeout }` for a step that fails"
            report.add("R201", child.at, f"the result of `{name}` is {kind(child)}, not a mapping", hint)
        else:
            plain = to_plain(child)
            results[name] = MockFailure(str(plain["fails"])) if set(plain) == {"fails"} else plain
    return results


def untested(rules: RuleSet, cases: Iterable[Case]) -> tuple[Problem, ...]:
    """A warning for each rule that no case speaks of; for a file of which none has a case, one for the whole file."""
    tested = {rule_id for case in cases for rule_id in case.expected}
    by_file: dict[str, list[Rule]] = {}
    for rule in rules.rules:
        by_file.setdefault(rule.file, []).append(rule)
    problems: list[Problem] = []
    for file, own in by_file.items():
        lacking = [rule for rule in own if rule.id not in tested and rule.mode != "off"]
        report = Report(file, rules.files[file])
        hint = f"write a case in `{topic(file).rpartition('/')[2]}.test.yaml` beside it"
        if len(lacking) == len(own) > 1:
            at = lacking[0].line, lacking[0].column
            report.add("R601", at, f"none of the {len(own)} rules in this file has a test", hint, "warning")
        else:
            for rule in lacking:
                report.add("R601", (rule.line, rule.column), f"`{rule.id}` has no test", hint, "warning")
        problems += report.problems
    return tuple(problems)
