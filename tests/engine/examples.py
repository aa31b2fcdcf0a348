"""What the engine's tests share: stand-ins for the actions, events, and a way to load one file."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from service.engine import Loaded, RuleSet, load, render
from service.engine.action_kind import Check
from service.model import Event

NOW = 1_790_000_000_000
"""2026-09-21T13:33:20Z in milliseconds."""


class FetchExecutions(Struct, forbid_unknown_fields=True):
    campaign: str
    contact: dict[str, Any]


class UpdateAttributes(Struct, forbid_unknown_fields=True):
    type: Literal["contacts", "companies"]
    contact: dict[str, Any]


class Kind(Enum):
    MOBILE = "mobile"
    LANDLINE = "landline"


class Address(Struct, forbid_unknown_fields=True):
    city: Annotated[str, Meta(min_length=1)]
    street: str | None = None


class UpsertContact(Struct, forbid_unknown_fields=True):
    """Has a field of every kind that an action may have."""

    mobile: Annotated[str, Meta(min_length=1)]
    country: Annotated[str, Meta(pattern="^[A-Z]{2}$")] = "US"
    kind: Kind = Kind.MOBILE
    score: Annotated[int, Meta(ge=0, le=100)] = 0
    ratio: float | None = None
    consent: bool = False
    rank: int | Literal["first", "last"] = "last"
    tags: Annotated[list[str], Meta(max_length=3)] = []
    address: Address | None = None

    def __post_init__(self) -> None:
        if self.score == 13:
            raise ValueError("no score of 13")


class Action(Struct, frozen=True):
    args: type[Struct]
    check: Check | None = None
    target: Callable[[Any], Any] | None = None
    prepare: Callable[[Any, str], Any] | None = None


def names_somebody(given: Mapping[str, Any]) -> tuple[str, str] | None:
    contact = given.get("contact")
    nobody = isinstance(contact, dict) and contact.get("hubspot") in ({}, {"id": ""})
    return ("contact.hubspot.id", "the contact names nobody") if nobody else None


ACTIONS: dict[str, Action] = {
    "fetch_executions": Action(FetchExecutions),
    "update_attributes": Action(UpdateAttributes, names_somebody),
    "upsert_contact": Action(UpsertContact),
}


def load_text(text: str | bytes) -> Loaded:
    """One file named r.yaml."""
    return load({"r.yaml": text.encode() if isinstance(text, str) else text}, ACTIONS)


def rules_of(text: str) -> RuleSet:
    """The rule set of a file that has no errors."""
    loaded = load_text(text)
    assert [render(problem) for problem in loaded.problems if problem.severity == "error"] == []
    return loaded.rule_set


def rule(when: str = "", then: str = "", **more: str) -> str:
    """A file with one rule for contact.updated; `when` and `then` in flow style."""
    fields = {"id": "one", "event": "contact.updated", "when": when, **more}
    fields["then"] = then or "[{ do: upsert_contact, with: { mobile: '1' } }]"
    lines = [f"{name}: {value}" for name, value in fields.items() if value]
    return "version: 1\nrules:\n  - " + "\n    ".join(lines) + "\n"


def event(values: dict[str, Any] | None = None, **more: Any) -> Event:
    """An event of a HubSpot contact that was updated by a person."""
    return Event(
        **{
            "source": "hubspot",
            "account": "62515",
            "type": "contact.updated",
            "object_id": "123",
            "occurred_at": NOW - 1_000,
            "fact_key": "f" * 22,
            "delivery_key": "d" * 22,
            "values": values or {},
            "origin": "user",
            **more,
        }
    )
