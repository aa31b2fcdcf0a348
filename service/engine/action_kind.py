"""What the engine has to know of an action: nothing but what may stand in a step's `with`."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

from msgspec import Struct, inspect

from service.engine.check_phones import phone_places

Check = Callable[[Mapping[str, Any]], tuple[str, str] | None]
"""What an action wants beyond its types: takes a step's `with`, in which `...` stands for every text that holds a
template, and which may be of any shape. Gives the place of a mistake in it, dotted, and what is wrong; or None."""


class ActionKind(Protocol):
    """One thing that a step can do."""

    @property
    def args(self) -> type[Struct]:
        """The type of `with`."""

    @property
    def check(self) -> Check | None:
        """What the types cannot say."""

    @property
    def target(self) -> Callable[[Any], Any] | None:
        """For writes: what `args` would touch. Raises Permanent if that is nothing."""


class Wanted(Struct, frozen=True):
    """An action's wishes, read once for all rules."""

    args: inspect.StructType
    check: Check | None
    phones: tuple[tuple[str, ...], ...]
    """Where phone numbers stand among the arguments: the keys that lead to each."""


Actions = Mapping[str, Wanted]
"""By the actions' names."""


def wishes(actions: Mapping[str, ActionKind]) -> Actions:
    """What may stand in the `with` of each action."""
    return {name: _wanted(action) for name, action in actions.items()}


def _wanted(action: ActionKind) -> Wanted:
    args = cast("inspect.StructType", inspect.type_info(action.args))
    return Wanted(args, action.check, phone_places(args))
