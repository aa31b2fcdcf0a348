"""What an action is. One file per action in this folder; each defines `ACTION`, and nothing else needs to be told."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:  # it brings an HTTP client along, which takes longer to load than all that checks rules
    from service.sakari.client import Sakari


class Result(Struct, frozen=True):
    """What an action gives back. `value` is what later steps see under the step's `as` name (plain JSON types)."""

    value: dict[str, Any]
    answer: Any = None
    """Sakari's answer as it came (decoded JSON), for the ledger; None where there is nothing worth keeping."""


class Target(Struct, frozen=True):
    """What a write touches: one record in Sakari, and the attributes of it that the write sets."""

    record: str
    """Identity of the record within the Sakari account, e.g. `contacts/hubspot:123`."""
    attributes: tuple[str, ...]
    """Dotted names of what is set, e.g. `firstName`, `attributes.nurture_status`."""


class Action(Struct, frozen=True, kw_only=True):
    """One thing that a rule's step can do (`do: <name>`)."""

    name: str
    args: type[Struct]
    """The types of the step's `with:`; its docstring and field docs make the action's page and the JSON Schema."""
    check: Callable[[Mapping[str, Any]], tuple[str, str] | None] | None = None
    """What `args` cannot say, for lint: takes a step's `with`, of whatever shape, in which `...` stands for every text
    that holds a template. Gives the dotted place of a mistake that no value could mend, and what is wrong; or None."""
    prepare: Callable[[Any, str], Any] | None = None
    """Brings an instance of `args` into the form that is recorded, compared and sent; None if it is in that form already.
    Takes the region of phone numbers that do not say theirs (ISO 3166, or empty); may raise Permanent, before any call."""
    run: "Callable[[Any, Sakari], Awaitable[Result]]"
    """Takes an instance of `args`; raises only StepError (Retryable, Permanent, Uncertain)."""
    example: str
    """A complete step in YAML, linted by the tests."""
    sets_values: bool
    """True if repeating the call is harmless (it sets values, or only reads): an uncertain outcome is then retried."""
    target: Callable[[Any], Target] | None = None
    """For writes: what the given args would touch, never nothing; may raise Permanent as `run`. None for reads."""
    only: Callable[[Any, frozenset[str]], Any] | None = None
    """For writes: the same args reduced to these attributes (the others were superseded by a newer fact)."""
    merge: Callable[[Any, Any], Any] | None = None
    """For writes: (older, newer) args for the same record -> args that set what both set, or None if they must not be one
    call. Writes of one lane that wait together are then made in one."""
