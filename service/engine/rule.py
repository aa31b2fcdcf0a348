"""What a rule file becomes: rules with their steps, checked and compiled."""

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

from service.engine.condition import Condition, evaluate
from service.engine.scope import Lookup
from service.engine.template import Tree, fill
from service.model import DEFAULT_ACCOUNT

Mode = Literal["live", "shadow", "off"]


class Step(Struct, frozen=True, kw_only=True):
    """One action call of a rule."""

    index: int
    """0-based."""
    do: str
    """The action's name."""
    name: str = ""
    """The step's `as`: the name under which later steps see its result; empty if it has none."""
    if_: Condition
    with_: Tree
    uses: frozenset[str]
    """Event paths that `with` or `if` asks for."""
    needs: frozenset[str]
    """Event paths without which `with` cannot be filled."""
    results: frozenset[str]
    """Paths into the results of earlier steps, e.g. `drip.latest.status`."""
    conditional: bool
    """Whether the step has an `if`."""
    line: int
    """1-based, as is `column`."""
    column: int

    def applies(self, scope: Lookup, now_ms: int) -> bool | None:
        """The answer of the step's `if`; the step runs only if it is True. True if there is no `if`."""
        return evaluate(self.if_, scope, now_ms)

    def resolve(self, scope: Lookup) -> dict[str, Any]:
        """The values of `with`, templates filled.

        Raises Permanent with one of the reasons missing_value, bad_phone, bad_date, bad_value. The message names the
        path, never the value.
        """
        filled: dict[str, Any] = fill(self.with_, scope)
        return filled


def used_by(steps: Iterable[Step]) -> tuple[str, ...]:
    """The event paths that the steps use, in order."""
    return tuple(sorted(frozenset[str]().union(*(step.uses for step in steps))))


class Rule(Struct, frozen=True, kw_only=True):
    """One rule."""

    id: str
    description: str
    events: tuple[str, ...]
    """Event types, `<object>.<verb>`."""
    when: Condition
    steps: tuple[Step, ...]
    uses: tuple[str, ...]
    """What is `used_by` them: a run carries it."""
    mode: Mode
    expires_ms: int
    """How long after planning a run may still start."""
    account: str = DEFAULT_ACCOUNT
    """The name of the Sakari account that its steps call."""
    file: str
    line: int
    """1-based, as is `column`."""
    column: int
