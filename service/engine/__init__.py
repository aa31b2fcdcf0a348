"""Rules: from YAML files to decisions about events. Pure: no clock, no randomness, and no I/O but in `folder`.

`load` turns files into a RuleSet and lists every mistake; `plan` says what the rules decide for an event, and
`explain` why.
Conditions live in `condition` and `operators`, templates in `template` and `filters`, all checks in `check*`.
"""

from service.engine.action_kind import ActionKind
from service.engine.explain import RuleVerdict, explain
from service.engine.folder import is_rule_file, read_folder, read_paths
from service.engine.last_good import Kept, load_keeping
from service.engine.load import Loaded, load
from service.engine.plan import plan
from service.engine.preview import Preview, preview, same_calls, same_steps
from service.engine.problem import Problem, render
from service.engine.quiet import collector_paused
from service.engine.rule import Rule, Step
from service.engine.rule_set import RuleSet
from service.engine.scope import StepScope

__all__ = [
    "ActionKind",
    "Kept",
    "Loaded",
    "Preview",
    "Problem",
    "Rule",
    "RuleSet",
    "RuleVerdict",
    "Step",
    "StepScope",
    "collector_paused",
    "explain",
    "is_rule_file",
    "load",
    "load_keeping",
    "plan",
    "preview",
    "read_folder",
    "read_paths",
    "render",
    "same_calls",
    "same_steps",
]
