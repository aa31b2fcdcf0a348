"""Rules: from YAML files to decisions about events. Pure: no clock, no randomness, and no I/O but in `folder`.

`load` turns files into a RuleSet and lists every mistake; `plan` says what the rules decide for an event, and
`explain` why. `read_cases` reads the tests of rules, `judge_all` and `examine` say what they show.
Conditions live in `condition` and `operators`, templates in `template` and `filters`, all checks in `check*`.
"""

from service.engine.action_kind import ActionKind
from service.engine.case import Case, Difference
from service.engine.check_cases import Cases, FixtureError, read_cases, untested
from service.engine.examine import Coverage, Examined, cover, examine
from service.engine.explain import RuleVerdict, explain
from service.engine.fill import fill_in
from service.engine.folder import is_rule_file, read_folder, read_paths, read_tests, topic
from service.engine.judge import judge_all
from service.engine.last_good import Kept, load_keeping
from service.engine.load import Loaded, load
from service.engine.mutate import Mutant
from service.engine.plan import plan
from service.engine.preview import Preview, preview, same_calls, same_steps
from service.engine.problem import Problem, render
from service.engine.quiet import COLLECT_AFTER, collector_paused
from service.engine.rule import Rule, Step
from service.engine.rule_set import RuleSet
from service.engine.scope import StepScope
from service.engine.yaml_scalars import plain_scalar

__all__ = [
    "COLLECT_AFTER",
    "ActionKind",
    "Case",
    "Cases",
    "Coverage",
    "Difference",
    "Examined",
    "FixtureError",
    "Kept",
    "Loaded",
    "Mutant",
    "Preview",
    "Problem",
    "Rule",
    "RuleSet",
    "RuleVerdict",
    "Step",
    "StepScope",
    "collector_paused",
    "cover",
    "examine",
    "explain",
    "fill_in",
    "is_rule_file",
    "judge_all",
    "load",
    "load_keeping",
    "plain_scalar",
    "plan",
    "preview",
    "read_cases",
    "read_folder",
    "read_paths",
    "read_tests",
    "render",
    "same_calls",
    "same_steps",
    "topic",
    "untested",
]
