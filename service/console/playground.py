"""The playground: write a rule, give it an event, see its mistakes, its verdicts and what it would call. Nothing is called."""

from typing import Any

from litestar import MediaType, Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery

from service.console.desk import Desk, who
from service.console.render import PRIVATE, fragment
from service.engine import render
from service.errors import Malformed
from service.insight.trial import Tried, attempt, event_of_json, text_of
from service.model import Event
from service.store import journal

Asked = Request[Any, Any, Any]

SAMPLE_RULE = """\
version: 1
rules:
  - id: new-customer-is-marked
    event: contact.updated
    when:
      source: hubspot
      contact.lifecyclestage: { changed_to: customer }
    then:
      - do: update_attributes
        with:
          type: contacts
          contact: { hubspot: { id: "${contact.id}" }, attributes: { stage: customer } }
"""
SAMPLE_EVENT = """\
{
  "source": "hubspot",
  "account": "62515",
  "type": "contact.updated",
  "object_id": "451",
  "occurred_at": 1790000000000,
  "fact_key": "sample",
  "delivery_key": "sample",
  "values": { "contact.id": "451", "contact.lifecyclestage": "customer" },
  "changed": ["contact.lifecyclestage"],
  "origin": "user"
}
"""


def playground(desk: Desk) -> list[HTTPRouteHandler]:
    """Make the handlers."""

    @get("/playground")
    async def show(request: Asked, rule: FromQuery[str] = "", event: FromQuery[str] = "") -> Response[str]:
        rule_set = desk.rules.rule_set
        text = text_of(rule_set, rule) if rule in rule_set.by_id else SAMPLE_RULE
        return await _page(desk, request, text, event, "" if event else SAMPLE_EVENT)

    @post("/playground", status_code=200)
    async def again(request: Asked) -> Response[str]:
        return await _page(desk, request, *await _read(request))

    @post("/playground/result", status_code=200)
    async def result(request: Asked) -> Response[str]:
        """The result alone, for a page that shows it as one types."""
        tried, fault = await _try(desk, *await _read(request))
        body = fragment("result.html", tried=tried, fault=fault, render=render, base=desk.base)
        return Response(body, media_type=MediaType.HTML, headers=PRIVATE)

    return [show, again, result]


async def _page(desk: Desk, request: Asked, text: str, event: str, given: str) -> Response[str]:
    """The page with what was written on it, and what comes of that."""
    tried, fault = await _try(desk, text, event, given)
    shown: dict[str, Any] = {"text": text, "event": event, "given": given, "tried": tried, "fault": fault}
    return desk.page("playground.html", who(request), render=render, **shown)


async def _read(request: Asked) -> tuple[str, str, str]:
    form = await request.form()
    text, event, given = (str(form.get(name, "")).replace("\r\n", "\n") for name in ("text", "event", "given"))
    return text, event.strip(), given


async def _try(desk: Desk, text: str, event_id: str, given: str) -> tuple[Tried, str]:
    """What came of it, and why there is no event to decide about."""
    found, fault = None, ""
    try:
        found = await _chosen(desk, event_id, given)
    except (Malformed, ValueError) as error:
        fault = str(error)
    event, at = found or (None, desk.now())
    return await attempt(text, event, at=at, masked=bool(event_id)), fault


async def _chosen(desk: Desk, event_id: str, given: str) -> tuple[Event, int] | None:
    """The event to decide about, and when it came in (ms). Raises Malformed, or ValueError if that is no event id."""
    if not event_id:
        return (event_of_json(given.encode(errors="replace")), desk.now()) if given.strip() else None
    found = await journal.read(desk.store, event_id)
    if found is None:
        raise Malformed(f"there is no event {event_id} in the journal (any more)")
    return found.entry.event, found.entry.received_at
