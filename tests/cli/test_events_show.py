"""The story of an event says why nothing happens: what a run waits behind, and which rule was nearly meant."""

import json

from service.store import Store, lanes
from tests.cli.conftest import Stage, a_rule, an_event

STANDS = {"state": "waiting", "reason": "account_unknown", "message": "this worker knows no account `salse`"}


async def _put_off(store: Store) -> None:
    (lane,) = await lanes.claim(store, 1)
    await lanes.let_go(store, lane, lanes.Notes(STANDS), due=2**50)


def test_a_waiting_run_says_what_it_waits_behind(stage: Stage) -> None:
    first, second = stage.accept(stage.rules(a_rule()), an_event("a", at=1), an_event("b", at=2))
    stage.on(_put_off)
    said = f"waits behind run one of event {first}: account_unknown, this worker knows no account `salse`"

    assert said in stage.run("events", "show", second).output
    assert json.loads(stage.run("events", "show", second, "--json").output)["runs"]["one"]["behind"] == said
    assert "waits behind" not in stage.run("events", "show", first).output


def test_an_event_without_a_run_names_the_rule_that_was_nearest(stage: Stage) -> None:
    (event,) = stage.accept(stage.rules(a_rule("one")), an_event(stage="lead"))
    assert (
        "no rule matched; nearest: one, stopped by contact.stage (is lead)" in stage.run("events", "show", event).output
    )
    stage.forget_rule_sets()
    assert "no rule matched\n" in stage.run("events", "show", event).output
