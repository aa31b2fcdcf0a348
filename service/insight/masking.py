"""Hiding the people in an event wherever their data went: into a step's arguments, into an answer, under another name."""

from collections.abc import Callable, Iterator
from typing import Any

from service.model import Event
from service.observe.mask import HIDDEN, mask

_SHORTEST, _SHORTEST_NUMBER = 4, 6
"""Characters. What is shorter would be found within everything; it is hidden where it stands alone."""


def hide(value: Any, event: Event) -> Any:
    """Plain data, masked by name and form, and wherever it repeats a personal value of the event in any case of letters."""
    return hiding(event)(value)


def hiding(event: Event) -> Callable[[Any], Any]:
    """The same for many values: what is personal in the event is looked up once."""
    ids = known_ids(event)
    personal = {text.casefold() for text in _personal(event, ids)}
    return lambda value: _without(mask(value, "", ids), personal)


def known_ids(event: Event) -> frozenset[str]:
    """The event's own ids: of digits like a phone number, but the CRM's, and shown wherever they stand."""
    given = (event.object_id, event.account, event.values.get(f"{event.object_type}.id"))
    return frozenset(text for text in map(str, given) if text.isascii() and text.isdecimal())


def _personal(event: Event, ids: frozenset[str]) -> Iterator[str]:
    for values in (event.values, event.before):
        for path, value in values.items():
            yield from _hidden(value, mask(value, path, ids))


def _hidden(value: Any, shown: Any) -> Iterator[str]:
    """The texts that masking took away."""
    if isinstance(value, dict) and isinstance(shown, dict):
        for name, inner in value.items():
            yield from _hidden(inner, shown[name])
    elif isinstance(value, list | tuple) and isinstance(shown, list):
        for one, other in zip(value, shown, strict=True):
            yield from _hidden(one, other)
    elif value != shown and isinstance(value, str | int | float):
        yield str(value)


def _without(value: Any, personal: set[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(inner, personal) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without(inner, personal) for inner in value]
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        text = str(value).casefold()
        return HIDDEN if any(part == text or (_telling(part) and part in text) for part in personal) else value
    return value


def _telling(text: str) -> bool:
    return len(text) >= (_SHORTEST_NUMBER if text.isdecimal() else _SHORTEST)
