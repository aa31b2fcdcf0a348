"""What a trace says of a delivery: it begins once the sender is proven, and its runs carry it on."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from service import app
from service.errors import StoreUnavailable, Unverified
from service.ingress.receive import Answer, Desk, receive
from service.ingress.wanted import WANTED
from service.settings import IngressSettings, read
from service.sources.delivery import Delivery, Route
from service.store import Options, Store, lanes, open_store
from tests.observe.tracing import PARENT, TRACE, TRACEPARENT, Kept, id_of, kept, parent_of
from tests.system.conftest import environment, hubspot, pipedrive, until


@pytest.fixture
def spans() -> Iterator[Kept]:
    with kept() as found:
        yield found


class Door:
    """The ingress without HTTP."""

    def __init__(self, store: Store, folder: Path) -> None:
        settings = read(WANTED, environment("redis://127.0.0.1:1/0", folder))
        self.routes: dict[str, Route] = {route.path: route for route in app.make_routes(settings)}
        self.desk: Desk = app.make_desk(settings.of(IngressSettings), store)

    async def take(self, path: str, payload: Any, *, traceparent: str = "", proven: bool = True) -> Answer:
        body, now = msgspec.json.encode(payload), self.desk.now()
        proof = self.routes[path].sign("POST", path, body, now) if proven else {}
        headers = {name.lower(): value for name, value in proof.items()} | {"traceparent": traceparent}
        delivery = Delivery(method="POST", target=path, headers=headers, body=body, received_at=now)
        return await receive(self.routes[path], delivery, self.desk)


@pytest.fixture
def door(store: Store, tmp_path: Path) -> Door:
    return Door(store, tmp_path)


async def test_a_delivery_is_planned_and_stored_within_its_span_and_its_runs_carry_it(
    door: Door, store: Store, spans: Kept
) -> None:
    await door.take("/webhooks/hubspot", [hubspot(7, eventId=1), hubspot(7, eventId=1)])
    assert spans.names == ["plan", "accept", "delivery hubspot"]
    delivery = spans.named("delivery hubspot")
    assert [parent_of(span) for span in spans.spans] == [id_of(delivery), id_of(delivery), ""]
    assert delivery.kind is SpanKind.SERVER
    (lane,) = await lanes.claim(store, 5)
    assert delivery.attributes == {
        "http.request.method": "POST",
        "http.route": "/webhooks/hubspot",
        "http.response.status_code": 200,
        "sluice.source": "hubspot",
        "sluice.events": (lane.head.event_id, "redelivered"),
        "sluice.misfits": 0,
    }
    assert spans.named("plan").attributes == {"sluice.ruleset": lane.head.run.ruleset}
    assert lane.head.run.traceparent == f"00-{delivery.context.trace_id:032x}-{id_of(delivery)}-03"


async def test_a_proxy_that_has_begun_a_trace_is_its_parent(door: Door, spans: Kept) -> None:
    await door.take("/webhooks/hubspot", [hubspot(7)], traceparent=TRACEPARENT)
    delivery = spans.named("delivery hubspot")
    assert (f"{delivery.context.trace_id:032x}", parent_of(delivery)) == (TRACE, PARENT)


async def test_who_cannot_prove_himself_begins_no_trace(door: Door, spans: Kept) -> None:
    with pytest.raises(Unverified):
        await door.take("/webhooks/hubspot", [hubspot(7)], traceparent=TRACEPARENT, proven=False)
    assert spans.names == []


async def test_without_traces_a_run_carries_none(door: Door, store: Store) -> None:
    await door.take("/webhooks/hubspot", [hubspot(7)], traceparent=TRACEPARENT)
    (lane,) = await lanes.claim(store, 5)
    assert lane.head.run.traceparent == ""


async def test_what_could_not_be_stored_has_failed(tmp_path: Path, spans: Kept) -> None:
    away = open_store("redis://127.0.0.1:1/0", Options())
    with pytest.raises(StoreUnavailable):
        await Door(away, tmp_path).take("/webhooks/hubspot", [hubspot(7)])
    delivery = spans.named("delivery hubspot")
    assert (delivery.attributes or {})["http.response.status_code"] == 503
    assert delivery.status.status_code is StatusCode.ERROR
    await away.close()


async def test_a_spilled_delivery_goes_on_with_its_trace_when_it_is_brought_in(
    door: Door, store: Store, tmp_path: Path, spans: Kept
) -> None:
    away = open_store("redis://127.0.0.1:1/0", Options())
    await Door(away, tmp_path).take("/webhooks/pipedrive", pipedrive(7, "Ada"), traceparent=TRACEPARENT)
    await away.close()
    spilled = spans.named("delivery pipedrive")
    assert (spilled.attributes or {})["sluice.spilled"] is True

    task = asyncio.create_task(app._drain_spill(door.desk, door.routes))
    claimed = await until(lambda: lanes.claim(store, 5))
    task.cancel()
    await asyncio.wait([task])
    brought_in = [span for span in spans.spans if span.name == "delivery pipedrive"][1]
    assert parent_of(brought_in) == id_of(spilled)
    assert claimed[0].head.run.traceparent.split("-")[1:3] == [TRACE, id_of(brought_in)]
