"""Dead letters: found, shown, retried, dropped."""

from collections.abc import Callable
from typing import Annotated, Literal

from litestar import get, post
from litestar.enums import RequestEncodingType
from litestar.exceptions import HTTPException, NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import Example
from litestar.params import BodyKwarg, FromPath
from msgspec import Struct

from service.ingress.admin.parameters import RESPONSES, Died, Flag, Instant, Most, Object, Text, note
from service.insight.settling import settle
from service.insight.told import ToldLetter, told_letter
from service.store import Store, dead
from service.store.dead import Settled, Which


class Chosen(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which dead letters something is to be done with: those named, or all that fit. One of the two must be given."""

    ids: list[str] | None = None
    which: Which | None = None


Choice = Annotated[
    Chosen,
    BodyKwarg(
        media_type=RequestEncodingType.JSON,
        examples=[
            Example(summary="Some, by their ids", value={"ids": ["1790000003000-0-new-lead-is-marked"]}),
            Example(summary="All of a kind", value={"which": {"reason": "refused", "rule": "customer-leaves-nurture"}}),
        ],
    ),
]


def letters(store: Store, now: Callable[[], int]) -> list[HTTPRouteHandler]:
    """Make the handlers."""

    @get("/dead", responses=RESPONSES)
    async def list_dead(
        reason: Text = "",
        rule: Text = "",
        kind: Died = "",
        object_id: Object = "",
        since: Instant = 0,
        until: Instant = 0,
        most: Most = 50,
        unmasked: Flag = False,
    ) -> list[ToldLetter]:
        """List the newest dead letters that fit."""
        note(unmasked, path="/api/dead")
        which = Which(reason=reason, rule=rule, kind=kind, object=object_id, since=since, until=until)
        return [told_letter(letter, masked=not unmasked) for letter in await dead.newest(store, most, which)]

    @get("/dead/{letter_id:str}", responses=RESPONSES)
    async def show_dead(letter_id: FromPath[str], unmasked: Flag = False) -> ToldLetter:
        """Show one dead letter."""
        letter = await dead.read(store, letter_id)
        if letter is None:
            raise NotFoundException("there is no such dead letter (any more)")
        note(unmasked, dead_letter=letter.id)
        return told_letter(letter, masked=not unmasked)

    @post("/dead/{what:str}", responses=RESPONSES, status_code=200, opt={"acts": True})
    async def settle_dead(what: FromPath[Literal["retry", "drop"]], data: Choice) -> Settled:
        """Retry dead letters (steps that are done stay done), or drop them."""
        if (data.ids is None) == (data.which is None):
            raise HTTPException("give either `ids` or `which`", status_code=400)
        ids = data.ids if data.ids is not None else await dead.ids(store, data.which or Which())
        return await settle(store, what, ids, now=now(), by="admin API")

    return [list_dead, show_dead, settle_dead]
