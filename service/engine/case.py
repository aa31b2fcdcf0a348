"""A test case of a rule, and what a rule does with its event: the types."""

from typing import Any

from msgspec import Struct

from service.model import Event


class Call(Struct, frozen=True):
    """One action call."""

    do: str
    """The action's name."""
    args: dict[str, Any] = {}
    """Its arguments as the action gets them, as JSON types; empty if they could not be made."""
    fails: str = ""
    """The reason why its arguments could not be made."""
    why: str = ""
    """The same in words, which name the path; never part of what is expected."""


class Firing(Struct, frozen=True):
    """The rule must fire."""

    calls: tuple[Call, ...] | None = None
    """What it must call, in this order and nothing else; None: no matter what."""
    fails: str = ""
    """The reason why, having fired, it cannot be planned."""


class Silence(Struct, frozen=True):
    """The rule must stay silent, and only because of the condition on this path (or of the `event`)."""

    because: str


class MockFailure(Struct, frozen=True):
    """What a step gives in a case: it fails, and its run ends there."""

    reason: str


class Case(Struct, frozen=True, kw_only=True):
    """One case of a test file."""

    name: str
    file: str
    line: int
    """1-based, as is `column`."""
    column: int
    event: Event
    now_ms: int
    results: dict[str, dict[str, Any] | MockFailure]
    """Step name -> what it gives back, as JSON types."""
    expected: dict[str, Firing | Silence]
    """Rule id -> what the rule must do."""
    watched: frozenset[str]
    """Ids of the rules that must not fire if they are not in `expected`."""


class Trial(Struct, frozen=True):
    """What a rule does with the event of a case, in whatever mode it is."""

    fired: bool
    calls: tuple[Call, ...] = ()
    fails: str = ""
    """The reason why it fired but cannot be planned; it calls nothing then."""
    why: str = ""
    """The same in words, which name the path."""
    unanswered: str = ""
    """The step whose result later steps use and the case does not give; nothing after it is known."""


class Difference(Struct, frozen=True):
    """One way in which a rule did not do what a case expects."""

    rule: str
    path: str
    """What differs, e.g. `call 2 update_attributes: contact.attributes.stage`; empty: whether it fires at all."""
    expected: str
    actual: str
    """Both as JSON, or in words."""
