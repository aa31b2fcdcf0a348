"""Whether and where spans are sent: OpenTelemetry's own variables, as far as Sluice itself has to know them.

What else the SDK offers it reads from the environment by itself: OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_BSP_…,
and the OTEL_EXPORTER_OTLP_… of timeouts, compression and certificates. See
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import re
from typing import Final
from urllib.parse import unquote

from msgspec import Struct

SAMPLERS: Final = (
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
    "always_on",
    "always_off",
    "traceidratio",
)
"""The first is the default."""


class Config(Struct, frozen=True, kw_only=True):
    """Read from `OTEL_…`."""

    traces_exporter: str = ""
    """`otlp`, or `none`; by default the first if there is an endpoint."""
    exporter_otlp_endpoint: str = ""
    """Where the collector takes OTLP over HTTP; `/v1/traces` is put behind it."""
    exporter_otlp_traces_endpoint: str = ""
    """The same as a whole address, used as it is."""
    exporter_otlp_headers: tuple[str, ...] = ()
    """`name=value`, percent-encoded: what the collector wants to see, such as a key."""
    exporter_otlp_protocol: str = ""
    traces_sampler: str = SAMPLERS[0]
    traces_sampler_arg: str = "1"
    """The share of deliveries that is traced, for the samplers by ratio."""
    sdk_disabled: bool = False

    @property
    def on(self) -> bool:
        """Whether there is somewhere to send spans to."""
        wanted = self.traces_exporter or ("otlp" if self._endpoints else "none")
        return wanted != "none" and not self.sdk_disabled

    @property
    def endpoint(self) -> str:
        """The address that spans are posted to."""
        return self.exporter_otlp_traces_endpoint or (
            (self.exporter_otlp_endpoint or "http://localhost:4318").rstrip("/") + "/v1/traces"
        )

    @property
    def headers(self) -> dict[str, str]:
        """Header -> value."""
        pairs = (pair.partition("=") for pair in self.exporter_otlp_headers)
        return {unquote(name.strip()): unquote(value.strip()) for name, _, value in pairs}

    @property
    def _endpoints(self) -> list[str]:
        return [url for url in (self.exporter_otlp_endpoint, self.exporter_otlp_traces_endpoint) if url]

    def faults(self, prefix: str) -> list[str]:
        """Say what is wrong, if anybody is going to use it: some clusters set these variables for every pod."""
        if not self.on:
            return []
        found = []
        if self.traces_exporter not in ("", "otlp"):
            found.append(f"{prefix}TRACES_EXPORTER must be otlp or none")
        if self.exporter_otlp_protocol not in ("", "http/protobuf"):
            found.append(f"{prefix}EXPORTER_OTLP_PROTOCOL must be http/protobuf (mostly at port 4318)")
        found += [
            f"{prefix}{name.upper()} must be http://host:port or https://host/path, without user, query or fragment"
            for name in ("exporter_otlp_endpoint", "exporter_otlp_traces_endpoint")
            if not re.fullmatch(r"(https?://[^/?#@\s]+(/[^?#\s]*)?)?", getattr(self, name))
        ]
        if not all(re.fullmatch(r"[^=]*[^=\s][^=]*=.*", pair) for pair in self.exporter_otlp_headers):
            found.append(f"{prefix}EXPORTER_OTLP_HEADERS must be name=value, with commas between them")
        if self.traces_sampler not in SAMPLERS:
            found.append(f"{prefix}TRACES_SAMPLER must be one of {', '.join(SAMPLERS)}")
        if not re.fullmatch(r"0?\.\d+|[01](\.0*)?", self.traces_sampler_arg):
            found.append(f"{prefix}TRACES_SAMPLER_ARG must be a number from 0 to 1")
        return found

    def __repr__(self) -> str:
        return f"Config(on={self.on}, endpoint={self.endpoint!r})"
