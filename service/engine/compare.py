"""What other rules would have decided for events that were decided already: counts, and a few examples."""

from collections import Counter
from typing import Literal

from msgspec import Struct

from service.engine.plan import plan
from service.engine.preview import same_calls, same_steps
from service.engine.rule import Rule
from service.engine.rule_set import RuleSet
from service.model import Event, PlanFailure

Decision = Literal["no", "live", "shadow", "fails"]
"""What a rule came to: it did not match; a run; only recorded; matched, but its run could not be planned."""

MOST_OBJECTS = 100_000
"""Distinct objects that are counted for one rule; beyond that the count stays, so that memory stays flat."""


class Decided(Struct, frozen=True, kw_only=True):
    """What was decided about an event when it came in."""

    id: str
    event: Event
    at: int
    """When (ms): conditions on dates are seen from there again."""
    ruleset: str
    runs: tuple[str, ...]
    shadowed: tuple[str, ...]
    failures: tuple[PlanFailure, ...]


class Example(Struct, frozen=True, kw_only=True):
    """One event for which a rule comes to something else."""

    id: str
    object: str
    """The lane: `hubspot/62515/contact/123`."""
    before: Decision
    after: Decision


class Tally(Struct):
    """One rule, before and after."""

    counts: Counter[tuple[Decision, Decision]]
    """(before, after) -> events."""
    differently: int = 0
    """Events for which it fires before and after, but would call something else."""
    objects: set[int] = set()
    """Hashes of the objects (contacts, deals …) for which there is a difference; see MOST_OBJECTS."""
    examples: list[Example] = []

    @property
    def more(self) -> int:
        """Runs that there would be and were not."""
        return sum(number for (before, after), number in self.counts.items() if after == "live" != before)

    @property
    def fewer(self) -> int:
        """Runs that there were and would not be."""
        return sum(number for (before, after), number in self.counts.items() if before == "live" != after)

    @property
    def same(self) -> int:
        """Runs that there were and would be, with the same calls."""
        return self.counts["live", "live"] - self.differently

    @property
    def others(self) -> int:
        """Events for which something other than a run differs: what is only recorded, or fails."""
        pairs = self.counts.items()
        return sum(number for (before, after), number in pairs if before != after and "live" not in (before, after))

    @property
    def differs(self) -> bool:
        """Whether there is any difference."""
        return bool(self.more or self.fewer or self.differently or self.others)


class Comparison:
    """Adds up, event by event, how the decisions of one rule set differ from those that were made."""

    def __init__(self, rule_set: RuleSet, *, most_examples: int) -> None:
        self.rules: dict[str, Tally] = {}
        self.events = 0
        self.steps_unknown = 0
        """Runs whose steps could not be compared, since the rule set that decided is not kept any more."""
        self._rule_set, self._most_examples = rule_set, most_examples
        self._edited: dict[tuple[str, str], bool] = {}

    def add(self, decided: Decided, past: RuleSet | None) -> None:
        """Decide about an event again. `past`: the rule set of its day, None if that is not kept any more."""
        self.events += 1
        planned = plan(self._rule_set, decided.event, decided.at)
        now = tuple(run.rule for run in planned.runs)
        if not (now or planned.shadowed or planned.failures or decided.runs or decided.shadowed or decided.failures):
            return
        before = _decisions(decided.runs, decided.shadowed, decided.failures)
        after = _decisions(now, planned.shadowed, planned.failures)
        for rule in before.keys() | after.keys():
            self._count(rule, before.get(rule, "no"), after.get(rule, "no"), decided, past)

    def _count(self, rule: str, before: Decision, after: Decision, decided: Decided, past: RuleSet | None) -> None:
        tally = self.rules.setdefault(rule, Tally(Counter()))
        tally.counts[before, after] += 1
        otherwise = before == after == "live" and self._calls_differ(rule, decided, past)
        tally.differently += otherwise
        if before == after and not otherwise:
            return
        if len(tally.objects) < MOST_OBJECTS:
            tally.objects.add(hash(decided.event.lane))
        if len(tally.examples) < self._most_examples:
            example = Example(id=decided.id, object=decided.event.lane, before=before, after=after)
            tally.examples.append(example)

    def _calls_differ(self, rule: str, decided: Decided, past: RuleSet | None) -> bool:
        old = None if past is None else past.by_id.get(rule)
        if old is None:
            self.steps_unknown += decided.ruleset != self._rule_set.version
            return False
        new = self._rule_set.by_id[rule]
        return self._is_edited(old, new, decided.ruleset) and not same_calls(old, new, decided.event, decided.at)

    def _is_edited(self, old: Rule, new: Rule, version: str) -> bool:
        key = version, old.id
        if key not in self._edited:
            self._edited[key] = not same_steps(old, new)
        return self._edited[key]


def _decisions(
    runs: tuple[str, ...], shadowed: tuple[str, ...], failures: tuple[PlanFailure, ...]
) -> dict[str, Decision]:
    return {
        **dict.fromkeys(runs, "live"),
        **dict.fromkeys(shadowed, "shadow"),
        **{failure.rule: "fails" for failure in failures},
    }
