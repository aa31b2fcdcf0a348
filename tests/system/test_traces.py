"""One trace from a delivery to the calls that it led to, through real processes, and a collector that is away."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import Struct

from service.dev.processes import embedded_redis, free_port
from tests.observe.tracing import PARENT, TRACE, TRACEPARENT, Collector, Seen, collecting
from tests.system.conftest import (
    Installation,
    a_new_id,
    environment,
    hubspot,
    ingress,
    opened,
    sandbox,
    worker,
)

pytestmark = pytest.mark.slow


class Traced(Struct, frozen=True):
    """An installation, and the environment that its processes are started with."""

    installation: Installation
    environ: dict[str, str]
    folder: Path

    @contextlib.asynccontextmanager
    async def processes(self) -> AsyncIterator[None]:
        """Ingress and worker; leaving asks them to end."""
        async with ingress(self.environ, self.folder), worker(self.environ, self.folder):
            yield


@contextlib.asynccontextmanager
async def installed(folder: Path, endpoint: str) -> AsyncIterator[Traced]:
    (folder / "redis").mkdir()
    async with contextlib.AsyncExitStack() as stack:
        redis_url = await stack.enter_async_context(embedded_redis(folder / "redis"))
        # So long a delay that nothing is sent before the processes are told to end.
        tracing = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "3600000"}
        environ = environment(redis_url, folder, **tracing)
        await stack.enter_async_context(sandbox(environ, folder))
        yield Traced(await stack.enter_async_context(opened(environ)), environ, folder)


def _named(collector: Collector, name: str) -> list[Seen]:
    return [span for span in collector.spans if span.name == name]


async def test_one_trace_leads_from_the_delivery_to_the_calls(tmp_path: Path) -> None:
    who = a_new_id()
    async with collecting() as collector, installed(tmp_path, collector.url) as traced:
        async with traced.processes():
            await traced.installation.misbehave({"method": "POST", "path": "/attributes/", "status": 503, "times": 1})
            payload, to = [hubspot(who, "counter", "1")], traced.installation
            await to.deliver("/webhooks/hubspot", payload, headers={"traceparent": TRACEPARENT})  # not signed
            await to.hubspot(*payload)
            story = await to.story(who)
            assert collector.spans == []
        assert (await to.sandbox())["writes"], "it was called"

    (delivery,) = _named(collector, "delivery hubspot")
    assert {span.trace for span in collector.spans} == {delivery.trace} != {TRACE}
    assert delivery.parent == ""
    assert (delivery.service, delivery.facts["sluice.events"]) == ("sluice-ingress", [story.id])
    assert [span.parent for name in ("plan", "accept") for span in _named(collector, name)] == [delivery.id] * 2

    failed, done = sorted(_named(collector, "run counter"), key=lambda run: int(run.facts["sluice.tries"]))
    assert (failed.parent, done.parent, done.service) == (delivery.id, delivery.id, "sluice-worker")
    assert (failed.failed, failed.facts["sluice.outcome"], failed.facts["sluice.reason"]) == (
        True,
        "postponed",
        "unavailable",
    )
    assert (done.failed, done.facts["sluice.outcome"], done.facts["sluice.event_id"]) == (False, "done", story.id)

    steps = {step.parent: step for step in _named(collector, "step update_attributes")}
    assert set(steps) == {failed.id, done.id}
    calls = {call.parent: call for call in _named(collector, "call POST attributes")}
    assert {parent: call.facts["http.response.status_code"] for parent, call in calls.items()} == {
        steps[failed.id].id: 503,
        steps[done.id].id: 200,
    }
    (token,) = _named(collector, "call POST token")
    assert token.parent == steps[failed.id].id
    for log in ("ingress.log", "worker.log"):
        assert f'"trace_id":"{delivery.trace}"' in (tmp_path / log).read_text()


async def test_a_proxy_that_traces_is_where_the_trace_begins(tmp_path: Path) -> None:
    async with collecting() as collector, installed(tmp_path, collector.url) as traced, traced.processes():
        to, who = traced.installation, a_new_id()
        route = to.routes["/webhooks/pipedrive"]
        payload = b'{"not": "what Pipedrive sends"}'
        headers = route.sign("POST", route.path, payload, 0) | {"traceparent": TRACEPARENT}
        assert (await to.deliver(route.path, payload, headers=headers)).status_code == 200
        assert (await to.hubspot(hubspot(who)))["accepted"] == 1
    assert {(span.trace, span.parent) for span in _named(collector, "delivery pipedrive")} == {(TRACE, PARENT)}
    assert _named(collector, "delivery hubspot")[0].trace != TRACE


async def test_a_collector_that_is_away_costs_one_line_in_the_log(tmp_path: Path) -> None:
    async with installed(tmp_path, f"http://127.0.0.1:{free_port()}") as traced, traced.processes():
        who = a_new_id()
        await traced.installation.hubspot(hubspot(who, "counter", "1"))
        assert (await traced.installation.story(who)).runs["counter"].state == "done"
    for log in ("ingress.log", "worker.log"):
        lines = (tmp_path / log).read_text().splitlines()
        assert [line for line in lines if "Traceback" in line or "opentelemetry" in line] == []
        assert sum('"event":"traces not' in line for line in lines) == 1, lines
