"""Write the expected output beside every bad test file: `python -m tests.cases_bad`. Read the difference it makes."""

from pathlib import Path

from service.actions import ACTIONS
from service.engine import FixtureError, load, read_cases, render
from service.model import Event

FOLDER = Path(__file__).parent

RULES = """\
version: 1
rules:
  - id: customer-leaves-nurture
    event: contact.updated
    when: { source: hubspot, contact.lifecyclestage: { changed_to: customer }, not: { origin: import } }
    then:
      - { do: fetch_executions, as: drip, with: { campaign: c, contact: { hubspot: "${contact.id}" } } }
      - do: update_attributes
        if: { drip.found: true }
        with: { type: contacts, contact: { hubspot: { id: "${contact.id}" }, firstName: "${drip.latest.status}" } }
  - id: won-deal-thanks
    event: deal.updated
    when: { source: pipedrive, deal.status: { changed_to: won } }
    then: [{ do: upsert_contact, with: { contact: { mobile: { number: "+15550100000" } } } }]
"""


def no_fixtures(_file: str, name: str) -> tuple[Event, ...]:
    """One delivery with two events, and no others."""
    if name != "hubspot/two":
        raise FixtureError(f"there is no fixture `{name}`", "there are: two")
    event = Event(
        source="hubspot",
        account="1",
        type="contact.updated",
        object_id="1",
        occurred_at=0,
        fact_key="f",
        delivery_key="d",
        values={},
    )
    return (event, event)


def output(file: Path) -> str:
    """What lint says about one file."""
    rules = load({"r.yaml": RULES.encode()}, ACTIONS).rule_set
    problems = read_cases({file.name: file.read_bytes()}, rules, ACTIONS, no_fixtures).problems
    return "".join(render(problem) + "\n" for problem in problems)


if __name__ == "__main__":
    for bad in sorted(FOLDER.glob("*.yaml")):
        bad.with_suffix(".txt").write_text(output(bad), encoding="utf-8")
