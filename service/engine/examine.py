"""How much the cases tell about the rules: which rules they fire and silence, and which changes they would notice."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from service.engine.action_kind import ActionKind
from service.engine.case import Case
from service.engine.condition import ALWAYS
from service.engine.judge import judge
from service.engine.mutate import Mutant, mutants
from service.engine.rule import Rule
from service.engine.trial import attempt


class Coverage(Struct, frozen=True):
    """What the cases make one rule do."""

    rule: str
    file: str
    line: int
    fires: int
    """Cases that expect the rule and fire it."""
    silent: int
    """Cases with an event of its types that it watches in silence."""
    can_be_silent: bool
    """False for a rule without conditions."""

    @property
    def complete(self) -> bool:
        """Whether the rule is seen to fire, and to stay silent if it can."""
        return self.fires > 0 and (self.silent > 0 or not self.can_be_silent)


class Examined(Struct, frozen=True):
    """How many changes of one rule were tried, and those that no case noticed."""

    rule: str
    tried: int
    survivors: tuple[Mutant, ...]


def concerned(rule: Rule, cases: Sequence[Case]) -> list[Case]:
    """The cases that look at this rule and whose event could fire it: it does the same in all others whatever it says."""
    return [
        case
        for case in cases
        if (rule.id in case.expected or rule.id in case.watched) and case.event.type in rule.events
    ]


def cover(rule: Rule, cases: Sequence[Case], actions: Mapping[str, ActionKind]) -> Coverage:
    """How often the cases that concern the rule fire it, and how often it stays silent."""
    trials = [attempt(rule, case, actions) for case in concerned(rule, cases)]
    return Coverage(
        rule=rule.id,
        file=rule.file,
        line=rule.line,
        fires=sum(trial.fired and not trial.fails for trial in trials),
        silent=sum(not trial.fired for trial in trials),
        can_be_silent=rule.when != ALWAYS,
    )


def examine(rule: Rule, cases: Sequence[Case], actions: Mapping[str, ActionKind]) -> Examined:
    """Change the rule in every way, one at a time, and see whether a case fails. All cases must pass beforehand."""
    looking = concerned(rule, cases)
    changed = list(mutants(rule))
    survivors = [mutant for mutant in changed if not _is_noticed(mutant.rule, looking, actions)]
    return Examined(rule.id, len(changed), tuple(survivors))


def _is_noticed(rule: Rule, cases: Sequence[Case], actions: Mapping[str, ActionKind]) -> bool:
    return any(next(judge(case, rule, attempt(rule, case, actions)), None) is not None for case in cases)
