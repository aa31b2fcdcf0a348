"""What tests of traces stand on: spans kept in memory, and a collector that takes OTLP over HTTP."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from litestar import Litestar, Request, Response, post
from msgspec import Struct, field
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider, sampling
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from service.observe import traces
from service.observe.spans import Tracing
from service.sandbox.server import serving

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
"""The example of W3C Trace Context."""


class Kept(Struct, frozen=True):
    """The spans that have ended, in that order."""

    exporter: InMemorySpanExporter

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def named(self, name: str) -> ReadableSpan:
        (only,) = (span for span in self.spans if span.name == name)
        return only

    @property
    def text(self) -> str:
        """All that the spans say."""
        return "\n".join(span.to_json() for span in self.spans)


@contextlib.contextmanager
def kept(sampler: sampling.Sampler = sampling.DEFAULT_ON) -> Iterator[Kept]:
    """Trace within the `with`, with the real SDK."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    traces.use(Tracing(provider))
    try:
        yield Kept(exporter)
    finally:
        traces.stop()


def parent_of(span: ReadableSpan) -> str:
    """The id of a span's parent, in hexadecimal; empty if it has none."""
    return f"{span.parent.span_id:016x}" if span.parent else ""


def id_of(span: ReadableSpan) -> str:
    """The id of a span, in hexadecimal."""
    context = span.get_span_context()
    assert context is not None
    return f"{context.span_id:016x}"


class Seen(Struct, frozen=True):
    """One span as the collector got it."""

    name: str
    service: str
    trace: str
    id: str
    parent: str
    failed: bool
    facts: dict[str, Any]


class Collector(Struct):
    """Takes spans. `status` is what it answers."""

    url: str = ""
    status: int = 200
    asked: int = 0
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def spans(self) -> list[Seen]:
        return [span for body in self.bodies for span in _decoded(body)]


@contextlib.asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Serve a collector within the `with`, on a free port."""
    collector = Collector()

    @post("/v1/traces")
    async def take(request: Request[Any, Any, Any]) -> Response[bytes]:
        body = await request.body()
        collector.asked += 1
        if collector.status == 200:
            collector.bodies.append(body)
            collector.headers.append(dict(request.headers))
        return Response(b"", status_code=collector.status)

    async with serving(Litestar([take], openapi_config=None)) as collector.url:
        yield collector


def _decoded(body: bytes) -> Iterator[Seen]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = _facts(resource.resource.attributes)["service.name"]
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
            yield Seen(span.name, service, *ids, span.status.code == 2, _facts(span.attributes))


def _facts(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(each) for each in value.array_value.values] if kind == "array_value" else getattr(value, kind)
