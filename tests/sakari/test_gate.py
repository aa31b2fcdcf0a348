"""The gate: a call waits in place or is put off, and what became of it is told as what it says of the account."""

from collections import deque
from typing import Any

import pytest
from msgspec import Struct
from structlog.testing import capture_logs

from service.errors import LeaseLost, Permanent, Retryable, StepError, Uncertain
from service.model import Admission, Effect, Outcome
from service.sakari.client import Sakari
from service.sakari.gate import OUTCOMES, Caller, Gate
from service.sakari.outcome import OUR_WORDS
from service.sandbox.state import Fault
from tests.sakari.rig import Rig, made_tokens

GO = Admission(verdict="go", at=1000)
WATCHED = Admission(verdict="go", at=1000, watched=True)


class Report(Struct, frozen=True):
    caller: str
    outcome: Outcome
    admitted_at: int
    successes: int
    asked_s: float | None
    reason: str


class Told:
    """What all workers know, as the test says: it answers with the next of `admissions` and `effects`."""

    def __init__(self, *admissions: Admission) -> None:
        self.admissions = deque(admissions)
        self.effects: deque[Effect] = deque()
        self.asked: list[tuple[str, int]] = []
        self.reports: list[Report] = []

    def asking(self, caller: str, standing: str) -> None: ...

    async def admit(self, caller: str, standing: str, slot: int) -> Admission:
        del caller
        self.asked.append((standing, slot))
        return self.admissions.popleft() if self.admissions else GO

    async def report(
        self,
        caller: str,
        outcome: Outcome,
        *,
        admitted_at: int,
        successes: int = 0,
        asked_s: float | None = None,
        reason: str = "",
        message: str = "",
    ) -> Effect:
        del message
        self.reports.append(Report(caller, outcome, admitted_at, successes, asked_s, reason))
        return self.effects.popleft() if self.effects else Effect()


def client(rig: Rig, shared: Told, caller: Caller | None = None) -> Sakari:
    whole = Sakari(rig.line, "demo", rig.tokens, gate=Gate(shared))
    return whole.guarded(lambda: None, caller or Caller(name="me"))


async def write(sakari: Sakari) -> Any:
    return await sakari.write_attributes("contacts", {"hubspot": {"id": 1}})


async def test_who_was_told_already_asks_again_only_for_the_next_call() -> None:
    shared, caller = Told(), Caller(name="me", told=WATCHED)
    gate = Gate(shared)
    await gate.enter(caller)
    assert (shared.asked, caller.let_in) == ([], WATCHED)
    await gate.enter(caller)
    assert (shared.asked, caller.let_in) == ([("on", 0)], GO)


async def test_it_waits_in_place_and_comes_back_with_its_slot(rig: Rig) -> None:
    await rig.tokens.get()
    shared = Told(Admission(verdict="wait", at=77, wait_ms=5), Admission(verdict="wait", at=78, wait_ms=1), GO)
    await write(client(rig, shared, Caller(put_off=2)))
    assert shared.asked == [("2", 0), ("2", 77), ("2", 78)]


async def test_after_its_first_call_an_attempt_goes_on(rig: Rig) -> None:
    await rig.tokens.get()
    shared, caller = Told(), Caller()
    await write(client(rig, shared, caller))
    await write(client(rig, shared, caller))
    assert shared.asked == [("0", 0), ("on", 0)]


async def test_fetching_a_token_waits_for_its_turn_too(rig: Rig) -> None:
    shared = Told()
    await write(client(rig, shared))
    assert shared.asked == [("0", 0), ("on", 0)]


async def test_who_is_not_let_in_sends_nothing_and_tells_nothing(rig: Rig) -> None:
    shared = Told(Admission(verdict="later", at=123, reason="circuit_open", message="HTTP 503"))
    with pytest.raises(Retryable, match=r"Sakari is down.*HTTP 503") as caught:
        await write(client(rig, shared))
    assert (caught.value.due, caught.value.reason) == (123, "circuit_open")
    assert rig.sandbox.calls == {}
    assert shared.reports == []


async def test_the_lease_is_looked_at_after_the_wait(rig: Rig) -> None:
    await rig.tokens.get()
    shared = Told(Admission(verdict="wait", at=1, wait_ms=1), GO)

    def lost() -> None:
        assert len(shared.asked) == 2
        raise LeaseLost

    with pytest.raises(LeaseLost):
        await write(Sakari(rig.line, "demo", rig.tokens, gate=Gate(shared)).guarded(lost))
    assert rig.calls("/attributes/contacts") == {}


async def test_a_success_is_told_only_to_who_wants_to_know(rig: Rig) -> None:
    await rig.tokens.get()
    shared = Told(GO, WATCHED)
    sakari = client(rig, shared)
    await write(sakari)
    assert shared.reports == []
    await write(sakari)
    assert shared.reports == [Report("me", "ok", 1000, 2, None, "")]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault(status=429, retry_after=7), ("limited", "rate_limited", 7.0)),
        (Fault(status=429), ("limited", "rate_limited", None)),
        (Fault(status=503, retry_after=9), ("failed", "unavailable", 9.0)),
        (Fault(status=500), ("failed", "server_error", None)),
        (Fault(cut="after"), ("failed", "connection_cut", None)),
        (Fault(body="<html>"), ("failed", "unreadable_answer", None)),
        (Fault(status=403), ("denied", "http_403", None)),
        (
            Fault(status=400, body={"success": False, "error": {"code": "ACCT-006"}}),
            ("denied", "sakari_ACCT-006", None),
        ),
        (Fault(status=401, path="/v1/"), ("denied", "unauthorized", None)),
        (Fault(status=401, path="/oauth2/"), ("refused", "bad_credentials", None)),
        (Fault(status=404, path="/oauth2/"), ("refused", "token_refused", None)),
        (Fault(status=503, path="/oauth2/"), ("failed", "unavailable", None)),
    ],
)
async def test_what_becomes_of_a_call_is_told_and_may_be_the_accounts_fault(
    rig: Rig, fault: Fault, told: tuple[str, str, float | None]
) -> None:
    shared = Told()
    if fault.path != "/oauth2/":
        await rig.tokens.get()
    rig.faults(fault)
    with pytest.raises(StepError) as own:
        await write(client(rig, shared))
    assert getattr(own.value, "due", None) is None
    (report,) = shared.reports
    assert (report.outcome, report.reason, report.asked_s) == told

    shared.effects.append(Effect("", 4711))
    kind = Uncertain if isinstance(own.value, Uncertain) else Retryable
    with pytest.raises(kind) as put_off:
        await write(client(rig, shared))
    error = put_off.value
    assert isinstance(error, Retryable | Uncertain)
    assert (error.due, error.reason, error.answer) == (4711, told[1], own.value.answer)


@pytest.mark.parametrize("status", [400, 404, 409, 422, 302])
async def test_a_refusal_of_one_call_shows_that_sakari_is_there(rig: Rig, status: int) -> None:
    await rig.tokens.get()
    shared = Told(WATCHED)
    rig.faults(Fault(status=status))
    with pytest.raises(Permanent):
        await write(client(rig, shared))
    assert [report.outcome for report in shared.reports] == ["ok"]


async def test_successes_in_this_process_are_told_with_the_next_failure(rig: Rig) -> None:
    shared = Told()
    whole = Sakari(rig.line, "demo", rig.tokens, gate=Gate(shared))
    for _ in range(3):
        await write(whole.guarded(lambda: None))
    rig.faults(Fault(status=503))
    for _ in range(2):
        with pytest.raises(Retryable):
            await write(whole.guarded(lambda: None))
    assert [report.successes for report in shared.reports] == [3, 0]


def test_every_code_that_is_said_of_an_account_has_words() -> None:
    codes = {reason.removeprefix("sakari_") for reason in OUTCOMES if reason.startswith("sakari_")}
    assert codes <= set(OUR_WORDS)


@pytest.mark.parametrize(
    ("effect", "event"),
    [
        (Effect("slower", 1, 7), "slowed down"),
        (Effect("opened", 1), "circuit opened"),
        (Effect("paused", 1), "account paused"),
        (Effect("closed", None, 61_000), "circuit closed"),
    ],
)
async def test_a_change_is_said_once_by_who_brought_it_about(effect: Effect, event: str) -> None:
    shared = Told()
    shared.effects.append(effect)
    gate, caller = Gate(shared, "sales"), Caller()
    with capture_logs() as logs:
        await gate.failed(caller, Retryable("unavailable", "Sakari answered HTTP 503"))
        await gate.failed(caller, Retryable("unavailable", "Sakari answered HTTP 503"))
    assert [(line["event"], line["account"]) for line in logs] == [(event, "sales")]


async def test_a_wrong_secret_shows_in_no_message(rig: Rig) -> None:
    shared = Told()
    shared.effects.append(Effect("paused", 1))
    sakari = Sakari(rig.line, "demo", made_tokens(rig.line, secret="hidden"), gate=Gate(shared))
    with capture_logs() as logs, pytest.raises(Retryable) as caught:
        await write(sakari)
    assert "hidden" not in str(logs) + str(caught.value)
    assert "SLUICE_SAKARI_CLIENT_SECRET" in logs[0]["message"]
