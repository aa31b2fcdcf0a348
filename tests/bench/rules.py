"""Rule sets of any size for the bench."""

from service.actions import ACTIONS
from service.engine import RuleSet, load

_RULE = """\
  - id: rule-{n}
    description: Rule number {n}.
    event: contact.updated
    when: {{ source: hubspot, contact.{asked}: {{ changed_to: {value} }} }}
    then:
      - do: update_attributes
        with: {{ type: contacts, contact: {{ hubspot: {{ id: "${{contact.id}}" }}, attributes: {{ a: b }} }} }}

"""


def files(count: int) -> dict[str, bytes]:
    """That many rules of eight lines, a thousand a file."""
    return {f"bench-{first}.yaml": _file(range(first, min(first + 1000, count))) for first in range(0, count, 1000)}


def rules(count: int) -> RuleSet:
    """A rule set of that many rules; no event of the bench matches one."""
    loaded = load(files(count), ACTIONS)
    assert not loaded.problems, loaded.problems[:1]
    return loaded.rule_set


def _file(numbers: range) -> bytes:
    """Half of the rules ask for a property of their own, half for the one that the bench's events carry."""
    asked = ((f"property_{n}", "x") if n % 2 else ("nobody_asks", f"never-{n}") for n in numbers)
    rules = (_RULE.format(n=n, asked=path, value=value) for n, (path, value) in zip(numbers, asked, strict=True))
    return ("version: 1\nrules:\n" + "".join(rules)).encode()
