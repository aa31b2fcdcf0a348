"""Loading rule files so that a mistake in one of them turns no rule off that was on."""

from collections.abc import Mapping

from msgspec import Struct

from service.engine.action_kind import ActionKind
from service.engine.load import load
from service.engine.problem import Problem
from service.engine.rule_set import RuleSet


class Kept(Struct, frozen=True, kw_only=True):
    """The rules to use for files as they are now."""

    rule_set: RuleSet
    problems: tuple[Problem, ...]
    """Of the files as they are now."""
    broken: frozenset[str]
    """Files with errors."""
    held: frozenset[str]
    """Those whose last good version is in `rule_set` instead."""
    waits: bool = False
    """Whether nothing of the files is used yet, since the last good version of a broken one does not go together with
    the new versions of others (a rule has moved from one to another): all stay as they were."""


def load_keeping(files: Mapping[str, bytes], last: Mapping[str, str], actions: Mapping[str, ActionKind]) -> Kept:
    """Load rule files; where one is broken, its last good version takes its place. Raises nothing.

    `last`: the texts of the rule set in force (`RuleSet.files`). A file that is gone is gone. A broken file that never
    had a good version contributes nothing.
    """
    now = load(files, actions)
    held = now.broken & last.keys()
    if not held:
        return Kept(rule_set=now.rule_set, problems=now.problems, broken=now.broken, held=held)
    mended = load({**files, **{name: last[name].encode() for name in held}}, actions)
    if mended.broken <= now.broken - held:
        return Kept(rule_set=mended.rule_set, problems=now.problems, broken=now.broken, held=held)
    before = load({name: text.encode() for name, text in last.items()}, actions).rule_set
    return Kept(rule_set=before, problems=now.problems, broken=now.broken, held=held, waits=True)
