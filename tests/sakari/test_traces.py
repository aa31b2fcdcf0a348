"""What a trace says of calls to Sakari, and that Sakari is told nothing of the trace."""

from collections.abc import Iterator

import httpx
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from service.errors import StepError
from service.observe import traces
from service.sandbox.state import Fault
from tests.observe.tracing import TRACEPARENT, Kept, id_of, kept, parent_of
from tests.sakari.rig import EMAIL, PHONE, Rig, mocked


@pytest.fixture
def spans() -> Iterator[Kept]:
    with kept() as found:
        yield found


CONTACT = {"mobile": {"number": PHONE}, "email": EMAIL, "hubspot": {"id": PHONE}}


async def test_every_request_is_a_span_within_the_one_at_hand(rig: Rig, spans: Kept) -> None:
    with traces.delivery("hubspot", "/webhooks/hubspot", ""):
        await rig.sakari.write_attributes("contacts", {"hubspot": {"id": 7}})
    assert spans.names == ["call POST token", "call POST attributes", "delivery hubspot"]
    call = spans.named("call POST attributes")
    assert call.kind is SpanKind.CLIENT
    assert parent_of(call) == id_of(spans.named("delivery hubspot"))
    assert call.attributes == {
        "http.request.method": "POST",
        "sluice.endpoint": "attributes",
        "peer.service": "sakari",
        "http.response.status_code": 200,
    }


async def test_without_a_trace_there_is_none_for_a_call(rig: Rig, spans: Kept) -> None:
    await rig.sakari.read_account()
    assert spans.names == []


@pytest.mark.parametrize(
    ("fault", "status", "word"),
    [
        (Fault(path="/contacts", status=400), 400, "400"),
        (Fault(path="/contacts", status=429, retry_after=0), 429, "429"),
        (Fault(path="/contacts", cut="before"), None, "connection_cut"),
    ],
    ids=["400", "429", "cut"],
)
async def test_a_call_that_failed_says_how(rig: Rig, spans: Kept, fault: Fault, status: int | None, word: str) -> None:
    rig.faults(fault)
    with pytest.raises(StepError), traces.delivery("hubspot", "/webhooks/hubspot", ""):
        await rig.sakari.upsert_contact(CONTACT, "core")
    call = spans.named("call POST contacts")
    assert call.attributes is not None
    assert call.attributes.get("http.response.status_code") == status
    assert call.attributes["error.type"] == word
    assert call.status.status_code is StatusCode.ERROR


async def test_neither_ids_nor_numbers_in_a_path_or_body_reach_a_span(rig: Rig, spans: Kept) -> None:
    rig.faults(Fault(path="/contacts", status=503), Fault(path="/dripcampaigns", status=404))
    with traces.delivery("hubspot", "/webhooks/hubspot", ""):
        for calling in (
            rig.sakari.write_attributes("contacts", CONTACT),
            rig.sakari.upsert_contact(CONTACT, "core"),
            rig.sakari.find_executions(PHONE, None, version_id=EMAIL, fresh_ms=0),
        ):
            try:
                await calling
            except StepError:
                continue
    assert {"call POST attributes", "call POST contacts", "call GET dripcampaigns"} <= set(spans.names)
    assert PHONE.lstrip("+") not in spans.text
    assert EMAIL not in spans.text


async def test_sakari_is_told_of_no_trace(spans: Kept) -> None:
    sakari, seen = mocked(httpx.Response(200, json={"success": True, "data": {}}))
    with traces.delivery("hubspot", "/webhooks/hubspot", TRACEPARENT):
        await sakari.read_account()
    assert spans.names == ["call POST token", "call GET account", "delivery hubspot"]
    (request,) = seen
    assert {"traceparent", "tracestate", "baggage"}.isdisjoint(request.headers)
