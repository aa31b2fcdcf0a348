"""What `sluice work` is to be told; apart, so that others can know it without loading all that it needs."""

import msgspec

from service.observe import trace_config
from service.settings import AccountsSettings, SakariSettings, StoreSettings, WorkSettings

WANTED: dict[type[msgspec.Struct], str] = {
    StoreSettings: "SLUICE_",
    SakariSettings: "SLUICE_SAKARI_",
    AccountsSettings: "SLUICE_SAKARI_",
    WorkSettings: "SLUICE_",
    trace_config.Config: "OTEL_",
}
"""The settings that `sluice work` reads, and their prefixes."""
