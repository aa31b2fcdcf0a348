"""Trying a rule that is being written."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from litestar import post
from litestar.enums import RequestEncodingType
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import Example
from litestar.params import BodyKwarg
from msgspec import Struct

from service.errors import Malformed
from service.ingress.admin.events import journalled
from service.ingress.admin.parameters import RESPONSES
from service.insight.told import ToldTrial, told_trial
from service.insight.trial import attempt, event_of_json
from service.model import Event
from service.store import Store

_ATTEMPT = {
    "text": """\
version: 1
rules:
  - id: new-lead-is-marked
    event: contact.updated
    when: { contact.lifecyclestage: { changed_to: lead } }
    then:
      - do: update_attributes
        with: { type: contacts, contact: { hubspot: { id: "${contact.id}" }, attributes: { stage: lead } } }
""",
    "event_id": "1790000003000-0",
}


class Attempt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule text to try on an event of the journal, or on one given by its fields; or, with neither, only to check."""

    text: str
    event_id: str = ""
    event: dict[str, Any] | None = None


Trying = Annotated[Attempt, BodyKwarg(media_type=RequestEncodingType.JSON, examples=[Example(value=_ATTEMPT)])]


def playground(store: Store, now: Callable[[], int]) -> HTTPRouteHandler:
    """Make the handler."""

    @post("/playground", responses=RESPONSES, status_code=200)
    async def try_rule(data: Trying) -> ToldTrial:
        """Check a rule text and, with an event, say what its rules make of it. Nothing is called, nothing is kept."""
        event: Event | None = None
        at = now()
        if data.event_id:
            found = await journalled(store, data.event_id)
            event, at = found.entry.event, found.entry.received_at
        elif data.event is not None:
            try:
                event = event_of_json(msgspec.json.encode(data.event))
            except Malformed as error:
                raise HTTPException(str(error), status_code=400) from None
        return told_trial(await attempt(data.text, event, at=at, masked=bool(data.event_id)))

    return try_rule
