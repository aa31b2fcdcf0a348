"""What the tests of rules showed: for people, for programs, and for CI as JUnit XML."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any
from xml.etree import ElementTree as ET

from msgspec import Struct

from service.engine import Case, Coverage, Difference, Examined, Mutant, Problem, RuleVerdict, render
from service.engine.explain import LeafVerdict
from service.engine.values import MISSING, to_json

_MOST_SURVIVORS = 20
"""Places shown to a person; `--json` has all."""

_MOST_NAMED = 5
"""Of the questions of which one would have done."""


class Verdict(Struct, frozen=True):
    """How one case went."""

    case: Case
    differences: tuple[Difference, ...]
    decided: dict[str, RuleVerdict] = {}
    """Rule id -> how it decided; only for a case that failed."""


class Report(Struct, frozen=True, kw_only=True):
    """How all went. With an error in `problems`, nothing ran."""

    problems: tuple[Problem, ...]
    verdicts: tuple[Verdict, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    examined: tuple[Examined, ...] = ()
    files: dict[str, str] = {}
    """Rule id -> its file."""

    @property
    def has_errors(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)

    @property
    def failed(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.differences]

    @property
    def is_bad(self) -> bool:
        """Whether a file is broken or a case fails."""
        return self.has_errors or bool(self.failed)

    @property
    def is_lacking(self) -> bool:
        """Whether a rule is not covered, or a change went unnoticed."""
        return any(not each.complete for each in self.coverage) or any(each.survivors for each in self.examined)

    @property
    def tried(self) -> int:
        return sum(each.tried for each in self.examined)

    @property
    def noticed(self) -> int:
        return self.tried - sum(len(each.survivors) for each in self.examined)


def lines(report: Report) -> Iterator[str]:
    """For the terminal: what failed, what is not covered, what went unnoticed, and a summary."""
    if report.has_errors:
        yield "Nothing was tested: mend the files first."
        return
    for verdict in report.failed:
        yield from _failure(verdict, report)
    for each in report.coverage:
        if not each.complete:
            yield f"{each.file}:{each.line}: {each.rule} {_lack(each)}"
    seen = {each.rule for each in report.coverage if each.fires or each.silent}
    survivors = [line for each in report.examined if each.rule in seen for line in _survivors(each, report)]
    yield from survivors[:_MOST_SURVIVORS]
    if len(survivors) > _MOST_SURVIVORS:
        yield f"… and {len(survivors) - _MOST_SURVIVORS} more; --json lists all"
    yield from _summary(report)


def _failure(verdict: Verdict, report: Report) -> Iterator[str]:
    case = verdict.case
    yield f"FAILED {case.name}"
    yield f"  {case.file}:{case.line}"
    for rule, found in groupby(verdict.differences, key=lambda difference: difference.rule):
        yield f"  {rule}"
        for difference in found:
            yield from _difference(difference)
            for reason in _reasons(difference, verdict.decided.get(rule), report.files[rule]):
                yield f"      {reason}"
    yield ""


def _difference(difference: Difference) -> Iterator[str]:
    if difference.path:
        yield f"    {difference.path}"
        yield f"      expected  {difference.expected}"
        yield f"      actual    {difference.actual}"
    else:
        yield f"    expected: it {difference.expected}; but it {difference.actual}"


def _reasons(difference: Difference, told: RuleVerdict | None, file: str) -> Iterator[str]:
    """What stopped a rule, for a difference that raises the question: a line each, where one of several would have done."""
    if told is None or told.matched or difference.path not in ("", "because"):
        return
    if isinstance(told.stopped_by, tuple):
        yield from (_stopped_at(file, leaf) for leaf in told.stopped_by[:_MOST_NAMED])
        if (more := len(told.stopped_by) - _MOST_NAMED) > 0:
            yield f"and by {more} more, of which one would have done"
    else:
        yield "the event is not one of its `event`s" if told.stopped_by == "event type" else "the rule broke"


def _stopped_at(file: str, leaf: LeafVerdict) -> str:
    value = "the event does not carry it" if leaf.actual is MISSING else f"it is {to_json(leaf.actual)}"
    wanted = leaf.expected if isinstance(leaf.expected, str) else to_json(leaf.expected)
    return f"stopped at {file}:{leaf.line} by `{leaf.path}` {leaf.operator} {wanted}: {value}"


def _lack(coverage: Coverage) -> str:
    if not coverage.fires and not coverage.silent:
        return "has no test"
    lacks = [] if coverage.fires else ["is never seen to fire"]
    lacks += [] if coverage.silent or not coverage.can_be_silent else ["is never seen to stay silent"]
    return " and ".join(lacks)


def _survivors(examined: Examined, report: Report) -> Iterator[str]:
    """For each place, what no case notices, in two lines."""
    for ((line, column), part, wanted), found in groupby(
        examined.survivors, key=lambda mutant: (mutant.at, mutant.part, mutant.wanted)
    ):
        changes = " or ".join(mutant.change for mutant in found)
        where = f"{report.files[examined.rule]}:{line}:{column}"
        yield f"{where}: {examined.rule}: {part}\n    {changes}: no case notices; wanted: {wanted}"


def _summary(report: Report) -> Iterator[str]:
    files = len({verdict.case.file for verdict in report.verdicts})
    failed = len(report.failed)
    went = f"{failed} failed" if failed else "all passed"
    if report.verdicts:
        yield f"{_count(len(report.verdicts), 'case')} in {_count(files, 'file')}: {went}."
    if report.coverage:
        covered = sum(each.complete for each in report.coverage)
        yield f"{_count(len(report.coverage), 'rule')}: {covered} seen both to fire and to stay silent."
    if report.tried:
        score = 100 * report.noticed / report.tried
        yield f"{_count(report.tried, 'change')} to them: {report.noticed} noticed ({score:.0f} %)."
    elif failed and report.coverage:
        yield "How much they notice is examined when all of them pass."


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def plain(report: Report) -> dict[str, Any]:
    """For programs."""
    return {
        "problems": report.problems,
        "cases": [
            {
                "name": verdict.case.name,
                "file": verdict.case.file,
                "line": verdict.case.line,
                "passed": not verdict.differences,
                "differences": verdict.differences,
            }
            for verdict in report.verdicts
        ],
        "coverage": report.coverage,
        "changes": {
            "tried": report.tried,
            "noticed": report.noticed,
            "survivors": [
                _plain_survivor(each.rule, mutant, report) for each in report.examined for mutant in each.survivors
            ],
        },
    }


def _plain_survivor(rule: str, mutant: Mutant, report: Report) -> dict[str, Any]:
    line, column = mutant.at
    return {
        "rule": rule,
        "file": report.files[rule],
        "line": line,
        "column": column,
        "part": mutant.part,
        "change": mutant.change,
        "wanted": mutant.wanted,
    }


def junit(report: Report, *, strict: bool) -> bytes:
    """JUnit XML: a suite for each test file; one for the files' problems; with `strict` one for the rules."""
    root = ET.Element("testsuites", name="sluice rules test")
    for file, verdicts in groupby(report.verdicts, key=lambda verdict: verdict.case.file):
        _junit_suite(root, file, [(each.case.name, _brief(each), _whole(each, report)) for each in verdicts])
    if report.has_errors:
        errors = [each for each in report.problems if each.severity == "error"]
        _junit_suite(root, "files", [(f"{each.file}:{each.line}", each.message, render(each)) for each in errors])
    if strict and not report.is_bad:
        examined = {each.rule: each for each in report.examined}
        lacks = [(each.rule, list(_lacks(each, examined.get(each.rule), report))) for each in report.coverage]
        _junit_suite(root, "rules", [(rule, "the tests miss something", "\n".join(found)) for rule, found in lacks])
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _brief(verdict: Verdict) -> str:
    return "; ".join(f"{each.rule}: {each.path or each.actual}" for each in verdict.differences)


def _whole(verdict: Verdict, report: Report) -> str:
    return "\n".join(_failure(verdict, report)) if verdict.differences else ""


def _lacks(coverage: Coverage, examined: Examined | None, report: Report) -> Iterator[str]:
    if not coverage.complete:
        yield _lack(coverage)
    if examined is not None:
        yield from _survivors(examined, report)


def _junit_suite(root: ET.Element, name: str, cases: list[tuple[str, str, str]]) -> None:
    """`cases`: name, what is wrong in brief, and as a whole; empty if nothing is."""
    failures = sum(bool(failure) for _, _, failure in cases)
    suite = ET.SubElement(root, "testsuite", name=name, tests=str(len(cases)), failures=str(failures), errors="0")
    for case, brief, failure in cases:
        element = ET.SubElement(suite, "testcase", classname=name, name=case)
        if failure:
            ET.SubElement(element, "failure", message=brief).text = failure
