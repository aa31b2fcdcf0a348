"""What the routes share: their parameters, the faults that any of them may answer, and the note when personal data is shown."""

from typing import Annotated, Literal

import structlog
from litestar.openapi import ResponseSpec
from litestar.params import QueryParameter

from service.ingress.http import Fault

log = structlog.get_logger("sluice.ingress")

Most = Annotated[int, QueryParameter(ge=1, le=1000, description="How many at most.")]
Flag = Annotated[bool, QueryParameter(description="Show personal data; not for viewers.")]
Text = Annotated[str, QueryParameter(max_length=200, description="Only those with this; empty: all.")]
Outcome = Annotated[
    str,
    QueryParameter(
        max_length=200,
        description="Only those of which this came, for one of their rules: `done`, `dead`, `superseded`, `shadow` …;"
        " `none`: no rule matched.",
    ),
]
Died = Annotated[
    Literal["", "run", "rule", "delivery"],
    QueryParameter(
        description="Only runs that failed, rules that could not be planned, or deliveries that made no sense."
    ),
]
Object = Annotated[
    str,
    QueryParameter(
        max_length=200, description="Only those of this object: its id (`451`), or its type and id (`contact/451`)."
    ),
]
Instant = Annotated[int, QueryParameter(ge=0, le=2**53, description="Milliseconds since the epoch.")]
Look = Annotated[int, QueryParameter(ge=1, le=20_000, description="How many events to look through at most.")]
EventId = Annotated[
    str,
    QueryParameter(
        pattern=r"^([0-9]{1,15}-[0-9]{1,10})?(?!\n)$",  # `$` alone lets a line end pass, and JavaScript has no `\Z`
        description="Events before this one, such as `1790000003000-0`.",
    ),
]

_FAULTS = {
    400: "The request does not make sense; the message says why.",
    401: "There is no valid token.",
    403: "The token is one to look only.",
    404: "There is no such thing (any more).",
    503: "Redis does not answer.",
}
RESPONSES = {status: ResponseSpec(Fault, generate_examples=False, description=text) for status, text in _FAULTS.items()}


def note(unmasked: bool, **what: str) -> None:
    """Log that personal data was asked for, and where, if it was."""
    if unmasked:
        log.warning("personal data shown", **what)
