"""`sluice rules test`: run the cases beside the rules, and tell how much they would notice."""

import sys
from pathlib import Path

import msgspec
import rich_click as click
from msgspec import structs

from service.actions import ACTIONS
from service.cli import suite_report
from service.cli.command import json_option
from service.cli.suite import Suite, read_suite
from service.cli.suite_report import Report, Verdict
from service.engine import Case, RuleSet, cover, examine, explain, judge_all, render


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[PATH]...")
@click.option("-k", "name", help="Run only the cases whose name contains this; rules are not examined then.")
@click.option(
    "--mutation/--no-mutation", default=True, show_default=True, help="Change every condition and see what is noticed."
)
@click.option("--strict", is_flag=True, help="Exit 1 also if a rule is not covered, or a change is not noticed.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write a JUnit report to this file.")
@json_option
def test(
    paths: tuple[Path, ...], name: str | None, mutation: bool, strict: bool, junit: Path | None, as_json: bool
) -> None:
    """Run the cases of `<topic>.test.yaml` beside the rules. PATH: folders, rule files or test files; `rules` if none.

    Exit 1 if a case fails. docs/rules/testing.md tells how a case is written.
    """
    if not paths and not Path("rules").is_dir():
        raise click.UsageError("there is no folder `rules` here: name the files or folders to test")
    try:
        suite = read_suite(paths or (Path("rules"),))
    except OSError as error:
        raise click.UsageError(f"{error.filename}: {error.strerror}") from None
    report = run(suite, name, mutation=mutation)
    if name is not None and not report.verdicts and not report.has_errors:
        raise click.UsageError(f"there is no case whose name contains `{name}`")
    if junit is not None:
        junit.write_bytes(suite_report.junit(report, strict=strict))
    if as_json:
        click.echo(msgspec.json.encode(suite_report.plain(report)))
    else:
        _print(report)
    sys.exit(1 if report.is_bad or (strict and report.is_lacking) else 0)


def run(suite: Suite, name: str | None = None, *, mutation: bool = True) -> Report:
    """Run the cases that are meant; look how well they cover the rules only if all of these ran and passed."""
    problems = suite.problems
    if any(problem.severity == "error" for problem in problems):
        return Report(problems=problems)
    rules = suite.loaded.rule_set
    every = [case for case in suite.cases.cases if suite.is_meant(case.file)]
    chosen = [case for case in every if name is None or name.casefold() in case.name.casefold()]
    report = Report(
        problems=problems,
        verdicts=tuple(_verdict(case, rules) for case in chosen),
        files={rule.id: rule.file for rule in rules.rules},
    )
    return report if name is not None else _examined(report, suite, mutation=mutation and not report.failed)


def _verdict(case: Case, rules: RuleSet) -> Verdict:
    differences = judge_all(case, rules, ACTIONS)
    told = explain(rules, case.event, case.now_ms) if differences else ()
    return Verdict(case, differences, {each.rule: each for each in told})


def _examined(report: Report, suite: Suite, *, mutation: bool) -> Report:
    """The report with what the cases tell about the rules that are meant."""
    rules = suite.loaded.rule_set
    meant = [rule for rule in rules.rules if suite.is_meant(rule.file) and rule.mode != "off"]
    # Cases of other files may speak of these rules too; one that fails would notice everything.
    looking = [case for case in suite.cases.cases if suite.is_meant(case.file) or not judge_all(case, rules, ACTIONS)]
    return structs.replace(
        report,
        coverage=tuple(cover(rule, looking, ACTIONS) for rule in meant),
        examined=tuple(examine(rule, looking, ACTIONS) for rule in meant) if mutation else (),
    )


def _print(report: Report) -> None:
    for problem in report.problems:
        click.echo(render(problem) + "\n")
    for line in suite_report.lines(report):
        click.echo(line)
    if not report.verdicts and not report.has_errors:
        click.echo("warning: there is no case in what was tested", err=True)
