"""From a step's templates to an action's arguments: what a worker sends, and what a rule's tests look at."""

from typing import Any

import msgspec

from service.engine.action_kind import ActionKind
from service.engine.rule import Step
from service.engine.scope import StepScope
from service.errors import Permanent


def fill_in(action: ActionKind, step: Step, scope: StepScope, region: str = "") -> Any:
    """Resolve a step's templates into the action's arguments. Raises Permanent if they do not fit.

    `region`: ISO 3166 code for phone numbers of which nothing else says the country.
    """
    try:
        args = msgspec.convert(step.resolve(scope), action.args, strict=False)
    except msgspec.ValidationError as error:
        where = str(error).rpartition(" - at ")[2]  # the rest of the message may quote the value
        raise Permanent("bad_arguments", f"`{step.do}` cannot use what the rule gives it at {where}") from None
    return args if action.prepare is None else action.prepare(args, region)
