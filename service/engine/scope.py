"""Where conditions and templates find their values: in an event, or in a run with the results of its earlier steps."""

from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct

from service.engine.paths import FACTS
from service.engine.values import MISSING
from service.model import Event

_FACTS = frozenset(FACTS)


class Lookup(Protocol):
    """What evaluation needs to know about the world. MISSING stands for what is not known."""

    def get(self, path: str) -> Any:
        """The value now."""

    def before(self, path: str) -> Any:
        """The value before the change."""

    def changed(self, path: str) -> bool | None:
        """Whether it has changed; None if that is not known."""


class EventScope(Struct, frozen=True):
    """An event: its values and, under their names, its own facts (an empty one, say no actor, is missing)."""

    event: Event

    def get(self, path: str) -> Any:
        value = self.event.values.get(path, MISSING)
        if value is MISSING and path in _FACTS:
            value = getattr(self.event, path)
            return MISSING if value == "" else value
        return value

    def before(self, path: str) -> Any:
        return self.event.before.get(path, MISSING)

    def changed(self, path: str) -> bool | None:
        if path in self.event.changed:
            return True
        return False if path in self.event.values else None


class StepScope(Struct, frozen=True):
    """A run in progress: the values that it carries, and what its earlier steps gave back under their names."""

    values: Mapping[str, Any]
    """`Run.values`: event path -> value."""
    results: Mapping[str, Any]
    """Step name -> the plain JSON value of its result."""

    def get(self, path: str) -> Any:
        name, _, rest = path.partition(".")
        if name not in self.results:
            return self.values.get(path, MISSING)
        value = self.results[name]
        for word in rest.split("."):
            if not isinstance(value, Mapping) or word not in value:
                return MISSING
            value = value[word]
        return value

    def before(self, _path: str) -> Any:
        return MISSING

    def changed(self, _path: str) -> bool | None:
        return None
