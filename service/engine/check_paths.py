"""Whether a path names something that the rule's events, or its earlier steps, can carry."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from service.engine.paths import FACTS, OBJECTS, SOURCES, head, is_path
from service.engine.problem import Report, near, nearest
from service.engine.properties import STANDARD
from service.engine.yaml_nodes import Position


class Words(Struct, frozen=True):
    """The words that paths may begin with, at one place of a rule."""

    objects: tuple[str, ...]
    """Objects of the rule's events; empty if those could not be read."""
    steps: tuple[str, ...] = ()
    """Names of the steps before this one."""
    in_step: bool = False
    """Whether this is a step (its `if` or `with`) rather than the rule's `when`."""

    def is_result(self, path: str) -> bool:
        """Whether the path leads into the result of an earlier step."""
        return head(path) in self.steps


def check_path(path: str, at: Position, words: Words, report: Report) -> bool:
    """Note what is wrong with a path; False if it cannot be used at all."""
    if not is_path(path):
        report.add("R301", at, f"`{path}` is not a path", _right_form(path, words))
        return False
    first = head(path)
    own = path in FACTS or first in SOURCES or any(path.startswith(f"{word}.") for word in words.objects)
    if own or words.is_result(path) or not words.objects:
        return True
    if words.in_step and first not in OBJECTS:
        known = [*words.steps, *words.objects, *SOURCES]
        report.add("R404", at, f"`{path}`: no step before this one is named `{first}`", near(first, known))
        return False
    _warn_of_other_object(path, at, words.objects, report)
    return True


_COMBINED: Final = {
    "or": "`any:` takes a list of conditions of which one must hold",
    "and": "`all:` takes a list of conditions of which all must hold; those of one mapping must all hold anyway",
}
"""What other languages call it -> what it is here."""


def _right_form(path: str, words: Words) -> str:
    """How a path is written, or what was probably meant by what is none."""
    if path.lower() in _COMBINED:
        return _COMBINED[path.lower()]
    if path in words.objects:
        return f"paths are written in one word: `{path}.<property>: …`"
    if "." in path:
        return "words with dots between them"
    owner = next((word for word in words.objects if any(path in each.get(word, ()) for each in STANDARD.values())), "")
    return f"did you mean `{owner}.{path}`?" if owner else f"`<object>.<property>`; {near(path, FACTS)}"


def _warn_of_other_object(path: str, at: Position, objects: Sequence[str], report: Report) -> None:
    message = f"`{path}`: the events of this rule carry no values of `{head(path)}`"
    report.add("R308", at, message, _right_word(head(path), objects), severity="warning")


def _right_word(word: str, objects: Sequence[str]) -> str:
    """The object that was meant; where the path has it right, it is the event that has not."""
    slip = nearest(word, [name for name in objects if name not in OBJECTS]) if word in OBJECTS else ""
    if slip:
        return f"`{word}` is right, and `{slip}` in the rule's `event` is no object"
    return near(word, [*objects, *SOURCES])
