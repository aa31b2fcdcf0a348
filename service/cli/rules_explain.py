"""`sluice rules explain`: why did this event fire these rules and not those."""

from pathlib import Path

import msgspec
import rich_click as click

from service.cli import rule_sets
from service.cli.command import command, json_option, opened, out
from service.cli.event_argument import Meant, meant
from service.dev import verdict_lines
from service.dev.view import printable
from service.engine import RuleSet
from service.insight import verdicts
from service.insight.told import told_explanation


@click.command("explain")
@click.argument("event")
@click.option(
    "--rules",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The rules to ask.  [default: those of the day for an event of the journal, else the folder `rules`]",
)
@click.option("--now-rules", is_flag=True, help="Ask the rules that are in force now, according to Redis.")
@click.option("--rule", default="", help="Explain this rule only, by its id.")
@click.option("--all", "everything", is_flag=True, help="Name the rules for other events too.")
@click.option("--unmasked", is_flag=True, help="Show personal data.")
@click.option("--fixtures", type=click.Path(path_type=Path), default="tests/fixtures", show_default=True)
@json_option
@command
async def explain(
    event: str,
    folder: Path | None,
    now_rules: bool,
    rule: str,
    everything: bool,
    unmasked: bool,
    fixtures: Path,
    as_json: bool,
) -> None:
    """Explain what the rules make of an event: every condition, what it wanted, what it met, and what stopped a rule.

    EVENT: an id of the journal, SOURCE/FIXTURE, or a JSON file as `sluice events show --json --unmasked` prints it (`-`:
    standard input).
    """
    if folder is not None and now_rules:
        raise click.UsageError("give --rules or --now-rules, not both")
    events, misfits = await meant(event, fixtures)
    told = []
    for one in events:
        rule_set = await _rules_for(one, folder, now_rules=now_rules)
        told.append(_only(rule, verdicts.explained(rule_set, one.event, one.at, event_id=one.id, masked=not unmasked)))
    if as_json:
        click.echo(msgspec.json.encode([told_explanation(explanation) for explanation in told], enc_hook=str))
    else:
        for explanation in told:
            for line in verdict_lines.lines(explanation, everything=everything):
                out.print(line, highlight=False, soft_wrap=True)
        for misfit in misfits:
            out.print(printable(f"✗ made no sense: {misfit.message}"), highlight=False, markup=False, soft_wrap=True)


async def _rules_for(one: Meant, folder: Path | None, *, now_rules: bool) -> RuleSet:
    if folder is not None:
        return rule_sets.of_folder(folder)
    if not now_rules and not one.id:
        return rule_sets.of_folder(Path("rules"))
    async with opened() as store:
        if now_rules:
            return await rule_sets.in_force(store)
        found = await rule_sets.of_version(store, one.ruleset)
    if found is None:
        raise click.ClickException(
            f"rule set {one.ruleset}, which decided about this event, is not in Redis any more; try --rules or --now-rules"
        )
    return found


def _only(rule: str, explanation: verdicts.Explanation) -> verdicts.Explanation:
    """Leave one rule, if one is named. Raises click.UsageError if there is none of that name."""
    if not rule:
        return explanation
    chosen = tuple(one for one in explanation.rules if one.verdict.rule == rule)
    if not chosen:
        raise click.UsageError(f"rule set {explanation.ruleset} has no rule `{rule}`")
    return msgspec.structs.replace(explanation, rules=chosen)
