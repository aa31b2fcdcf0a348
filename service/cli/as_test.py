"""A recorded event as a test case: what the rules look at, with the people in it made up, and what they decided."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import structs

from service.actions import ACTIONS
from service.cli import yaml_text
from service.engine import Case, Rule, RuleSet, judge_all, read_cases
from service.engine.case import MockFailure, Trial
from service.engine.case_event import ANYBODY, OCCURRED_AT, default_changed
from service.engine.check_phones import FORMAT as PHONE_FILTER
from service.engine.condition import leaves, paths
from service.engine.judge import stands_alone
from service.engine.paths import VERBS, sources_of
from service.engine.template import Expression, expressions
from service.engine.trial import attempt
from service.model import Event
from service.observe.fake import fake
from service.store.journal import Story
from service.store.records import RunRecord

Results = dict[str, dict[str, Any] | MockFailure]

_BY_THE_CLOCK: Final = ("older_than", "newer_than")


class NotATest(Exception):
    """This event cannot be written as a test; the message says why."""


def as_test(story: Story, rules: RuleSet, rule_id: str | None) -> str:
    """A test file with the one case, which passes under `rules`: those that decided. Raises NotATest.

    It holds what conditions ask for and what the steps of the rules that fired use, nothing else. What looks personal
    is made up, unless a rule would then decide otherwise. `rule_id`: write it for the file of this rule.
    """
    event = story.entry.event
    if event.type.rpartition(".")[2] not in VERBS:
        raise NotATest(f"Sluice has no word for an event like {event.type}")
    concerned = [rule for rule in rules.rules if event.type in rule.events and rule.mode != "off"]
    chosen = _chosen(concerned, rules, rule_id, event)
    case, kept = _anonymous(_recorded(story, concerned), concerned)
    text = "\n".join([*_head(story, chosen, kept), *_lines(case, chosen, rule_id), ""])
    read = read_cases({"recorded.test.yaml": text.encode()}, rules, ACTIONS, lambda _file, _name: ())
    if not read.cases or judge_all(structs.replace(read.cases[0], watched=frozenset()), rules, ACTIONS):
        raise NotATest("written as a case, this event is decided differently")
    return text


def _chosen(concerned: Sequence[Rule], rules: RuleSet, rule_id: str | None, event: Event) -> list[Rule]:
    """The rules that the case speaks of: all, or those that stand in one file."""
    if rule_id is None:
        return list(concerned)
    if rule_id not in rules.by_id:
        raise NotATest(f"the rules that decided have no rule {rule_id}")
    if rules.by_id[rule_id] not in concerned:
        raise NotATest(f"rule {rule_id} is off, or is not for events like {event.type}")
    return [rule for rule in concerned if rule.file == rules.by_id[rule_id].file]


def _recorded(story: Story, concerned: Sequence[Rule]) -> Case:
    """The event as it came, with what its steps found then."""
    results: Results = {}
    for rule in concerned:
        run = story.runs.get(rule.id, RunRecord())
        for step in (step for step in rule.steps if step.name):
            results.setdefault(step.name, _result(run, step.index))
    return Case(
        name=f"{story.entry.event.type} as it came on {_instant(story.entry.event.occurred_at)[:10]}",
        file="",
        line=0,
        column=0,
        event=story.entry.event,
        now_ms=story.entry.received_at,
        results=results,
        expected={},
        watched=frozenset(),
    )


def _result(run: RunRecord, index: int) -> dict[str, Any] | MockFailure:
    record = run.steps.get(index)
    if record is None:
        return {}
    return MockFailure(record.reason) if record.state == "failed" else record.result


def _anonymous(case: Case, rules: Sequence[Rule]) -> tuple[Case, list[str]]:
    """The case without what no rule looks at, with people made up; and the paths whose real values had to stay."""
    decided = [_decision(attempt(rule, case, ACTIONS)) for rule in rules]
    asked = frozenset[str]().union(*(_asked(rule) for rule in rules))
    fired = [rule for rule, (did, *_) in zip(rules, decided, strict=True) if did]
    used = frozenset[str]().union(*(rule.uses for rule in fired))
    made_up = _without_people(case, rules, asked, used, frozenset())
    if [_decision(attempt(rule, made_up, ACTIONS)) for rule in rules] == decided:
        return made_up, []
    differ = [path for path in sorted(asked) if made_up.event.values.get(path) != case.event.values.get(path)]

    def with_real(kept: Sequence[str]) -> Case:
        return _without_people(case, rules, asked, used, frozenset(kept))

    def same(kept: Sequence[str]) -> bool:
        return [_decision(attempt(rule, with_real(kept), ACTIONS)) for rule in rules] == decided

    kept = next(([path] for path in differ if same([path])), differ)
    for path in differ if len(kept) > 1 and same(kept) else ():
        fewer = [other for other in kept if other != path]
        kept = fewer if same(fewer) else kept
    return with_real(kept), kept


def _decision(trial: Trial) -> tuple[bool, str, list[tuple[str, str]]]:
    return trial.fired, trial.fails, [(call.do, call.fails) for call in trial.calls]


def _asked(rule: Rule) -> frozenset[str]:
    """What decides: paths of the rule's conditions and of its steps' conditions."""
    return paths(rule.when).union(*(paths(step.if_) for step in rule.steps))


def _without_people(
    case: Case, rules: Sequence[Rule], asked: frozenset[str], used: frozenset[str], kept: frozenset[str]
) -> Case:
    event = case.event
    own_id = f"{event.object_type}.id"
    object_id = event.object_id if {"object_id", own_id} & asked else ANYBODY

    phones = {each.path for rule in rules for step in rule.steps for each in expressions(step.with_) if _is_phone(each)}

    def shown(values: dict[str, Any]) -> dict[str, Any]:
        wanted = {path: values[path] for path in values if path in asked | used and path != own_id}
        return {
            path: value if path in kept else fake(value, path, words=path in asked, phone=path in phones)
            for path, value in wanted.items()
        }

    timely = "occurred_at" in asked | used or any(
        leaf.operator in _BY_THE_CLOCK for rule in rules for leaf in leaves(rule.when)
    )
    values = shown(event.values)
    results: Results = {
        name: given if isinstance(given, MockFailure) else fake(given, name, words=True)
        for name, given in case.results.items()
    }
    return structs.replace(
        case,
        event=structs.replace(
            event,
            account=event.account if "account" in asked else ANYBODY,
            object_id=object_id,
            occurred_at=event.occurred_at if timely else OCCURRED_AT,
            values={own_id: object_id, **values},
            before=shown(event.before),
            changed=tuple(path for path in event.changed if path in values),
            actor=event.actor if "actor" in asked else ("user:1" if event.actor and "actor" in used else ""),
            attempt=event.attempt if "attempt" in asked | used else 0,
        ),
        now_ms=case.now_ms if timely else OCCURRED_AT,
        results=results,
    )


def _is_phone(expression: Expression) -> bool:
    return any(call.filter == PHONE_FILTER for call in expression.filters)


def _head(story: Story, chosen: Iterable[Rule], kept: Sequence[str]) -> Iterator[str]:
    files = sorted({rule.file for rule in chosen})
    where = f"; a case for the tests of {', '.join(files)}" if files else ""
    yield f"# Event {story.id}, decided by rule set {story.entry.ruleset}{where}."
    for path in kept:
        yield f"# Mind {path}: it is as it came, since a rule decides by it."
    yield from ("version: 1", "cases:")


def _lines(case: Case, chosen: Sequence[Rule], rule_id: str | None) -> Iterator[str]:
    first, *rest = (line for name, value in _fields(case, chosen, rule_id) for line in yaml_text.entry(name, value, 4))
    yield f"  - {first.lstrip()}"
    yield from rest


def _fields(case: Case, chosen: Sequence[Rule], rule_id: str | None) -> Iterator[tuple[str, Any]]:
    event = case.event
    word, _, verb = event.type.rpartition(".")
    yield from (("name", case.name), ("event", event.type))
    if len(sources_of(word)) > 1:
        yield "source", event.source
    facts = {"account": ANYBODY, "object_id": ANYBODY, "origin": "user", "actor": "", "attempt": 0}
    for name, usual in facts.items():
        if getattr(event, name) != usual:
            yield "id" if name == "object_id" else name, getattr(event, name)
    if event.occurred_at != OCCURRED_AT:
        yield "occurred_at", _instant(event.occurred_at)
    if case.now_ms != event.occurred_at:
        yield "now", _instant(case.now_ms)
    given = {path: value for path, value in event.values.items() if path != f"{word}.id"}
    yield from given.items()
    if event.before:
        yield "before", event.before
    if set(event.changed) != set(default_changed(verb, word, given, event.before)):
        yield "changed", event.changed
    yield from _expectation(case, chosen, rule_id)


def _expectation(case: Case, chosen: Sequence[Rule], rule_id: str | None) -> Iterator[tuple[str, Any]]:
    trials = {rule.id: attempt(rule, case, ACTIONS) for rule in chosen}
    fired = [rule for rule in chosen if trials[rule.id].fired]
    named = {step.name for rule in fired for step in rule.steps} & case.results.keys()
    if named:
        yield "results", {name: _mock(case.results[name]) for name in sorted(named)}
    silent = next((rule for rule in chosen if rule.id == rule_id and rule not in fired), None)
    path = silent and _cause(silent, case)
    if silent is not None and path:
        yield from (("not", silent.id), ("because", path))
    if fired or not path:
        yield "expect", {rule.id: _deed(trials[rule.id]) for rule in fired} or "nothing"


def _mock(given: dict[str, Any] | MockFailure) -> dict[str, Any]:
    return {"fails": given.reason} if isinstance(given, MockFailure) else given


def _cause(rule: Rule, case: Case) -> str | None:
    """The one path that stops the rule; None if there are several."""
    return next((leaf.path for leaf in leaves(rule.when) if stands_alone(rule, case, leaf.path)), None)


def _deed(trial: Trial) -> Any:
    if trial.fails:
        return {"fails": trial.fails}
    return [{call.do: {"fails": call.fails} if call.fails else _brief(call.do, call.args)} for call in trial.calls]


def _brief(do: str, args: dict[str, Any]) -> dict[str, Any]:
    """The arguments without their nulls, where the action takes that for the same."""
    brief = _without_nulls(args)
    same = msgspec.to_builtins(msgspec.convert(brief, ACTIONS[do].args, strict=False)) == args
    return brief if same else args


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(child) for name, child in value.items() if child is not None}
    return [_without_nulls(child) for child in value] if isinstance(value, list) else value


def _instant(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds" if milliseconds % 1000 else "seconds").replace("+00:00", "Z")
