"""Traces: nothing while they are off, the standard's own rules while they are on, and never an error's text."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider, sampling
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import StatusCode
from structlog.testing import capture_logs

from service.errors import LeaseLost, Permanent, Retryable
from service.model import Run
from service.observe import traces
from service.observe.spans import Told, Tracing, sampler
from service.observe.trace_config import SAMPLERS, Config
from tests.observe.tracing import PARENT, TRACE, TRACEPARENT, Kept, collecting, id_of, kept, parent_of
from tests.system.conftest import until

RUN = Run(
    key="fact/r",
    rule="r",
    ruleset="v",
    lane="hubspot/1/contact/7",
    occurred_at=0,
    planned_at=0,
    expires_at=1,
    values={"contact.phone": "+15550109999"},
    traceparent=TRACEPARENT,
)


@pytest.fixture
def spans() -> Iterator[Kept]:
    with kept() as found:
        yield found


def test_while_traces_are_off_every_span_is_the_same_nothing() -> None:
    made = (
        traces.delivery("hubspot", "/webhooks/hubspot", TRACEPARENT),
        traces.run(RUN, "1-0", 0),
        traces.step(0, "update_attributes"),
        traces.call("POST", "attributes"),
        traces.within("plan"),
    )
    assert {id(span) for span in made} == {id(traces.NOTHING)}
    with traces.NOTHING as span:
        span.set("a", 1)
        span.fail("b")
        span.answered(500)
        traces.note("c", 1)
        traces.link(TRACEPARENT)
    with pytest.raises(KeyError), traces.NOTHING:
        raise KeyError
    assert traces.traceparent() == ""
    assert traces.trace_id() == ""


def _python(script: str, **environ: str) -> str:
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **environ}).stdout


def test_nothing_of_opentelemetry_is_loaded_while_traces_are_off() -> None:
    loaded = _python("import sys, service.cli; print([name for name in sys.modules if 'opentelemetry' in name])")
    assert loaded == "[]\n"


WITHOUT = """
import sys
sys.modules["opentelemetry"] = None  # as if it were not installed
import structlog
structlog.configure(processors=[structlog.processors.JSONRenderer()])
import service.cli
from service.observe import traces
from service.observe.trace_config import Config
traces.start("sluice-worker", Config(exporter_otlp_endpoint="http://127.0.0.1:1"))
with traces.delivery("hubspot", "/webhooks/hubspot", "") as span:
    span.answered(200)
assert span is traces.NOTHING
traces.stop()
"""


def test_without_the_extra_everything_works_and_the_log_says_what_is_missing() -> None:
    (line,) = map(json.loads, _python(WITHOUT).splitlines())
    assert line["event"] == "no traces"
    assert "pip install '.[traces]'" in line["hint"]


def test_what_the_sdk_cannot_make_sense_of_costs_the_traces_and_nothing_else() -> None:
    script = WITHOUT.replace('sys.modules["opentelemetry"] = None', "")
    (line,) = map(json.loads, _python(script, OTEL_BSP_MAX_QUEUE_SIZE="1").splitlines())
    assert (line["event"], line["error"]) == ("no traces", "ValueError")


def test_a_child_belongs_to_the_span_at_hand_and_without_one_there_is_none(spans: Kept) -> None:
    assert traces.step(0, "update_attributes") is traces.NOTHING
    with traces.run(RUN, "1-0", 2), traces.step(0, "update_attributes"):
        pass
    run, step = spans.named("run r"), spans.named("step update_attributes")
    assert (f"{run.context.trace_id:032x}", parent_of(run), parent_of(step)) == (TRACE, PARENT, id_of(run))
    assert run.attributes == {
        "sluice.event_id": "1-0",
        "sluice.run": "fact/r",
        "sluice.rule": "r",
        "sluice.source": "hubspot",
        "sluice.tries": 2,
    }


def test_a_proxy_may_begin_the_trace_and_what_is_no_w3c_header_begins_a_new_one(spans: Kept) -> None:
    for header in (TRACEPARENT, TRACEPARENT.upper(), "", "00-0-0-01", f"{TRACEPARENT}, {TRACEPARENT}"):
        with traces.delivery("hubspot", "/webhooks/hubspot", header):
            pass
    assert [parent_of(span) for span in spans.spans] == [PARENT, "", "", "", ""]


@pytest.mark.no_cover
@given(st.text(max_size=80) | st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{30,33}-[0-9a-f]{15,17}-[0-9a-f]{1,3}.?"))
def test_no_header_breaks_a_delivery_and_what_goes_on_is_always_well_formed(header: str) -> None:
    with kept(sampling.ALWAYS_ON), traces.delivery("hubspot", "/webhooks/hubspot", header):
        version, trace_id, span_id, flags = traces.traceparent().split("-")
    assert (version, len(trace_id), len(span_id), int(flags, 16) & 1) == ("00", 32, 16, 1)


def test_what_is_not_sampled_makes_no_span_and_goes_no_further() -> None:
    with kept(sampling.ParentBasedTraceIdRatio(0)) as spans:
        with traces.delivery("hubspot", "/webhooks/hubspot", ""), traces.within("plan"):
            assert traces.traceparent() == ""
        assert spans.names == []
        with traces.delivery("hubspot", "/webhooks/hubspot", TRACEPARENT):
            pass
        assert spans.names == ["delivery hubspot"]


@pytest.mark.parametrize(
    ("error", "word", "failed"),
    [
        (Permanent("http_400", "Sakari refused +15550109999"), "http_400", True),
        (Retryable("timeout", "+15550109999"), "timeout", True),
        (Retryable("paced", "+15550109999", due=1), "paced", False),
        (LeaseLost("+15550109999"), "LeaseLost", False),
        (asyncio.CancelledError("+15550109999"), "CancelledError", False),
        (ValueError("cannot text +15550109999"), "ValueError", True),
    ],
    ids=lambda value: getattr(value, "reason", type(value).__name__),
)
def test_an_error_is_told_by_its_reason_or_type_and_never_by_its_text(
    spans: Kept, error: BaseException, word: str, failed: bool
) -> None:
    with pytest.raises(type(error)), traces.run(RUN, "1-0", 0), traces.step(0, "update_attributes"):
        raise error
    for span in spans.spans:
        assert span.attributes is not None
        assert span.attributes["error.type"] == word
        assert (span.status.status_code is StatusCode.ERROR) == failed
        assert span.events == ()
    assert "5550109999" not in spans.text


@pytest.mark.usefixtures("spans")
def test_a_log_line_within_a_trace_names_it() -> None:
    with traces.run(RUN, "1-0", 0):
        assert traces.trace_id() == TRACE
    assert traces.trace_id() == ""


def test_work_for_other_deliveries_links_to_them(spans: Kept) -> None:
    other = f"00-{'b' * 32}-{'c' * 16}-01"
    with traces.run(RUN, "1-0", 0):
        traces.link(other)
        traces.link("")
    (link,) = spans.named("run r").links
    assert f"{link.context.trace_id:032x}-{link.context.span_id:016x}" == f"{'b' * 32}-{'c' * 16}"


async def test_a_collector_that_refuses_is_told_once_and_its_return_once() -> None:
    async with collecting() as collector:
        told = Told(f"{collector.url}/v1/traces", {"x-key": "canary-key"})
        tracing = Tracing(_provider(told))
        with capture_logs() as logs:
            for status in (200, 400, 400, 200, 200):
                collector.status = status
                _make_one(tracing)
                await asyncio.to_thread(tracing._provider.force_flush)
        await asyncio.to_thread(tracing.close, 5.0)
    assert collector.asked == 5
    assert [line["event"] for line in logs] == ["traces not taken", "traces taken again"]
    assert logs[0]["answer"] == "HTTP 400"
    assert "canary-key" not in json.dumps(logs)
    assert collector.headers[0]["x-key"] == "canary-key"


def _make_one(tracing: Tracing) -> None:
    with tracing.begin("one", "SERVER", "", {}):
        pass


def _provider(told: Told) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(told, schedule_delay_millis=3_600_000))
    return provider


async def test_stopping_does_not_wait_for_a_collector_that_is_silent() -> None:
    asked, over = asyncio.Event(), asyncio.Event()

    async def keep(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await over.wait()
        writer.close()

    async with await asyncio.start_server(keep, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        told = Told(f"http://127.0.0.1:{port}/v1/traces", {})
        tracing = Tracing(_provider(told))
        _make_one(tracing)
        with capture_logs() as logs:
            closing = asyncio.create_task(asyncio.to_thread(tracing.close, 0.2))
            await asked.wait()
            await closing  # and it is still not answered
            told.shutdown()
            over.set()

            async def gave_up() -> bool:  # the thread that was left alone
                return len(logs) == 2

            await until(gave_up)
    assert [line["event"] for line in logs] == ["traces not sent", "traces not taken"]
    assert logs[1]["answer"] == "none"


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_that_is_allowed_can_be_made(name: str) -> None:
    config = Config(exporter_otlp_endpoint="http://c", traces_sampler=name, traces_sampler_arg="0.25")
    assert config.faults("OTEL_") == []
    made = sampler(config)
    assert ("0.25" in made.get_description()) == ("ratio" in name)
    assert made.get_description().lower().startswith("parentbased") == name.startswith("parentbased")


def test_the_page_on_monitoring_names_every_attribute_and_no_other() -> None:
    root = Path(__file__).parents[2]
    code = "".join(path.read_text() for path in (root / "service").rglob("*.py"))
    told = set(re.findall(r'(?:\bset|note|set_attribute)\("(\w+\.[a-z_.]+)"', code))
    told |= set(re.findall(r'"(\w+\.[a-z_.]+)": ', (root / "service" / "observe" / "traces.py").read_text()))
    page = (root / "docs" / "operations" / "monitoring.md").read_text().partition("## Traces")[2]
    table = "".join(re.findall(r"^\| (`.*?) \|", page, re.MULTILINE))
    assert set(re.findall(r"`([a-z_.]+)`", table)) == told
