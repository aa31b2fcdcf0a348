"""Rules: from YAML files to decisions about events. Pure: no clock, no randomness, and no I/O but in `folder`.

`load` turns files into a RuleSet and lists every mistake; `plan` says what the rules decide for an event, and
`explain` why.
Conditions live in `condition` and `operators`, templates in `template` and `filters`, all checks in `check*`.
"""

from service.engine.action_kind import ActionKind
from service.engine.explain import RuleVerdict, explain
from service.engine.fill import fill_in
from service.engine.folder import read_folder, read_paths
from service.engine.load import Loaded, load
from service.engine.plan import plan
from service.engine.problem import Problem, render
from service.engine.rule import Rule, Step
from service.engine.rule_set import RuleSet
from service.engine.scope import StepScope

__all__ = [
    "ActionKind",
    "Loaded",
    "Problem",
    "Rule",
    "RuleSet",
    "RuleVerdict",
    "Step",
    "StepScope",
    "explain",
    "fill_in",
    "load",
    "plan",
    "read_folder",
    "read_paths",
    "render",
]
