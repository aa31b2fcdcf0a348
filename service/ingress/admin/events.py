"""Accepted events: found, shown, explained."""

from litestar import Response, get
from litestar.datastructures import ResponseHeader
from litestar.exceptions import HTTPException, NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from service.ingress.admin.parameters import RESPONSES, EventId, Flag, Instant, Look, Most, Object, Outcome, Text, note
from service.insight.stories import RuleSets, Sought, explain_story, search, would
from service.insight.told import ToldExplanation, ToldStory, WholeStory, told_explanation, told_story, whole_story
from service.store import Store, journal

_PAGED = [
    ResponseHeader(
        name="sluice-looked", value="5000", documentation_only=True, description="How many events were looked at."
    ),
    ResponseHeader(
        name="sluice-until", value="1790000003000-0", documentation_only=True, description="Id of the oldest of them."
    ),
    ResponseHeader(
        name="sluice-more", value="true", documentation_only=True, description="`true` if there may be more."
    ),
]


def events(store: Store, rule_sets: RuleSets) -> list[HTTPRouteHandler]:
    """Make the handlers."""

    @get("/events", responses=RESPONSES, response_headers=_PAGED)
    async def list_events(
        object_id: Object = "",
        rule: Text = "",
        outcome: Outcome = "",
        since: Instant = 0,
        before: EventId = "",
        most: Most = 50,
        look: Look = 5000,
        unmasked: Flag = False,
    ) -> Response[list[ToldStory]]:
        """List the newest events that fit, with what came of them.

        The headers say how many events were looked at (`sluice-looked`), back to which (`sluice-until`), and whether there
        may be more: then ask again with `before` = `sluice-until`.
        """
        note(unmasked, path="/api/events")
        sought = Sought(object=object_id, rule=rule, outcome=outcome, since=since)
        found = await search(store, sought, before=before, most=most, look=look)
        told = {"sluice-looked": str(found.looked), "sluice-until": found.until, "sluice-more": str(found.more).lower()}
        return Response([told_story(story, masked=not unmasked) for story in found.stories], headers=told)

    @get("/events/{event_id:str}", responses=RESPONSES)
    async def show_event(event_id: FromPath[str], unmasked: Flag = False) -> WholeStory:
        """Show one event: its fields, its runs, their steps, Sakari's answers, and what shadow rules would have called."""
        note(unmasked, event_id=event_id)
        story = await journal.story(store, await journalled(store, event_id))
        rule_set = await rule_sets.of_version(story.entry.ruleset) if story.shadowed else None
        return whole_story(story, would(story, rule_set), masked=not unmasked)

    @get("/events/{event_id:str}/explain", responses=RESPONSES)
    async def explain_event(event_id: FromPath[str], unmasked: Flag = False) -> ToldExplanation:
        """Explain one event: what every rule of its day made of it, and what stopped it."""
        note(unmasked, event_id=event_id)
        story = await journal.story(store, await journalled(store, event_id))
        explanation = await explain_story(rule_sets, story, masked=not unmasked)
        if explanation is None:
            raise NotFoundException(f"rule set {story.entry.ruleset}, which decided, is not kept any more")
        return told_explanation(explanation)

    return [list_events, show_event, explain_event]


async def journalled(store: Store, event_id: str) -> journal.Journalled:
    """Fetch an event. Raises HTTPException 400 or 404."""
    try:
        event = await journal.read(store, event_id)
    except ValueError as error:
        raise HTTPException(str(error), status_code=400) from None
    if event is None:
        raise NotFoundException(f"there is no event {event_id} in the journal (any more)")
    return event
