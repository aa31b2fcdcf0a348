"""The pages to look at: overview, events and their stories, rules."""

from typing import Any

import msgspec
import structlog
from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from service.console.desk import Desk, who
from service.console.doors import may_act
from service.insight.installation import installation
from service.insight.nearest import unmatched
from service.insight.rule_states import rule_states
from service.insight.stories import Search, Sought, explain_story, masked_story, search
from service.insight.told import told_story
from service.insight.trial import text_of
from service.store import dead, journal, pace

log = structlog.get_logger("sluice.console")

Asked = Request[Any, Any, Any]

SPANS = {"1h": 3_600_000, "6h": 21_600_000, "1d": 86_400_000, "7d": 604_800_000}


def pages(desk: Desk) -> list[HTTPRouteHandler]:
    """Make the handlers."""

    @get("/")
    async def overview(request: Asked) -> Response[str]:
        return desk.page("overview.html", who(request), **await look_around(desk))

    @get("/events")
    async def events(
        request: Asked,
        object_id: FromQuery[str] = "",
        rule: FromQuery[str] = "",
        outcome: FromQuery[str] = "",
        span: FromQuery[str] = "",
        before: FromQuery[str] = "",
    ) -> Response[str]:
        since = desk.now() - SPANS[span] if span in SPANS else 0
        sought = Sought(object=object_id.strip(), rule=rule.strip(), outcome=outcome, since=since)
        found = await search(desk.store, sought, before=_event_id(before))
        chosen = {"object_id": object_id, "rule": rule, "outcome": outcome, "span": span}
        return desk.page("events.html", who(request), found=_masked(found), chosen=chosen, before=before)

    @get("/events/{event_id:str}")
    async def event(request: Asked, event_id: FromPath[str]) -> Response[str]:
        return desk.page("story.html", who(request), **await story_of(desk, event_id))

    @post("/events/{event_id:str}", status_code=200, guards=[may_act])
    async def event_unmasked(request: Asked, event_id: FromPath[str]) -> Response[str]:
        """Show personal data: asked for on purpose, by an admin, and noted."""
        told = await story_of(desk, event_id, masked=False)
        log.warning("personal data shown", event_id=told["story"].id)
        return desk.page("story.html", who(request), **told)

    @get("/rules")
    async def rules(request: Asked) -> Response[str]:
        states = await rule_states(desk.store, desk.rules.rule_set, now=desk.now())
        return desk.page(
            "rules.html",
            who(request),
            rules=states,
            version=desk.rules.rule_set.version,
            problems=desk.rules.problems,
            now=desk.now(),
        )

    @get("/rules/{rule_id:str}")
    async def rule(request: Asked, rule_id: FromPath[str]) -> Response[str]:
        rule_set = desk.rules.rule_set
        if rule_id not in rule_set.by_id:
            raise NotFoundException(f"No rule in force has the id “{rule_id}”.")
        (state,) = [one for one in await rule_states(desk.store, rule_set, now=desk.now()) if one.id == rule_id]
        found = await search(desk.store, Sought(rule=rule_id), most=10, look=2000)
        text = text_of(rule_set, rule_id)
        return desk.page("rule.html", who(request), rule=state, text=text, found=_masked(found), now=desk.now())

    return [overview, events, event, event_unmasked, rules, rule]


async def look_around(desk: Desk) -> dict[str, Any]:
    """What the overview shows."""
    newest = await journal.stories(desk.store, await journal.newest(desk.store, 8))
    return {
        "all": await installation(desk.store, now=desk.now()),
        "newest": [masked_story(story) for story in newest],
        "letters": await dead.newest(desk.store, 4),
        "accounts": await pace.states(desk.store),
        "problems": desk.rules.problems,
        "rules": len(desk.rules.rule_set.rules),
        "version": desk.rules.rule_set.version,
    }


async def story_of(desk: Desk, event_id: str, *, masked: bool = True) -> dict[str, Any]:
    """What the page of an event shows. Raises NotFoundException."""
    try:
        found = await journal.read(desk.store, event_id)
    except ValueError as error:
        raise NotFoundException(str(error)) from None
    if found is None:
        raise NotFoundException(f"There is no event {event_id} in the journal (any more).")
    story = await journal.story(desk.store, found)
    told = told_story(story, masked=masked)
    explanation = await explain_story(desk.rule_sets, story, masked=masked)
    shown = masked_story(story) if masked else story
    event = shown.entry.event
    findable = event.object_id and event.object_id == found.entry.event.object_id
    return {
        "story": shown,
        "event": event,
        "object_path": f"{event.object_type}/{event.object_id}" if findable else "",
        "values": told.entry.event.values,
        "before": told.entry.event.before,
        "runs": told.runs,
        "explanation": explanation,
        "unmatched": "" if story.states else unmatched(explanation),
        "masked": masked,
    }


def _masked(found: Search) -> Search:
    return msgspec.structs.replace(found, stories=[masked_story(story) for story in found.stories])


def _event_id(text: str) -> str:
    """An event id as it stands in an address, or nothing."""
    ms, dash, number = text.partition("-")
    good = dash and len(text) <= 26 and (ms + number).isascii() and ms.isdecimal() and number.isdecimal()
    return text if good else ""
