"""Spans with OpenTelemetry: the only file that knows it, and only loaded if traces are on."""

import logging
import threading
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Self

import requests
import structlog
from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider, sampling
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service.errors import SluiceError, StepError
from service.observe.trace_config import Config
from service.observe.traces import NOTHING, Span, Value

log = structlog.get_logger("sluice")

_W3C = TraceContextTextMapPropagator()


class Open:
    """A span under way, and the one at hand for whatever happens within it."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def __enter__(self) -> Self:
        self._token = context.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if error is not None:
            self._note(error)
        context.detach(self._token)
        self._span.end()

    def set(self, name: str, value: Value) -> None:
        self._span.set_attribute(name, value)

    def fail(self, reason: str) -> None:
        self._span.set_attribute("error.type", reason)
        self._span.set_status(Status(StatusCode.ERROR, reason))

    def answered(self, status: int) -> None:
        self._span.set_attribute("http.response.status_code", status)
        if status >= 400:
            self.fail(str(status))

    def _note(self, error: BaseException) -> None:
        """Note an error without its text, which may hold personal data.

        A failure is what nobody meant to raise, or a StepError that counts as a try. Who has to wait for another lane, or
        for a turn, has not failed; nor has who was cancelled.
        """
        word = error.reason if isinstance(error, StepError) else type(error).__name__
        waits = getattr(error, "due", None) is not None if isinstance(error, StepError) else _is_meant(error)
        if waits:
            self._span.set_attribute("error.type", word)
        else:
            self.fail(word)


def _is_meant(error: BaseException) -> bool:
    return isinstance(error, SluiceError) or not isinstance(error, Exception)


class Tracing:
    """Makes the spans of this process."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("sluice", version("sluice"))

    def begin(self, name: str, kind: str, parent: str, facts: Mapping[str, Value]) -> Span:
        """A span whose parent is in another process, if anywhere; NOTHING if it is not sampled."""
        found = _W3C.extract({"traceparent": parent}, context.Context())
        return self._made(name, kind, found, facts)

    def child(self, name: str, kind: str, facts: Mapping[str, Value]) -> Span:
        """A part of the span at hand; NOTHING if there is none."""
        return self._made(name, kind, None, facts) if trace.get_current_span().is_recording() else NOTHING

    def link(self, traceparent: str) -> None:
        other = trace.get_current_span(_W3C.extract({"traceparent": traceparent}, context.Context()))
        trace.get_current_span().add_link(other.get_span_context())

    def note(self, name: str, value: Value) -> None:
        trace.get_current_span().set_attribute(name, value)

    def traceparent(self) -> str:
        carrier: dict[str, str] = {}
        if trace.get_current_span().is_recording():
            _W3C.inject(carrier)
        return carrier.get("traceparent", "")

    def trace_id(self) -> str:
        """The trace at hand as 32 hexadecimal digits; empty if there is none."""
        span = trace.get_current_span()
        return trace.format_trace_id(span.get_span_context().trace_id) if span.is_recording() else ""

    def close(self, within_s: float) -> None:
        """Send what is left. The SDK would take up to half a minute, so it is left alone after `within_s` seconds."""
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(within_s)
        if ending.is_alive():
            log.warning("traces not sent", hint=f"the collector did not take the last ones within {within_s:g} s")

    def _made(self, name: str, kind: str, parent: context.Context | None, facts: Mapping[str, Value]) -> Span:
        span = self._tracer.start_span(name, parent, SpanKind[kind], dict(facts))
        return Open(span) if span.is_recording() else NOTHING


class Told(SpanExporter):
    """An exporter that says once when the collector stops taking spans, and once when it takes them again.

    The SDK would complain of every batch, and name the address and what it answered; see `to_collector`.
    """

    def __init__(self, endpoint: str, headers: Mapping[str, str]) -> None:
        session = requests.Session()
        session.hooks["response"].append(self._answered)
        self._exporter = OTLPSpanExporter(endpoint, headers=dict(headers), session=session)
        self._endpoint = endpoint
        self._status = 0
        self._taken = True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._status = 0
        result = self._exporter.export(spans)
        taken = result is SpanExportResult.SUCCESS
        if self._taken and not taken:
            answer = f"HTTP {self._status}" if self._status else "none"
            hint = "spans are dropped until it takes them; nothing else suffers"
            log.warning("traces not taken", endpoint=self._endpoint, answer=answer, hint=hint)
        elif taken and not self._taken:
            log.info("traces taken again", endpoint=self._endpoint)
        self._taken = taken
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # untyped in the SDK

    def _answered(self, answer: requests.Response, *_: object, **__: object) -> None:
        self._status = answer.status_code


def to_collector(service: str, config: Config) -> Tracing:
    """Trace to a collector, in batches, from a thread of its own. Raises ValueError for OTEL_BSP_… that make no sense."""
    for noisy in ("opentelemetry", "urllib3"):  # they log headers and addresses; `Told` says what matters
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    resource = Resource.create()
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: service}))
    provider = TracerProvider(sampler(config), resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(Told(config.endpoint, config.headers)))
    return Tracing(provider)


def sampler(config: Config) -> sampling.Sampler:
    """The sampler by its standard name: which deliveries are traced."""
    ratio = float(config.traces_sampler_arg)
    return {
        "parentbased_always_on": sampling.DEFAULT_ON,
        "parentbased_always_off": sampling.DEFAULT_OFF,
        "parentbased_traceidratio": sampling.ParentBasedTraceIdRatio(ratio),
        "always_on": sampling.ALWAYS_ON,
        "always_off": sampling.ALWAYS_OFF,
        "traceidratio": sampling.TraceIdRatioBased(ratio),
    }[config.traces_sampler]
