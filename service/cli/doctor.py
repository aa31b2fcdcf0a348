"""`sluice doctor`: tells whether this installation is well, as far as that can be told without changing anything."""

from collections.abc import AsyncIterator, Iterable

import msgspec
import rich_click as click

from service.cli.command import command, environment, json_option, out
from service.cli.doctor_inside import Environ, Finding, check_redis, check_rules, check_settings
from service.cli.doctor_outside import check_sakari, check_sources

_MARKS = {"ok": "[green]✓[/]", "warn": "[yellow]![/]", "bad": "[red]✗[/]", "unchecked": "[dim]-[/]"}


@click.command()
@json_option
@command
async def doctor(as_json: bool) -> int:
    """Check this installation: settings, Redis, rules, sources, Sakari. Nothing is written, no secret is shown.

    It looks at what the settings here lead to; `-` marks what it could not look at. Exit 0: nothing is broken, 1:
    something is, 2: a process would not start with these settings, or none are set here.
    """
    found: list[Finding] = []
    async for finding in _findings(environment()):
        if not as_json:
            _show(finding, heading=not found or found[-1].section != finding.section)
        found.append(finding)
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        out.print(f"\n{_summary(found)}", highlight=False)
    bad = {finding.section for finding in found if finding.mark == "bad"}
    if "settings" in bad or not (bad or _looked(found)):
        return 2
    return int(bool(bad))


async def _findings(environ: Environ) -> AsyncIterator[Finding]:
    """Look at everything that these settings lead to, in order."""
    for finding in check_settings(environ):
        yield finding
    for check in (check_redis, check_rules, check_sources, check_sakari):
        async for finding in check(environ):
            yield finding


def _show(finding: Finding, *, heading: bool) -> None:
    if heading:
        out.print(f"[bold]{finding.section}[/]")
    out.print(f"  {_MARKS[finding.mark]} ", end="")
    out.print(finding.what, markup=False, highlight=False, soft_wrap=True)
    if finding.do:
        out.print(f"    → {finding.do}", markup=False, highlight=False, soft_wrap=True, style="dim")


def _looked(found: Iterable[Finding]) -> bool:
    """Whether an installation was looked at at all. A folder with rules is none."""
    return any(finding.section != "rules" and finding.mark in {"ok", "bad"} for finding in found)


def _summary(found: list[Finding]) -> str:
    marks = [finding.mark for finding in found]
    if "bad" not in marks and not _looked(found):
        return (
            "No installation was looked at. Set SLUICE_REDIS_URL and what `sluice serve` or `sluice work` need (the README"
            " lists it), or run this where they run."
        )
    if not {"bad", "warn"} & set(marks):
        return "All is well" + (", as far as it was looked at." if "unchecked" in marks else ".")
    return f"{marks.count('bad')} broken, {marks.count('warn')} to look at, {marks.count('ok')} well."
