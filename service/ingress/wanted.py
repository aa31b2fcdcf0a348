"""What `sluice serve` is to be told; apart, so that others can know it without loading all that it needs."""

import msgspec

from service.observe import trace_config
from service.settings import IngressSettings, StoreSettings
from service.sources import SOURCES

WANTED: dict[type[msgspec.Struct], str] = {
    StoreSettings: "SLUICE_",
    IngressSettings: "SLUICE_",
    trace_config.Config: "OTEL_",
    **{source.Config: f"SLUICE_{name.upper()}_" for name, source in SOURCES.items()},
}
"""The settings that `sluice serve` reads, and their prefixes."""
