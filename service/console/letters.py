"""Dead letters: what could not be done, to be tried again or dropped."""

from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import urlencode

import msgspec
import structlog
from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException, ValidationException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from service.console.desk import Desk, who
from service.console.doors import may_act
from service.console.render import PRIVATE
from service.insight.advice import advice
from service.insight.settling import settle as settle_letters
from service.insight.stories import story_of_letter
from service.insight.told import told_story
from service.observe.mask import mask
from service.store import dead
from service.store.dead import Which
from service.store.journal import Story
from service.store.records import DeadLetter

log = structlog.get_logger("sluice.console")

Asked = Request[Any, Any, Any]
_MOST = 100


def letters(desk: Desk) -> list[HTTPRouteHandler]:
    """Make the handlers."""

    @get("/dead")
    async def list_dead(
        request: Asked,
        reason: FromQuery[str] = "",
        rule: FromQuery[str] = "",
        kind: FromQuery[str] = "",
        object_id: FromQuery[str] = "",
        said: FromQuery[str] = "",
    ) -> Response[str]:
        which = Which(reason=reason.strip(), rule=rule.strip(), kind=kind, object=object_id.strip())
        found = await dead.newest(desk.store, _MOST, which)
        total = await dead.count(desk.store)
        chosen = {"reason": reason, "rule": rule, "kind": kind, "object_id": object_id}
        shown = {letter.id: mask(letter.message) for letter in found}
        return desk.page(
            "dead.html",
            who(request),
            letters=found,
            messages=shown,
            total=total,
            chosen=chosen,
            **_said(said),
            most=_MOST,
        )

    @get("/dead/{letter_id:str}")
    async def show_dead(request: Asked, letter_id: FromPath[str]) -> Response[str]:
        letter = await _letter(desk, letter_id)
        story = await story_of_letter(desk.store, letter)
        if story:
            letter = msgspec.structs.replace(letter, event_id=story.id)
        return desk.page(
            "letter.html", who(request), **_shown(letter, mask(letter.message), answers=_answers(letter, story))
        )

    @post("/dead/{letter_id:str}", status_code=200, guards=[may_act])
    async def show_body(request: Asked, letter_id: FromPath[str]) -> Response[str]:
        """Show the bytes that made no sense: asked for on purpose, by an admin, and noted."""
        letter = await _letter(desk, letter_id)
        log.warning("personal data shown", dead_letter=letter.id)
        body = letter.body.decode(errors="replace")
        return desk.page("letter.html", who(request), **_shown(letter, letter.message, body=body))

    @post("/settle", status_code=303, guards=[may_act])
    async def settle(request: Asked) -> Response[Any]:
        """Retry letters, or drop them."""
        form = await request.form()
        what, ids = form.get("what"), [str(one) for one in form.getall("ids", [])][:_MOST]
        if what not in ("retry", "drop"):
            raise ValidationException("Say what is to be done with them: retry or drop.")
        verb: Literal["retry", "drop"] = "retry" if what == "retry" else "drop"
        settled = await settle_letters(desk.store, verb, ids, now=desk.now(), by="console")
        said = f"{what}-{settled.done}-{settled.gone}-{settled.refused}"
        return Redirect(f"{desk.base}/dead?{urlencode({'said': said})}", status_code=303, headers=PRIVATE)

    return [list_dead, show_dead, show_body, settle]


def _shown(letter: DeadLetter, message: str, *, answers: Sequence[Any] = (), body: str | None = None) -> dict[str, Any]:
    return {"letter": letter, "message": message, "answers": answers, "body": body, "advice": advice(letter)}


def _answers(letter: DeadLetter, story: Story | None) -> list[Any]:
    """What Sakari answered to the steps that failed, with personal data hidden: often its message is the only reason given."""
    run = told_story(story).runs.get(letter.rule) if story else None
    steps = run.steps.values() if run else ()
    return [step.answer for step in steps if step.state == "failed" and step.answer is not None]


async def _letter(desk: Desk, letter_id: str) -> DeadLetter:
    letter = await dead.read(desk.store, letter_id)
    if letter is None:
        raise NotFoundException(f"There is no dead letter {letter_id} (any more): it was retried or dropped.")
    return letter


def _said(text: str) -> dict[str, Any]:
    """What was done a moment ago, in sentences, and the look of the box that they stand in."""
    what, *numbers = text.split("-")
    if what not in ("retry", "drop") or len(numbers) != 3 or not all(n.isdecimal() and len(n) < 7 for n in numbers):
        return {"said": [], "look": ""}
    done, gone, refused = map(int, numbers)
    first = [f"{done} back in line, tried again now." if what == "retry" else f"{done} dropped."]
    if not done:
        first = [] if gone + refused else ["Nothing was chosen."]
    look = "bad" if refused else "good" if done else ""
    sentences = [
        *first,
        *([f"Taken care of already: {gone}."] if gone else []),
        *([f"Without a run that could be tried again: {refused}; open them to see what to do."] if refused else []),
    ]
    return {"said": sentences, "look": look}
