"""Each way in which Sakari can fail, and what it means: against real connections where the sandbox can make it."""

from typing import Any

import httpx
import pytest

from service.errors import Permanent, Retryable, StepError, Uncertain
from service.sakari import exchange as exchange_room
from service.sakari.client import Sakari
from service.sakari.connections import Timeouts
from service.sakari.line import connect
from service.sandbox.state import Fault
from tests.sakari.rig import EMAIL, PHONE, SECRET, Rig, all_text, made_tokens, mocked, raw_server

CONTACT: dict[str, Any] = {"hubspot": {"id": 5}, "mobile": {"number": PHONE}, "email": EMAIL}
API = "/v1/"


async def read(sakari: Sakari) -> list[Any]:
    return [each async for page in sakari.executions("6604b1d2f1a3") for each in page]


async def write(sakari: Sakari) -> Any:
    return await sakari.write_attributes("contacts", CONTACT)


async def failed(call: Any) -> StepError:
    with pytest.raises(StepError) as caught:
        await call
    for secret in (PHONE, EMAIL, SECRET, "t0ken", "eyJ"):
        assert secret not in all_text(caught.value)
    return caught.value


FAULTS = [
    # fault, what a read means, what a write means, reason
    (Fault(path=API, cut="before"), Retryable, Uncertain, "connection_cut"),
    (Fault(path=API, cut="midway"), Retryable, Uncertain, "connection_cut"),
    (Fault(path=API, cut="after"), Retryable, Uncertain, "connection_cut"),
    (Fault(path=API, status=429), Retryable, Retryable, "rate_limited"),
    (Fault(path=API, status=408), Retryable, Retryable, "unavailable"),
    (Fault(path=API, status=503), Retryable, Retryable, "unavailable"),
    (Fault(path=API, status=500), Retryable, Uncertain, None),
    (Fault(path=API, status=500, applied=True), Retryable, Uncertain, None),
    (Fault(path=API, status=502), Retryable, Uncertain, None),
    (Fault(path=API, status=504), Retryable, Uncertain, None),
    (Fault(path=API, status=400), Permanent, Permanent, "http_400"),
    (Fault(path=API, status=404), Permanent, Permanent, "http_404"),
    (Fault(path=API, status=422), Permanent, Permanent, "http_422"),
    (Fault(path=API, status=302), Permanent, Permanent, "redirect"),
    (Fault(path=API, body="<html>hello</html>", content_type="text/html"), Retryable, Uncertain, "unreadable_answer"),
    (Fault(path=API, body=""), Retryable, Uncertain, "unreadable_answer"),
    (Fault(path=API, body=[1, 2]), Retryable, Uncertain, "unreadable_answer"),
    (Fault(path=API, body={"message": "down for repair"}), Retryable, Uncertain, "unreadable_answer"),
    (Fault(path=API, body={"success": False}), Permanent, Permanent, "refused"),
    (Fault(path=API, body={"success": "no"}), Permanent, Permanent, "refused"),
    (Fault(path=API, body={"error": {"code": "ACCT-006"}}), Permanent, Permanent, "sakari_ACCT-006"),
]


@pytest.mark.parametrize(("fault", "reading", "writing", "reason"), FAULTS)
async def test_every_fault_has_one_meaning_for_reads_and_one_for_writes(
    rig: Rig, fault: Fault, reading: type[StepError], writing: type[StepError], reason: str | None
) -> None:
    rig.faults(fault)
    for call, meaning in ((read(rig.sakari), reading), (write(rig.sakari), writing)):
        error = await failed(call)
        assert type(error) is meaning
        assert reason is None or error.reason == reason


async def test_redirect_is_not_followed(rig: Rig) -> None:
    rig.faults(Fault(path=API, status=307))
    await failed(read(rig.sakari))
    assert rig.calls("/executions") == {"307": 1}


@pytest.mark.parametrize(("cut", "happened"), [("before", 0), ("midway", 1), ("after", 1)])
async def test_a_cut_write_is_uncertain_because_it_may_have_happened(rig: Rig, cut: Any, happened: int) -> None:
    rig.faults(Fault(path=API, cut=cut))
    assert type(await failed(write(rig.sakari))) is Uncertain
    assert len(rig.sandbox.writes) == happened


async def test_a_cut_on_a_connection_in_use_is_uncertain_and_not_sent_twice(rig: Rig) -> None:
    await write(rig.sakari)
    rig.faults(Fault(path=API, cut="after"))
    assert type(await failed(write(rig.sakari))) is Uncertain
    assert len(rig.sandbox.writes) == 2


async def test_slow_answer_is_a_timeout_and_the_write_has_happened(rig: Rig) -> None:
    await rig.tokens.get()
    rig.faults(Fault(path=API, slow_ms=1500))
    async with connect(rig.url, timeouts=Timeouts(read=0.5)) as hasty:
        sakari = Sakari(hasty, "demo", rig.tokens)
        error = await failed(write(sakari))
        assert (type(error), error.reason) == (Uncertain, "timeout")
        assert len(rig.sandbox.writes) == 1
        error = await failed(read(sakari))
        assert (type(error), error.reason) == (Retryable, "timeout")


async def test_a_call_is_bounded_from_first_to_last_byte(rig: Rig) -> None:
    await rig.tokens.get()
    rig.faults(Fault(path=API, slow_ms=1500))
    error = await failed(write(Sakari(rig.line, "demo", rig.tokens, within_s=0.2)))
    assert (type(error), error.reason) == (Uncertain, "timeout")


async def test_the_status_of_a_refusal_decides_though_its_body_never_ends(rig: Rig) -> None:
    await rig.tokens.get()
    answer = b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with raw_server(answer, dribbles=True) as (url, _), connect(url) as line:
        error = await failed(write(Sakari(line, "demo", rig.tokens)))
    assert isinstance(error, Retryable)
    assert (error.reason, error.after_s) == ("rate_limited", 7.0)


async def test_nobody_listening_means_that_a_write_did_not_happen() -> None:
    async with raw_server(b"") as (url, _):
        pass
    async with connect(url) as line:
        error = await failed(write(Sakari(line, "demo", made_tokens(line))))
    assert (type(error), error.reason) == (Retryable, "unreachable")


async def test_what_is_not_http_is_a_cut_connection(rig: Rig) -> None:
    await rig.tokens.get()
    async with raw_server(b"no http at all\r\n\r\n") as (url, _), connect(url) as line:
        sakari = Sakari(line, "demo", rig.tokens)
        assert type(await failed(write(sakari))) is Uncertain
        assert type(await failed(read(sakari))) is Retryable


NEVER_SENT = [httpx.ConnectError("x"), httpx.ConnectTimeout("x"), httpx.PoolTimeout("x")]
MAYBE_SENT = [httpx.ReadTimeout("x"), httpx.WriteTimeout("x"), httpx.WriteError("x"), httpx.RemoteProtocolError("x")]


@pytest.mark.parametrize("cause", NEVER_SENT)
async def test_a_write_that_never_left_is_retryable(cause: Exception) -> None:
    sakari, _ = mocked(cause)
    assert type(await failed(write(sakari))) is Retryable


@pytest.mark.parametrize("cause", MAYBE_SENT)
async def test_a_write_that_may_have_left_is_uncertain(cause: Exception) -> None:
    sakari, _ = mocked(cause)
    assert type(await failed(write(sakari))) is Uncertain


@pytest.mark.parametrize(("answered", "seconds"), [(7, 7.0), ("0", 0.0), (-3, 0.0), (999999, 3600.0), ("1.5", 1.5)])
async def test_retry_after_is_obeyed_within_an_hour(rig: Rig, answered: int | str, seconds: float) -> None:
    for status in (429, 503):
        rig.faults(Fault(path=API, status=status, retry_after=answered))
        error = await failed(write(rig.sakari))
        assert isinstance(error, Retryable)
        assert error.after_s == seconds


@pytest.mark.parametrize("answered", ["soon", "nan", "", "Mon, 99 Foo 2026"])
async def test_unreadable_retry_after_leaves_the_wait_to_us(rig: Rig, answered: str) -> None:
    rig.faults(Fault(path=API, status=429, retry_after=answered))
    error = await failed(write(rig.sakari))
    assert isinstance(error, Retryable)
    assert error.after_s is None


@pytest.mark.parametrize(
    ("answered", "seconds"),
    [
        ("Sun, 22 Nov 2026 10:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 10:00:30 -0000", 30.0),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 0.0),
        ("Sun, 22 Nov 2026 19:00:00 GMT", 3600.0),
    ],
)
async def test_retry_after_may_be_a_date(rig: Rig, answered: str, seconds: float) -> None:
    now = 1795341600.0  # 2026-11-22T10:00:00Z
    await rig.tokens.get()
    rig.faults(Fault(path=API, status=429, retry_after=answered))
    error = await failed(write(Sakari(rig.line, "demo", made_tokens(rig.line, clock=lambda: now))))
    assert isinstance(error, Retryable)
    assert error.after_s == seconds


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("CONT-001", "sakari_CONT-001"),
        ("CONT-010", "opted_out"),
        ("ACCT-006", "sakari_ACCT-006"),
        ("ACCT-099", "sakari_ACCT-099"),
        ("x-1", "http_400"),
        (f"X-{PHONE[1:]}", "http_400"),
        (12, "http_400"),
    ],
)
async def test_a_refusal_is_named_by_its_code_and_never_by_its_text(rig: Rig, code: Any, reason: str) -> None:
    text = f"{EMAIL} at {PHONE} has a problem"
    rig.faults(Fault(path=API, status=400, body={"success": False, "error": {"code": code, "message": text}}))
    error = await failed(write(rig.sakari))
    assert (type(error), error.reason) == (Permanent, reason)
    assert "HTTP 400" in str(error)


async def test_success_false_with_status_200_is_a_refusal(rig: Rig) -> None:
    body = {"success": False, "error": {"code": "CONT-010", "message": PHONE}}
    rig.faults(Fault(path=API, status=200, body=body))
    assert (await failed(write(rig.sakari))).reason == "opted_out"


async def test_broken_body_of_an_error_leaves_the_status_to_decide(rig: Rig) -> None:
    answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\nContent-Type: application/json\r\n\r\n{"
    async with raw_server(answer) as (url, _), connect(url) as line:
        assert (await failed(write(Sakari(line, "demo", rig.tokens)))).reason == "http_400"


async def test_answer_over_the_limit(monkeypatch: pytest.MonkeyPatch, rig: Rig) -> None:
    monkeypatch.setattr(exchange_room, "BODY_LIMIT", 2000)
    rig.faults(Fault(path=API, body="x" * 4000))
    error = await failed(read(rig.sakari))
    assert (type(error), error.reason) == (Permanent, "answer_too_large")
    error = await failed(write(rig.sakari))
    assert (type(error), error.reason) == (Uncertain, "answer_too_large")


async def test_deeply_nested_answer_is_unreadable(rig: Rig) -> None:
    rig.faults(Fault(path=API, body="[" * 100_000))
    assert (await failed(read(rig.sakari))).reason == "unreadable_answer"


@pytest.mark.parametrize("data", ["text", 7, True])
async def test_data_that_is_neither_object_nor_list_is_unreadable(rig: Rig, data: Any) -> None:
    rig.faults(Fault(path=API, body={"success": True, "data": data}))
    error = await failed(read(rig.sakari))
    assert (type(error), error.reason) == (Retryable, "unreadable_answer")


@pytest.mark.parametrize("errors", [[{"code": "CONT-001"}], [{"error": {"code": "CONT-001", "message": PHONE}}]])
async def test_refused_row_in_a_201_is_permanent(rig: Rig, errors: Any) -> None:
    rig.faults(Fault(path=API, status=201, body={"success": True, "data": {"success": 0, "errors": errors}}))
    error = await failed(rig.sakari.upsert_contact(CONTACT, "append"))
    assert (type(error), error.reason) == (Permanent, "row_refused")
    assert "CONT-001" in str(error)


async def test_refused_row_of_unknown_form_is_permanent_too(rig: Rig) -> None:
    rig.faults(Fault(path=API, status=201, body={"success": True, "data": {"errors": "all of them"}}))
    assert (await failed(rig.sakari.upsert_contact(CONTACT, "append"))).reason == "row_refused"


@pytest.mark.parametrize("body", [{"a": "\ud800"}, {"a": object()}])
async def test_what_json_cannot_carry_is_never_sent(rig: Rig, body: Any) -> None:
    assert (await failed(rig.sakari.write_attributes("contacts", body))).reason == "unsendable_value"
    assert rig.sandbox.calls == {}
