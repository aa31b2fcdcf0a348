"""Rules and cases for the tests of tests: one rule file and one test file beside it."""

from typing import Any

from service.actions import ACTIONS
from service.engine import Case, Difference, RuleSet, judge_all, load, read_cases, render

CALL = '{ do: upsert_contact, with: { contact: { mobile: { number: "${deal.phone}" } } } }'


def rules_of(text: str) -> RuleSet:
    """The rules of `r.yaml`."""
    loaded = load({"r.yaml": text.encode()}, ACTIONS)
    assert [render(problem) for problem in loaded.problems if problem.severity == "error"] == []
    return loaded.rule_set


def one_rule(when: str = "", event: str = "deal.updated", then: str = CALL) -> RuleSet:
    """A rule `r`; the fields in flow style."""
    given = f"\n    when: {when}" if when else ""
    return rules_of(f"version: 1\nrules:\n  - id: r\n    event: {event}{given}\n    then: [{then}]\n")


def cases_of(rules: RuleSet, *bodies: str, file: str = "r.test.yaml") -> tuple[Case, ...]:
    """Cases of a Pipedrive deal, each given by its lines in flow style."""
    text = "version: 1\ncases:\n" + "".join(
        f"  - {{ name: case {number}, {_event(body)}{body} }}\n" for number, body in enumerate(bodies)
    )
    read = read_cases({file: text.encode()}, rules, ACTIONS, lambda *_: ())
    assert [render(problem) for problem in read.problems if problem.severity == "error"] == []
    return read.cases


def _event(body: str) -> str:
    return "" if "event:" in body else "event: deal.updated, source: pipedrive, deal.phone: '+15550100000', "


def differences(rules: RuleSet, body: str, **more: Any) -> list[tuple[str, str, str]]:
    """What differs in a case: path, expected, actual."""
    (case,) = cases_of(rules, body, **more)
    found: tuple[Difference, ...] = judge_all(case, rules, ACTIONS)
    return [(each.path, each.expected, each.actual) for each in found]
