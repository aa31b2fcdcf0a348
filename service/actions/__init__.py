"""The actions that a rule's steps may name: every module here that defines `ACTION`."""

from importlib import import_module
from pkgutil import iter_modules

from service.actions.action import Action, Result, Target

__all__ = ["ACTIONS", "Action", "Result", "Target"]


def _found() -> dict[str, Action]:
    modules = (import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))
    return {module.ACTION.name: module.ACTION for module in modules if hasattr(module, "ACTION")}


ACTIONS: dict[str, Action] = _found()
"""Name -> action, in the order of their files' names."""
