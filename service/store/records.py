"""What the store keeps, as types: journal entries, step records, dead letters, and the lanes that workers claim."""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from service.model import Event, PlanFailure, Run

RunState = Literal["waiting", "retrying", "done", "skipped", "superseded", "dead", "dropped"]
"""`waiting` has no ledger yet, or waits for its turn to call; `retrying` has failed and will be tried again; the others are
ends."""

StepState = Literal["pending", "done", "skipped", "superseded", "failed"]

ENDED: frozenset[RunState] = frozenset({"done", "skipped", "superseded", "dead", "dropped"})


class JournalEntry(Struct, frozen=True, array_like=True):
    """An accepted event with what the rules decided; the verdict of every other rule follows from re-planning it."""

    event: Event
    ruleset: str
    received_at: int
    runs: tuple[str, ...] = ()
    """Ids of the rules that fired."""
    shadowed: tuple[str, ...] = ()
    failures: tuple[PlanFailure, ...] = ()


class StepRecord(Struct, frozen=True, array_like=True, kw_only=True):
    """What one step did."""

    state: StepState
    at: int
    took_ms: int = 0
    reason: str = ""
    message: str = ""
    result: dict[str, Any] = {}
    """What later steps use of the result: all that a retry needs to go on from here."""
    args: Any = None
    """The arguments as they were sent, bounded; personal data, so it is shown masked."""
    answer: Any = None
    """Sakari's answer, bounded; personal data, so it is shown masked."""
    do: str = ""
    """The action."""

    @property
    def taken(self) -> bool:
        """Whether the step is over, so that it is not done again."""
        return self.state not in ("pending", "failed")


class RunRecord(Struct, frozen=True, kw_only=True):
    """The ledger of one run."""

    state: RunState = "waiting"
    reason: str = ""
    message: str = ""
    tries: int = 0
    put_off: int = 0
    """How often it was told to come back later: by the pace or the circuit of its account, or while a campaign was read."""
    ended_at: int = 0
    expires_at: int = 0
    """Given to a dead letter's run when a person retries it; takes the place of the run's own."""
    retries: int = 0
    """How often a person had it tried again after it had died."""
    died_of: str = ""
    """Why it died before the last retry, in a fixed word."""
    died_message: str = ""
    retried_at: int = 0
    retried_by: str = ""
    """Where the person asked for the last retry: `console`, `admin API`, `command line`."""
    steps: dict[int, StepRecord] = {}

    @property
    def ended(self) -> bool:
        """True once nothing more will happen to the run without a person."""
        return self.state in ENDED


class DeadLetter(Struct, frozen=True, array_like=True, kw_only=True):
    """Something that cannot go on without a person."""

    id: str
    kind: Literal["run", "rule", "delivery"]
    """A run that failed; a rule that could not be planned; a verified delivery (or an event of one) that made no sense."""
    reason: str
    message: str
    source: str
    at: int
    """When it died, by the clock of the process that buried it."""
    rule: str = ""
    lane: str = ""
    event_id: str = ""
    occurred_at: int = 0
    run_key: str = ""
    member: bytes = b""
    """For runs: the lane member, which puts the run back exactly where it was."""
    body: bytes = b""
    """For deliveries: the bytes that made no sense."""


class Waiting(Struct, frozen=True):
    """The first run of a claimed lane, as it stands in Redis."""

    member: bytes
    event_id: str
    run: Run
    record: RunRecord
    behind: bool = False
    """Whether more runs wait in the lane."""
    unreadable: bool = False
    """True if this version of Sluice cannot read the run or its ledger; then only its key, lane and time are right."""


class Lane(Struct, kw_only=True):
    """A lane under lease. `until` is this process's monotonic clock, in seconds: after it nothing may be written."""

    name: str
    number: str
    until: float
    head: Waiting
    holding: str = ""
    """The Sakari record that the run at hand holds, if any: its hold is renewed with the lease."""
    apart: bool = False
    """True once a call for several runs was refused: from then on each makes its own, so that one cannot spoil the rest."""


_run = msgspec.msgpack.Decoder(Run)
_step = msgspec.msgpack.Decoder(StepRecord)

encode = msgspec.msgpack.Encoder(enc_hook=str).encode
"""MessagePack for everything that Redis keeps."""


def plain(value: Any) -> Any:
    """Give records as mappings with names: in Redis they are arrays, which say nothing to a reader."""
    if isinstance(value, Struct):
        return {name: plain(inner) for name, inner in msgspec.structs.asdict(value).items()}
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value


def waiting(lane: str, member: bytes, occurred_at: int, ledger: list[bytes], *, behind: bool = False) -> Waiting:
    """Read a lane's member (`<ms>-<seq>-<n> <run key> <Run>`) and the flat ledger of its run."""
    order, key, blob = member.split(b" ", 2)
    ms, seq, _ = order.decode().split("-")
    event_id = f"{int(ms)}-{int(seq)}"
    try:
        return Waiting(member, event_id, _run.decode(blob), run_record(ledger), behind)
    except ValueError:  # msgspec's own errors are such, but so is text that is not UTF-8, or a number that is none
        stand_in = _stand_in(lane, key.decode(), occurred_at)
        return Waiting(member, event_id, stand_in, RunRecord(), behind, unreadable=True)


def _stand_in(lane: str, key: str, occurred_at: int) -> Run:
    """Make what can be known of a run that cannot be read, so that it can be buried like any other."""
    rule = key.rpartition("/")[2]
    return Run(
        key=key, rule=rule, ruleset="", lane=lane, occurred_at=occurred_at, planned_at=0, expires_at=0, values={}
    )


def run_record(ledger: list[bytes]) -> RunRecord:
    """Read a ledger as Redis returns it: fields and values in turn. Raises ValueError if it cannot be read."""
    fields = {name.decode(): value for name, value in zip(ledger[::2], ledger[1::2], strict=True)}
    return RunRecord(
        state=fields.get("state", b"waiting").decode(),  # type: ignore[arg-type]  # a word of a newer version is shown as it is
        reason=fields.get("reason", b"").decode(),
        message=fields.get("message", b"").decode(),
        tries=int(fields.get("tries", 0)),
        put_off=int(fields.get("put_off", 0)),
        ended_at=int(fields.get("ended_at", 0)),
        expires_at=int(fields.get("expires_at", 0)),
        retries=int(fields.get("retries", 0)),
        died_of=fields.get("died_of", b"").decode(),
        died_message=fields.get("died_message", b"").decode(),
        retried_at=int(fields.get("retried_at", 0)),
        retried_by=fields.get("retried_by", b"").decode(),
        steps={int(n[5:]): _step.decode(v) for n, v in fields.items() if n.startswith("step:")},
    )
