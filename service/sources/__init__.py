"""The systems that send webhooks. Adding one means adding a file here that defines what `Source` lists."""

import importlib
import pkgutil
from typing import Any, Protocol, cast

from msgspec import Struct

from service.sources.delivery import Route


class Source(Protocol):
    """What the file of a source defines; e.g. `service/sources/pipedrive.py`."""

    NAME: str
    """`hubspot`: in paths, in events, and as `SLUICE_<NAME>_…` in the environment."""
    Config: type[Struct]
    """Fields are filled from `SLUICE_<NAME>_<FIELD>`; every field has a default."""

    @staticmethod
    def routes(config: Any, public_url: str) -> tuple[Route, ...]:
        """The paths that this configuration opens: none without a secret, so that they answer 404.

        `public_url` is the external base with scheme, host and optional prefix: `https://hooks.example.com/sluice`.
        """

    @staticmethod
    def refresh(body: bytes, now_ms: int) -> bytes:
        """The same body as a new fact that occurs now. Raises Malformed if it is not JSON."""


def _discover() -> dict[str, Source]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return {module.NAME: cast("Source", module) for module in modules if hasattr(module, "routes")}


SOURCES: dict[str, Source] = _discover()
"""Name -> source."""
