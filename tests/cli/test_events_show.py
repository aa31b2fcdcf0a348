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
