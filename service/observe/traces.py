"""Traces: what became of a delivery, as spans, from its arrival to the calls that it led to.

    delivery hubspot            from a verified signature to the answer
    ├── plan                    what the rules decided
    ├── accept                  the one call that stores it, with the wait for the disk
    └── run <rule>              one go at a run, in a worker; another one for each retry
        └── step <action>
            └── call <METHOD> <endpoint>    one request to Sakari, or for a token; the time before it is the wait for its turn

A trace begins with a delivery that was verified: what strangers send costs nothing. It reaches the workers in the runs
themselves (`Run.traceparent`), and goes no further: Sakari is never told of it. As in logs there are only ids, fixed words
and numbers in it; of an error its type or its reason, never its text.

While traces are off, which is the default, every span is `NOTHING`: nothing is loaded, made or kept.
"""

from typing import TYPE_CHECKING, Final, Protocol, Self

import structlog

from service.model import Run
from service.observe.trace_config import Config

if TYPE_CHECKING:
    from service.observe.spans import Tracing

log = structlog.get_logger("sluice")

Value = str | int | bool | tuple[str, ...]


class Span(Protocol):
    """A stretch of work, from entering to leaving it. An exception that passes through is noted, and goes on."""

    def __enter__(self) -> Self: ...
    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None: ...

    def set(self, name: str, value: Value) -> None:
        """Note a fact: an id, a fixed word or a number."""
        ...

    def fail(self, reason: str) -> None:
        """Mark it as failed, with a fixed word."""
        ...

    def answered(self, status: int) -> None:
        """Note an HTTP status; from 400 on it has failed."""
        ...


class _Nothing:
    """The span of what is not traced."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None: ...
    def set(self, name: str, value: Value) -> None: ...
    def fail(self, reason: str) -> None: ...
    def answered(self, status: int) -> None: ...


NOTHING: Final[Span] = _Nothing()

_tracing: "Tracing | None" = None


def start(service: str, config: Config) -> None:
    """Trace from now on, if the settings say so. What hinders it is logged: no process ends for want of traces.

    `service`: the name of this kind of process, where OTEL_SERVICE_NAME gives none.
    """
    if not config.on:
        return
    try:
        from service.observe.spans import to_collector  # noqa: PLC0415 - an extra, and only loaded if it is wanted
    except ImportError:
        log.warning(
            "no traces", hint="OpenTelemetry is not installed: in a checkout of Sluice, pip install '.[traces]'"
        )
        return
    try:
        use(to_collector(service, config))
    except (ValueError, RuntimeError, OSError) as error:
        log.warning("no traces", error=type(error).__name__, hint="an OTEL_ variable is not as the SDK wants it")
        return
    log.info("traces on", endpoint=config.endpoint)


def use(tracing: "Tracing | None") -> None:
    """Trace with this from now on; None: not at all."""
    global _tracing  # noqa: PLW0603 - like its log, a process has one
    _tracing = tracing


def stop(within_s: float = 2.0) -> None:
    """Trace no more. What is left is sent for `within_s` seconds at most; a collector that is away holds nobody up."""
    if _tracing is not None:
        tracing = _tracing
        use(None)
        tracing.close(within_s)


def delivery(source: str, path: str, parent: str) -> Span:
    """A verified delivery. `parent`: the header `traceparent` that came with it, as W3C Trace Context says, or nothing."""
    if _tracing is None:
        return NOTHING
    facts = {"http.request.method": "POST", "http.route": path, "sluice.source": source}
    return _tracing.begin(f"delivery {source}", "SERVER", parent, facts)


def within(name: str) -> Span:
    """A part of the span at hand."""
    return NOTHING if _tracing is None else _tracing.child(name, "INTERNAL", {})


def run(run: Run, event_id: str, tries: int) -> Span:
    """One go at a run. A run is traced if its delivery is; `tries`: how many have failed before."""
    if _tracing is None or not run.traceparent:
        return NOTHING
    facts: dict[str, Value] = {
        "sluice.event_id": event_id,
        "sluice.run": run.key,
        "sluice.rule": run.rule,
        "sluice.source": run.lane.partition("/")[0],
        "sluice.tries": tries,
    }
    return _tracing.begin(f"run {run.rule}", "CONSUMER", run.traceparent, facts)


def step(index: int, action: str) -> Span:
    """One step of a run, as far as it is still to do."""
    if _tracing is None:
        return NOTHING
    return _tracing.child(f"step {action}", "INTERNAL", {"sluice.step": index, "sluice.action": action})


def call(method: str, endpoint: str) -> Span:
    """One HTTP request. `endpoint`: the fixed word for its path, which itself may hold ids."""
    if _tracing is None:
        return NOTHING
    facts = {"http.request.method": method, "sluice.endpoint": endpoint, "peer.service": "sakari"}
    return _tracing.child(f"call {method} {endpoint}", "CLIENT", facts)


def link(traceparent: str) -> None:
    """Tie the span at hand to another delivery, for whose run it works as well."""
    if _tracing is not None and traceparent:
        _tracing.link(traceparent)


def note(name: str, value: Value) -> None:
    """Note a fact of the span at hand."""
    if _tracing is not None:
        _tracing.note(name, value)


def traceparent() -> str:
    """The span at hand, in the form that other processes understand; empty if there is none."""
    return "" if _tracing is None else _tracing.traceparent()


def trace_id() -> str:
    """The id of the trace at hand; empty if there is none."""
    return "" if _tracing is None else _tracing.trace_id()
