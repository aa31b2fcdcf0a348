"""The admin API under /api: what operators look at and do, with a bearer token."""

import hmac
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from litestar import MediaType, Response, Router, get, post
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, NotAuthorizedException, NotFoundException
from litestar.handlers.base import BaseRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct

from service.observe.mask import mask
from service.store import Store, dead, journal, pace
from service.store.dead import Which
from service.store.records import DeadLetter, plain

Most = Annotated[int, QueryParameter(ge=1, le=1000)]
Flag = Annotated[bool, QueryParameter()]
Text = Annotated[str, QueryParameter()]
Instant = Annotated[int, QueryParameter(description="Milliseconds since the epoch.")]


class Chosen(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which dead letters something is to be done with: those named, or all that fit. One of the two must be given."""

    ids: list[str] | None = None
    which: Which | None = None


def admin(tokens: tuple[str, ...], store: Store, now: Callable[[], int]) -> Router:
    """Make the routes; `tokens` are all valid. Every route of this router needs one of them."""
    accepted = [token.encode() for token in tokens]

    def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        del handler
        scheme, _, offered = connection.headers.get("authorization", "").partition(" ")
        # sum() and not any(): every token is compared, whichever is right.
        right = sum(hmac.compare_digest(offered.encode(), token) for token in accepted)
        if scheme.lower() != "bearer" or not right:
            raise NotAuthorizedException("A bearer token is needed: SLUICE_ADMIN_TOKEN")

    @get("/events")
    async def list_events(most: Most = 50, unmasked: Flag = False) -> Response[bytes]:
        """List the newest events with what came of them."""
        found = [await journal.story(store, event) for event in await journal.newest(store, most)]
        return _json([_shown(story, unmasked) for story in found])

    @get("/events/{event_id:str}")
    async def show_event(event_id: FromPath[str], unmasked: Flag = False) -> Response[bytes]:
        """Show one event: its fields, its runs, their steps, Sakari's answers."""
        try:
            event = await journal.read(store, event_id)
        except ValueError as error:
            raise HTTPException(str(error), status_code=400) from None
        if event is None:
            raise NotFoundException(f"there is no event {event_id} in the journal (any more)")
        return _json(_shown(await journal.story(store, event), unmasked))

    @get("/dead")
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

    @get("/dead/{letter_id:str}")
    async def show_dead(letter_id: FromPath[str], unmasked: Flag = False) -> Response[bytes]:
        """Show one dead letter."""
        letter = await dead.read(store, letter_id)
        if letter is None:
            raise NotFoundException(f"there is no dead letter {letter_id} (any more)")
        return _json(_letter(letter, unmasked))

    @post("/dead/{what:str}", status_code=200)
    async def settle_dead(what: FromPath[Literal["retry", "drop"]], data: JSONBody[Chosen]) -> Response[bytes]:
        """Retry dead letters (steps that are done stay done), or drop them."""
        if (data.ids is None) == (data.which is None):
            raise HTTPException("give either `ids` or `which`", status_code=400)
        ids = data.ids if data.ids is not None else await dead.ids(store, data.which or Which())
        return _json(await dead.settle(store, what, ids, now=now()))

    @get("/accounts")
    async def list_accounts() -> Response[bytes]:
        """List the Sakari accounts that are in use: pace, circuit, queue."""
        return _json(await pace.states(store))

    handlers = [list_events, show_event, list_dead, show_dead, settle_dead, list_accounts]
    return Router("/api", route_handlers=handlers, guards=[guard])


def _shown(story: journal.Story, unmasked: bool) -> Any:
    return plain(story) if unmasked else mask(plain(story))


def _letter(letter: DeadLetter, unmasked: bool) -> Any:
    shown: dict[str, Any] = {**plain(letter), "body": f"{len(letter.body)} bytes"}
    del shown["member"]
    return {**shown, "body": letter.body.decode(errors="replace")} if unmasked else shown


def _json(body: Any) -> Response[bytes]:
    return Response(msgspec.json.encode(body), media_type=MediaType.JSON)
