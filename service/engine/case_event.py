"""The event of a test case in its short form: what a case leaves out gets a plain value."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast, get_args

from service.engine.check_reach import most_properties
from service.engine.fields import choice, kind, text
from service.engine.paths import EVENT_NAME, OBJECTS_OF, SOURCES, VERBS, head, is_path, sources_of
from service.engine.problem import Report, near
from service.engine.values import instant, text_of
from service.engine.yaml_nodes import Node, to_plain
from service.model import Event, Origin

FACT_FIELDS: Final = ("source", "account", "id", "origin", "actor", "attempt", "occurred_at", "changed", "before")

OCCURRED_AT: Final = 1_768_478_400_000
"""2026-01-15T12:00:00Z: when the event of a case happens that does not say."""
ANYBODY: Final = "1"
"""The id of an object, and of an account, that does not matter."""


def event_of(given: Mapping[str, Node], paths: Mapping[str, Node], report: Report) -> Event | None:
    """The event of a case with `event`; None if it cannot be. `paths`: the keys of the case that name values."""
    name = text(given["event"], report, "`event`", "`contact.updated`, for instance")
    if name is None or not _is_event(name, given["event"], report):
        return None
    source = _source(name, given, report)
    word, _, verb = name.rpartition(".")
    object_id = _word(given.get("id"), "`id`", report) or ANYBODY
    values = _values(word, paths, report)
    before = _before(word, given.get("before"), report)
    changed = _changed(verb, word, given, values, before, report)
    occurred_at = instant_of(given["occurred_at"], "`occurred_at`", report) if "occurred_at" in given else None
    origin = choice(given["origin"], report, "`origin`", get_args(Origin)) if "origin" in given else None
    if source is None:
        return None
    if source == "hubspot":
        _warn_of_more_than_comes(name, given["event"], values, report)
        values = {path: _as_hubspot_sends(value, verb, path, word) for path, value in values.items()}
    return Event(
        source=source,
        account=_word(given.get("account"), "`account`", report) or ANYBODY,
        type=name,
        object_id=object_id,
        occurred_at=OCCURRED_AT if occurred_at is None else occurred_at,
        fact_key="fact-of-the-test-case-",
        delivery_key="sent-for-the-test-case",
        values={f"{word}.id": object_id, **values},
        before=before,
        changed=changed,
        actor=_word(given.get("actor"), "`actor`", report) or "",
        origin=cast("Origin", origin or "user"),
        attempt=_attempt(given.get("attempt"), report),
    )


def instant_of(node: Node, what: str, report: Report) -> int | None:
    """Milliseconds since the epoch of an ISO date or date-time."""
    moment = instant(node.value) if isinstance(node.value, str) else None
    if moment is None:
        given = f"`{node.value}`" if isinstance(node.value, str | int | float) else kind(node)
        report.add("R606", node.at, f"{what} cannot be {given}", "`2026-01-31`, or `2026-01-31T12:30:00Z`")
    return moment


def default_changed(verb: str, word: str, values: Iterable[str], before: Mapping[str, Any]) -> tuple[str, ...]:
    """The paths that count as changed if a case does not say: in an update, all that it gives of the object."""
    if verb != "updated":
        return ()
    return tuple(before or (path for path in values if head(path) == word and path != f"{word}.id"))


def _is_event(name: str, node: Node, report: Report) -> bool:
    word, _, verb = name.rpartition(".")
    if not EVENT_NAME.fullmatch(name):
        report.add("R207", node.at, f"`{name}` is not the name of an event", "`contact.updated`, for instance")
    elif verb not in VERBS:
        report.add("R208", node.at, f"`{name}`: no event ends in `{verb}`", near(verb, VERBS))
    return bool(word) and verb in VERBS and EVENT_NAME.fullmatch(name) is not None


def _source(name: str, given: Mapping[str, Node], report: Report) -> str | None:
    word = name.rpartition(".")[0]
    possible = sources_of(word)
    if "source" not in given:
        if len(possible) > 1:
            hint = f"add `source:`; {' and '.join(possible)} both may have it"
            report.add("R203", given["event"].at, f"`{name}`: from which source?", hint)
            return None
        return possible[0]
    source = choice(given["source"], report, "`source`", SOURCES)
    if source is not None and source not in possible:
        hint = f"{source} has {', '.join(OBJECTS_OF[source])}"
        report.add("R607", given["source"].at, f"`{name}` never comes from {source}", hint)
        return None
    return source


def _values(word: str, paths: Mapping[str, Node], report: Report) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for path, node in paths.items():
        if _check_path(word, path, node, report):
            values[path] = to_plain(node)
    return values


def _check_path(word: str, path: str, node: Node, report: Report) -> bool:
    if not is_path(path):
        report.add("R301", node.key_at, f"`{path}` is not a path", "`<object>.<property>`")
        return False
    if not path.startswith(f"{word}.") and head(path) not in SOURCES:
        message = f"`{path}`: an event of `{word}` carries no values of `{head(path)}`"
        report.add("R308", node.key_at, message, near(head(path), [word, *SOURCES]))
        return False
    if path == f"{word}.id":
        report.add("R308", node.key_at, f"`{path}` is written `id` in a case", '`id: "451"`')
        return False
    return True


def _before(word: str, node: Node | None, report: Report) -> dict[str, Any]:
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        hint = f"path -> value before: `{{ {word}.stage: lead }}`"
        report.add("R201", node.at, f"`before` is {kind(node)}, not a mapping", hint)
        return {}
    return _values(word, node.value, report)


def _changed(
    verb: str,
    word: str,
    given: Mapping[str, Node],
    values: Mapping[str, Any],
    before: Mapping[str, Any],
    report: Report,
) -> tuple[str, ...]:
    node = given.get("changed")
    if node is None:
        changed = default_changed(verb, word, values, before)
        places = dict.fromkeys(changed, given.get("before", given["event"]).at)
    else:
        nodes = (node,) if not isinstance(node.value, tuple) else node.value
        places = {path: each.at for each in nodes if (path := text(each, report, "an item of `changed`")) is not None}
    for path in places:
        if path not in values:
            message = f"`{path}` changed, but the case does not say to what"
            report.add("R611", places[path], message, f"add `{path}: …`; null if it was cleared")
    return tuple(places)


def _word(node: Node | None, what: str, report: Report) -> str | None:
    """A text or a whole number: ids are text everywhere."""
    if node is not None and isinstance(node.value, int) and not isinstance(node.value, bool):
        return str(node.value)
    return text(node, report, what)


def _attempt(node: Node | None, report: Report) -> int:
    if node is None:
        return 0
    if not isinstance(node.value, int) or isinstance(node.value, bool) or node.value < 0:
        report.add("R201", node.at, f"`attempt` is {kind(node)}, not a whole number", "how often it was tried before")
        return 0
    return node.value


def _as_hubspot_sends(value: Any, verb: str, path: str, word: str) -> Any:
    """HubSpot sends the value of a changed property as text, whatever it is."""
    return text_of(value) if verb == "updated" and head(path) == word and value is not None else value


def _warn_of_more_than_comes(name: str, node: Node, values: Mapping[str, Any], report: Report) -> None:
    word, most = name.rpartition(".")[0], most_properties(name)
    given = [path for path in values if head(path) == word]
    if most is not None and len(given) > most:
        brings = "one property" if most else "no property but the id"
        message = f"HubSpot brings {brings} with `{name}`, this case gives {', '.join(given)}"
        hint = f"a HubSpot workflow sends as many as you choose, as `{word}.enrolled`"
        report.add("R607", node.at, message, hint, "warning")
