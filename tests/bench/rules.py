"""Measure rules: lint of 10,000 of them, and planning an event against 10 and 10,000 side by side, in CPU time.

CPU time, since a busy machine stretches the clock on the wall; the limits are what users were promised.
"""

import gc
import statistics
import time
from collections.abc import Callable

from rich.table import Table

from service.actions import ACTIONS
from service.engine import RuleSet, load, plan
from service.model import Event

ROUNDS = 5
EVENTS = 2_000

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


def rules_table(event: Event, now: int) -> Table:
    """The figures beside their limits."""
    few, many = rules(10), rules(10_000)
    against_few, against_many = [], []
    for _ in range(ROUNDS + 1):  # the first round warms up
        against_few.append(_cpu(lambda: _plan(few, event, now)) / EVENTS * 1e6)
        against_many.append(_cpu(lambda: _plan(many, event, now)) / EVENTS * 1e6)
    ten, ten_thousand = statistics.median(against_few[1:]), statistics.median(against_many[1:])
    texts = files(10_000)
    lines = sum(text.count(b"\n") for text in texts.values())
    linted = _lint(texts)
    table = Table("measure", "figure", "limit", title="rules, in CPU time")
    for name, figure, limit, unit in (
        ("plan an event that matches nothing, 10 rules", ten, 15, " µs"),
        ("plan an event that matches nothing, 10,000 rules", ten_thousand, 15, " µs"),
        ("the second to the first", ten_thousand / ten, 3, "x"),
        (f"lint 10,000 rules, {lines:,} lines", linted, 10, " s"),
    ):
        table.add_row(name, f"{figure:.2f}{unit}", f"{limit}{unit}{'' if figure <= limit else '  MISSED'}")
    return table


def _file(numbers: range) -> bytes:
    """Half of the rules ask for a property of their own, half for the one that the bench's events carry."""
    asked = ((f"property_{n}", "x") if n % 2 else ("nobody_asks", f"never-{n}") for n in numbers)
    rules = (_RULE.format(n=n, asked=path, value=value) for n, (path, value) in zip(numbers, asked, strict=True))
    return ("version: 1\nrules:\n" + "".join(rules)).encode()


def _plan(rule_set: RuleSet, event: Event, now: int) -> None:
    for _ in range(EVENTS):
        plan(rule_set, event, now)


def _lint(texts: dict[str, bytes]) -> float:
    gc.disable()  # as `sluice rules lint` does
    try:
        return _cpu(lambda: load(texts, ACTIONS))
    finally:
        gc.enable()


def _cpu(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
