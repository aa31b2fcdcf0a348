"""What a trace says of runs: one span for each go, steps within it, and links where one call serves several."""

from collections.abc import Iterator

import msgspec
import pytest
from msgspec.structs import replace
from opentelemetry.trace import SpanKind, StatusCode

from service.errors import Permanent, Retryable
from service.model import Plan, Run
from service.store import lanes
from service.store.records import encode
from tests.observe.tracing import PARENT, TRACE, TRACEPARENT, Kept, id_of, kept, parent_of
from tests.worker.conftest import MINUTE_MS, FarSide, MakeBench

WRITE = "{ do: write, with: { who: '${contact.id}', sets: { a: 1 } } }"
BLEND = "{ do: blend, with: { who: '${contact.id}', sets: { a: 1 } } }"


@pytest.fixture
def spans() -> Iterator[Kept]:
    with kept() as found:
        yield found


def traced(plan: Plan, traceparent: str = TRACEPARENT) -> Plan:
    return replace(plan, runs=tuple(replace(run, traceparent=traceparent) for run in plan.runs))


async def test_a_run_goes_on_with_the_trace_of_its_delivery(make_bench: MakeBench, spans: Kept) -> None:
    bench = await make_bench("{ do: look, as: seen, with: {} }", "{ do: write, if: { seen.yes: false }, with: {} }")
    await bench.accept(traced(bench.plan("f1", phone="+15550109999")))
    await bench.drain()

    assert spans.names == ["step look", "step write", "run r"]
    run, look, write = spans.named("run r"), spans.named("step look"), spans.named("step write")
    assert {f"{span.context.trace_id:032x}" for span in spans.spans} == {TRACE}
    assert [parent_of(span) for span in (run, look, write)] == [PARENT, id_of(run), id_of(run)]
    assert run.kind is SpanKind.CONSUMER
    assert run.attributes is not None
    event_id = run.attributes["sluice.event_id"]
    assert run.attributes == {
        "sluice.event_id": event_id,
        "sluice.run": "f1/r",
        "sluice.rule": "r",
        "sluice.source": "hubspot",
        "sluice.tries": 0,
        "sluice.outcome": "done",
    }
    assert look.attributes == {"sluice.step": 0, "sluice.action": "look", "sluice.outcome": "done"}
    assert write.attributes == {"sluice.step": 1, "sluice.action": "write", "sluice.outcome": "skipped"}


async def test_a_run_whose_delivery_is_not_traced_makes_no_span(make_bench: MakeBench, spans: Kept) -> None:
    bench = await make_bench(WRITE)
    await bench.happen("f1")
    await bench.drain()
    assert (await bench.ledger("f1")).state == "done"
    assert spans.names == []


async def test_each_go_at_a_run_is_a_span_of_the_same_trace(make_bench: MakeBench, far: FarSide, spans: Kept) -> None:
    bench = await make_bench("{ do: look, with: {} }", WRITE)
    far.answers.extend([{}, Retryable("timeout", "+15550109999"), Retryable("paced", "", due=bench.now())])
    await bench.accept(traced(bench.plan("f1")))
    for _ in range(3):
        await bench.drain()
        bench.ahead_ms += MINUTE_MS

    runs = [span.attributes or {} for span in spans.spans if span.name == "run r"]
    told = [tuple(run.get(f"sluice.{name}") for name in ("tries", "outcome", "reason")) for run in runs]
    assert told == [(0, "postponed", "timeout"), (1, "put_off", "paced"), (1, "done", None)]
    failed = [span.name for span in spans.spans if span.status.status_code is StatusCode.ERROR]
    assert failed == ["step write", "run r"]  # of the first go; who waits for its turn has not failed
    assert spans.names.count("step look") == 1, "what the ledger says is done is no work"
    assert "5550109999" not in spans.text


async def test_a_run_that_dies_has_failed(make_bench: MakeBench, far: FarSide, spans: Kept) -> None:
    bench = await make_bench(WRITE)
    far.answers.append(Permanent("http_400", "Sakari refused +15550109999"))
    await bench.accept(traced(bench.plan("f1")))
    await bench.drain()
    run = spans.named("run r")
    assert (run.attributes or {})["sluice.outcome"] == "dead"
    assert (run.status.status_code, run.status.description) == (StatusCode.ERROR, "http_400")
    assert "5550109999" not in spans.text


async def test_one_call_for_several_runs_links_to_their_deliveries(make_bench: MakeBench, spans: Kept) -> None:
    bench = await make_bench(BLEND)
    others = [f"00-{letter * 32}-{letter * 16}-01" for letter in "ab"]
    at = bench.now()
    for number, trace in enumerate([TRACEPARENT, *others, ""]):
        await bench.accept(traced(bench.plan(f"f{number}", at=at + number), trace))
    await bench.drain()

    assert bench.did == ["blend"]
    step = spans.named("step blend")
    assert [f"00-{x.context.trace_id:032x}-{x.context.span_id:016x}-01" for x in step.links] == others
    assert spans.names == ["step blend", "run r", "run r", "run r"]


async def test_a_run_that_was_stored_before_there_were_traces_is_done(make_bench: MakeBench, spans: Kept) -> None:
    bench = await make_bench(WRITE)
    await bench.happen("f1")
    (lane,) = await lanes.claim(bench.store, 1)
    now = msgspec.msgpack.decode(encode(lane.head.run))
    assert now[-1] == ""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(now[:-1]), type=Run) == lane.head.run
    assert spans.names == []
