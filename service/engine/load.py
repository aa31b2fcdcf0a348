"""Files of rules -> a rule set, and every mistake in them."""

import traceback
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from service.engine.action_kind import ActionKind, Actions, wishes
from service.engine.check import Checked, check_file
from service.engine.folder import UNREADABLE
from service.engine.problem import Problem, Report, Severity
from service.engine.rule_set import RuleSet, rule_set
from service.engine.yaml_nodes import MAX_BYTES, Position, decode, read_yaml

_GAPS = ("R107", "R108", "R110")
"""Problems that leave something of the file unread ..."""
_ABSENCES = ("R203", "R502")
"""... so that nobody can say what is not there."""


class Loaded(Struct, frozen=True):
    """What came of loading."""

    rule_set: RuleSet
    """The rules of the files without errors."""
    problems: tuple[Problem, ...]
    """By file, line and column."""
    found: int
    """How many rules the files hold, faulty ones too."""
    broken: frozenset[str]
    """Names of the files with errors. To keep a broken file's last good version alive, load again with its old text
    (`RuleSet.files`) in its place."""


class _File(Struct, frozen=True):
    report: Report
    text: str
    checked: Checked


def load(files: Mapping[str, bytes], actions: Mapping[str, ActionKind]) -> Loaded:
    """Read, check and compile rule files. Raises nothing: what is wrong is in `problems`.

    `actions`: name -> what may stand in its `with`. A file with an error contributes no rule; the others are not touched.
    """
    known = wishes(actions)
    read = [_read(name, raw, known) for name, raw in sorted(files.items())]
    _check_ids(read)
    good = [file for file in read if not file.report.has_errors]
    return Loaded(
        rule_set=rule_set(
            (rule for file in good for rule in file.checked.rules), {file.report.file: file.text for file in good}
        ),
        problems=tuple(problem for file in read for problem in sorted(file.report.problems, key=_place)),
        found=sum(file.checked.found for file in read),
        broken=frozenset(file.report.file for file in read if file.report.has_errors),
    )


def _read(name: str, raw: bytes, actions: Actions) -> _File:
    if raw.startswith(UNREADABLE):
        unread = Report(name)
        reason = raw.removeprefix(UNREADABLE).decode(errors="replace")
        unread.add(
            "R112", (1, 1), f"this file cannot be read: {reason}", "look at its permissions, or where it links to"
        )
        return _File(unread, "", Checked())
    text = decode(raw) or raw[:MAX_BYTES].decode(errors="replace")
    report = Report(name, text)
    try:
        checked = _check(raw, actions, report)
    except Exception as fault:  # noqa: BLE001  # a fault of a check must not take the rules of all other files with it
        place = traceback.extract_tb(fault.__traceback__)[-1]
        where = f"{type(fault).__name__} at {place.filename.rpartition('/')[2]}:{place.lineno}"
        hint = "report it with the file; until it is mended, say what the last rule you changed says in another way"
        report.add("R113", (1, 1), f"Sluice itself failed at checking this file: {where}", hint)
        checked = Checked()
    return _File(report, text, checked)


def _check(raw: bytes, actions: Actions, report: Report) -> Checked:
    root = read_yaml(raw, report)
    gaps = any(problem.code in _GAPS for problem in report.problems)
    checked = Checked() if root is None else check_file(root, actions, report)
    if gaps:
        report.problems = [problem for problem in report.problems if problem.code not in _ABSENCES]
    return checked


def _place(problem: Problem) -> tuple[int, int, str]:
    return problem.line, problem.column, problem.code


def _check_ids(files: list[_File]) -> None:
    """An id belongs to the first file that has it; a later one with the same id is broken.

    A file that is broken for another reason takes no ids: its mistake must not stop the rules of other files.
    """
    owners: dict[str, tuple[_File, Position]] = {}
    for file in files:
        sound = not file.report.has_errors
        own: dict[str, Position] = {}
        for rule_id, at in file.checked.ids:
            if rule_id in own:
                _report_pair(rule_id, (file, own[rule_id]), (file, at), "error", "error")
            elif rule_id in owners:
                owner = owners[rule_id]
                severity: Severity = "warning" if owner[0].report.has_errors else "error"
                _report_pair(rule_id, owner, (file, at), "warning", severity)
            own.setdefault(rule_id, at)
        for rule_id, at in own.items():
            if rule_id not in owners or (sound and owners[rule_id][0].report.has_errors):
                owners[rule_id] = file, at


def _report_pair(
    rule_id: str,
    first: tuple[_File, Position],
    second: tuple[_File, Position],
    first_severity: Severity,
    second_severity: Severity,
) -> None:
    pairs: Iterator[Any] = iter(((first, second, first_severity), (second, first, second_severity)))
    for (file, at), (other, there), severity in pairs:
        message = f"the id `{rule_id}` is used twice"
        hint = f"also at {other.report.file}:{there[0]}; ids are unique over all files"
        file.report.add("R206", at, message, hint, severity)
