"""The types on the arrows: Event, Plan, Run, and the records that the store keeps of them.

Times are integer milliseconds since the epoch, UTC. Types that are kept in Redis are encoded as MessagePack arrays
(`array_like`): compact, and open to new fields at the end as long as those have defaults.
"""

from typing import Any, Literal

from msgspec import Struct

Origin = Literal["user", "app", "import", "workflow", "system"]
"""Who caused a fact: a person in the CRM, another application, a bulk import, a CRM workflow, or the CRM itself."""

DEFAULT_ACCOUNT = "default"
"""The name of the Sakari account of rules that name none."""


class Event(Struct, frozen=True, array_like=True, kw_only=True):
    """One normalised fact of a CRM.

    Paths are dotted, always start with the CRM's own word for the object (`contact.lifecyclestage`,
    `deal.custom_fields.<hash>`), and are kept flat. Facts of the delivery itself stand under the source's name in the
    CRM's own spelling (`hubspot.changeFlag`, `pipedrive.is_bulk_edit`), so that nothing a CRM says is lost.
    """

    source: str
    """`hubspot` or `pipedrive`."""
    account: str
    """The CRM account: HubSpot's portal id, Pipedrive's company id."""
    type: str
    """`<object>.<verb>`, e.g. `contact.updated`; a type that Sluice does not know is kept as the CRM spelled it."""
    object_id: str
    """The CRM's id of the object as text; empty where the CRM gives none."""
    occurred_at: int
    fact_key: str
    """The identity of the fact: the same for redeliveries and for overlapping subscriptions. 22 characters."""
    delivery_key: str
    """The identity of the notification: the same for a redelivery only. 22 characters."""
    values: dict[str, Any]
    """Path -> value as it is now."""
    before: dict[str, Any] = {}
    """Path -> value before the change, where the CRM gives it."""
    changed: tuple[str, ...] = ()
    """The paths that this event says have changed (not filled for a creation)."""
    actor: str = ""
    """`user:<id>`, `app:<id>`, or empty where the CRM does not say."""
    origin: Origin = "system"
    attempt: int = 0
    """How often the CRM had tried to deliver this before."""

    @property
    def object_type(self) -> str:
        """The CRM's own word for the object: `contact`, `deal`, `2-12345`."""
        return self.type.rpartition(".")[0]

    @property
    def lane(self) -> str:
        """The name of the lane of the object that this event is about.

        An event without an object id stands alone: it gets a lane of its own rather than one shared with strangers.
        """
        return f"{self.source}/{self.account}/{self.object_type}/{self.object_id or self.fact_key}"


class Misfit(Struct, frozen=True):
    """A verified delivery, or one event of one, that could not be understood. It is kept as a dead letter."""

    message: str
    """What is wrong and where, e.g. `[3].objectId: expected int`; never the value itself."""
    body: bytes
    """The whole body; or the JSON of the one event where the others of its batch are fine."""

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("message", self.message), ("size", len(self.body))]  # the body itself may hold personal data

    def __repr__(self) -> str:
        return f"Misfit({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"


class Run(Struct, frozen=True, array_like=True, kw_only=True):
    """One rule fired by one event: a promise to execute the rule's steps, in order.

    It names its rule by the rule set's version, so a rule edited later does not change a decision already taken, and it
    carries only those event values that the rule's steps use.
    """

    key: str
    """Fact key + `/` + rule id. Idempotency key of step n: this + `/` + n."""
    rule: str
    ruleset: str
    lane: str
    occurred_at: int
    planned_at: int
    expires_at: int
    """After this it becomes a dead letter instead of a late surprise."""
    values: dict[str, Any]
    """Event path -> value, for the paths that the steps use."""
    traceparent: str = ""
    """The trace of the delivery (W3C Trace Context), if it has one: the worker goes on with it."""


class PlanFailure(Struct, frozen=True, array_like=True):
    """A rule that matched, but whose run cannot succeed (say, it needs a value that the event does not carry)."""

    rule: str
    reason: str
    message: str


class Plan(Struct, frozen=True, kw_only=True):
    """What the rules decided for one event."""

    event: Event
    ruleset: str
    """Version of the rule set that decided."""
    runs: tuple[Run, ...] = ()
    shadowed: tuple[str, ...] = ()
    """Ids of matching rules in `mode: shadow`: recorded, never executed."""
    failures: tuple[PlanFailure, ...] = ()


class Asking(Struct, frozen=True, kw_only=True):
    """The question whether a caller may call Sakari now: on which terms, and who it is."""

    account: str
    rate: float
    burst: int
    credentials: str
    """A short hash of them."""
    caller: str
    standing: str
    """`on` after the first call of an attempt, else how often the run was put off."""
    slot: int = 0
    """When the caller was told to wait until then, that time (ms)."""


class Admission(Struct, frozen=True, kw_only=True):
    """What a caller of Sakari is told: go, wait in place and ask again, or come back later."""

    verdict: Literal["go", "wait", "later"]
    at: int
    """`go`: when it was let in; `wait`: the slot that it has; `later`: when it is due. Server time, ms."""
    wait_ms: int = 0
    watched: bool = False
    """Whether the end of the call is to be told even if it is good."""
    reason: str = ""
    message: str = ""


Outcome = Literal["ok", "limited", "failed", "denied", "refused"]
"""What a call says of its account: Sakari answered; 429; no answer or 5xx; refused, perhaps the account as a whole; the account
for sure."""


class Effect(Struct, frozen=True):
    """What the end of a call changed for its account."""

    change: str = ""
    """`slower`, `opened`, `paused`, `closed`, or empty."""
    due: int | None = None
    """When the run is to go on (ms); None if the failure is the run's own."""
    number: int = 0
    """`slower`: calls a second; `closed`: after how long (ms)."""
