"""The admin API under /api: what operators look at and do, with a bearer token. Over the same functions as the console."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
import structlog
from litestar import MediaType, Response, Router, get, post
from litestar.exceptions import HTTPException, NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct

from service.errors import Malformed
from service.ingress.gate import Bearers, gate
from service.ingress.http import Fault
from service.ingress.rulebook import RuleBook
from service.insight.event_of import event_of
from service.insight.installation import Installation, installation
from service.insight.masking import hide
from service.insight.rule_states import RuleState, rule_states
from service.insight.stories import RuleSets, Sought, explain_story, search
from service.insight.trial import MOST_BYTES, attempt
from service.insight.verdicts import Explanation
from service.model import Event
from service.observe.mask import mask
from service.store import Store, dead, journal, pace
from service.store.dead import Settled, Which
from service.store.pace import AccountState
from service.store.records import DeadLetter, plain

log = structlog.get_logger("sluice.ingress")

Most = Annotated[int, QueryParameter(ge=1, le=1000)]
Flag = Annotated[bool, QueryParameter(description="Show personal data; not for viewers.")]
Text = Annotated[str, QueryParameter(max_length=200)]
Instant = Annotated[int, QueryParameter(ge=0, le=2**53, description="Milliseconds since the epoch.")]
Look = Annotated[int, QueryParameter(ge=1, le=20_000, description="How many events to look through at most.")]
EventId = Annotated[str, QueryParameter(pattern=r"^(\d{1,15}-\d{1,10})?$", description="Events before this one.")]

_FAULTS = {
    400: ResponseSpec(
        Fault, generate_examples=False, description="The request does not make sense; the message says why."
    ),
    401: ResponseSpec(Fault, generate_examples=False, description="There is no valid token."),
    403: ResponseSpec(Fault, generate_examples=False, description="The token is one to look only."),
    404: ResponseSpec(Fault, generate_examples=False, description="There is no such thing (any more)."),
}


class Chosen(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which dead letters something is to be done with: those named, or all that fit. One of the two must be given."""

    ids: list[str] | None = None
    which: Which | None = None


class Attempt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule text to try on an event of the journal, or on one given by its fields; or, with neither, only to check."""

    text: str
    event_id: str = ""
    event: dict[str, Any] | None = None


class InForce(Struct, frozen=True, kw_only=True):
    """The rules that decide now in this process."""

    version: str
    problems: list[str]
    rules: list[RuleState]


def admin(bearers: Bearers, store: Store, book: RuleBook, rule_sets: RuleSets, now: Callable[[], int]) -> Router:
    """Make the routes. Every one of them needs a token."""
    handlers = [
        *_looks(store, book, now),
        *_events(store, rule_sets),
        *_letters(store, now),
        _playground(store, now),
    ]
    return Router(
        "/api",
        route_handlers=handlers,
        guards=[gate(bearers)],
        security=[{"token": []}],
        request_max_body_size=4 * MOST_BYTES,
    )


def describe(bearers: Bearers) -> OpenAPIConfig:
    """Describe the API at /api/openapi.json, for those who may use it. The console shows it as a page."""
    return OpenAPIConfig(
        title="Sluice",
        version="1",
        description="Webhooks in, and what operators look at and do. Times are milliseconds since the epoch, UTC.",
        components=Components(security_schemes={"token": SecurityScheme(type="http", scheme="bearer")}),
        use_handler_docstrings=True,
        render_plugins=[JsonRenderPlugin(path="/openapi.json", media_type=MediaType.JSON)],
        openapi_router=Router("/api", route_handlers=[], guards=[gate(bearers)], include_in_schema=False),
    )


def _looks(store: Store, book: RuleBook, now: Callable[[], int]) -> list[HTTPRouteHandler]:
    @get("/overview", responses=_FAULTS)
    async def show_overview() -> Installation:
        """Show how everything is doing: what waits, and the last hour minute by minute."""
        return await installation(store, now=now())

    @get("/rules", responses=_FAULTS)
    async def list_rules() -> InForce:
        """List the rules in force with their counts of the last hour."""
        rule_set = book.rule_set
        states = await rule_states(store, rule_set, now=now())
        return InForce(version=rule_set.version, problems=book.problems, rules=states)

    @get("/accounts", responses=_FAULTS)
    async def list_accounts() -> list[AccountState]:
        """List the Sakari accounts that are in use: pace, circuit, queue."""
        return await pace.states(store)

    return [show_overview, list_rules, list_accounts]


def _events(store: Store, rule_sets: RuleSets) -> list[HTTPRouteHandler]:
    @get("/events", responses=_FAULTS)
    async def list_events(
        object_id: Text = "",
        rule: Text = "",
        outcome: Text = "",
        since: Instant = 0,
        before: EventId = "",
        most: Most = 50,
        look: Look = 5000,
        unmasked: Flag = False,
    ) -> Response[bytes]:
        """List the newest events that fit, with what came of them.

        The headers say how many events were looked at (`sluice-looked`), back to which (`sluice-until`), and whether there
        may be more: then ask again with `before` = `sluice-until`.
        """
        sought = Sought(object=object_id, rule=rule, outcome=outcome, since=since)
        found = await search(store, sought, before=before, most=most, look=look)
        told = {"sluice-looked": str(found.looked), "sluice-until": found.until, "sluice-more": str(found.more).lower()}
        return _json([_shown(story, unmasked) for story in found.stories], told)

    @get("/events/{event_id:str}", responses=_FAULTS)
    async def show_event(event_id: FromPath[str], unmasked: Flag = False) -> Response[bytes]:
        """Show one event: its fields, its runs, their steps, Sakari's answers."""
        if unmasked:
            log.warning("personal data shown", event_id=event_id)
        return _json(_shown(await journal.story(store, await _event(store, event_id)), unmasked))

    @get("/events/{event_id:str}/explain", responses=_FAULTS)
    async def explain_event(event_id: FromPath[str], unmasked: Flag = False) -> Response[bytes]:
        """Explain one event: what every rule of its day made of it, and what stopped it."""
        story = await journal.story(store, await _event(store, event_id))
        explanation = await explain_story(rule_sets, story, masked=not unmasked)
        if explanation is None:
            raise NotFoundException(f"rule set {story.entry.ruleset}, which decided, is not kept any more")
        return _json(_told(explanation))

    return [list_events, show_event, explain_event]


def _letters(store: Store, now: Callable[[], int]) -> list[HTTPRouteHandler]:
    @get("/dead", responses=_FAULTS)
    async def list_dead(
        reason: Text = "",
        rule: Text = "",
        kind: Text = "",
        object_id: Text = "",
        since: Instant = 0,
        until: Instant = 0,
        most: Most = 50,
        unmasked: Flag = False,
    ) -> Response[bytes]:
        """List the newest dead letters that fit."""
        which = Which(reason=reason, rule=rule, kind=kind, object=object_id, since=since, until=until)
        return _json([_letter(letter, unmasked) for letter in await dead.newest(store, most, which)])

    @get("/dead/{letter_id:str}", responses=_FAULTS)
    async def show_dead(letter_id: FromPath[str], unmasked: Flag = False) -> Response[bytes]:
        """Show one dead letter."""
        letter = await dead.read(store, letter_id)
        if letter is None:
            raise NotFoundException("there is no such dead letter (any more)")
        return _json(_letter(letter, unmasked))

    @post("/dead/{what:str}", responses=_FAULTS, status_code=200, opt={"acts": True})
    async def settle_dead(what: FromPath[Literal["retry", "drop"]], data: JSONBody[Chosen]) -> Settled:
        """Retry dead letters (steps that are done stay done), or drop them."""
        if (data.ids is None) == (data.which is None):
            raise HTTPException("give either `ids` or `which`", status_code=400)
        ids = data.ids if data.ids is not None else await dead.ids(store, data.which or Which())
        return await dead.settle(store, what, ids, now=now())

    return [list_dead, show_dead, settle_dead]


def _playground(store: Store, now: Callable[[], int]) -> HTTPRouteHandler:
    @post("/playground", responses=_FAULTS, status_code=200)
    async def try_rule(data: JSONBody[Attempt]) -> Response[bytes]:
        """Check a rule text and, with an event, say what its rules make of it. Nothing is called, nothing is kept."""
        event: Event | None = None
        at = now()
        if data.event_id:
            found = await _event(store, data.event_id)
            event, at = found.entry.event, found.entry.received_at
        elif data.event is not None:
            try:
                event = event_of(data.event)
            except Malformed as error:
                raise HTTPException(str(error), status_code=400) from None
        tried = await attempt(data.text, event, at=at, masked=bool(data.event_id))
        told = _told(tried.explanation) if tried.explanation else None
        return _json({**msgspec.structs.asdict(tried), "explanation": told})

    return try_rule


async def _event(store: Store, event_id: str) -> journal.Journalled:
    """Fetch an event. Raises HTTPException 400 or 404."""
    try:
        event = await journal.read(store, event_id)
    except ValueError as error:
        raise HTTPException(str(error), status_code=400) from None
    if event is None:
        raise NotFoundException(f"there is no event {event_id} in the journal (any more)")
    return event


def _shown(story: journal.Story, unmasked: bool) -> Any:
    return plain(story) if unmasked else hide(plain(story), story.entry.event)


def _told(explanation: Explanation) -> dict[str, Any]:
    return {**msgspec.structs.asdict(explanation), "event": plain(explanation.event)}


def _letter(letter: DeadLetter, unmasked: bool) -> Any:
    shown: dict[str, Any] = {**plain(letter), "body": f"{len(letter.body)} bytes"}
    del shown["member"]
    return {**shown, "body": letter.body.decode(errors="replace")} if unmasked else mask(shown)


def _json(body: Any, headers: dict[str, str] | None = None) -> Response[bytes]:
    return Response(
        msgspec.json.encode(body, enc_hook=str),
        media_type=MediaType.JSON,
        headers={"cache-control": "no-store", **(headers or {})},
    )
