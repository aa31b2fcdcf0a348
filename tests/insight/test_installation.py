"""The last hour: every run counts once, in the minute of its last end."""

import pytest

from service.insight.installation import installation
from service.store import Store, accept, dead, lanes
from service.store.lanes import Notes
from service.store.records import DeadLetter, RunState
from tests.store.conftest import NOW, a_plan


async def _end(store: Store, state: RunState) -> None:
    """End the run that is due; one that dies gets the letter that it would have."""
    (lane,) = await lanes.claim(store, 1)
    run = lane.head.run
    letter = DeadLetter(
        id="letter", kind="run", reason="http_400", message="", source="hubspot", at=NOW, rule=run.rule,
        lane=lane.name, occurred_at=run.occurred_at, run_key=run.key, member=lane.head.member,
    )  # fmt: skip
    await lanes.end_run(store, lane, Notes({"state": state}), letter if state == "dead" else None)


async def _sums(store: Store) -> tuple[int, int, int]:
    """How many runs ended, how many of them died, and how many goes were to be repeated."""
    seconds, _ = await store.redis.time()
    found = await installation(store, now=int(seconds) * 1000)
    return sum(found.ended), sum(found.died), sum(found.retried)


@pytest.mark.parametrize(("last", "deaths"), [("done", 0), ("dead", 1)])
async def test_a_run_that_died_and_was_retried_is_counted_once(store: Store, last: RunState, deaths: int) -> None:
    await accept(store, "hubspot", [a_plan()], [], now=NOW)
    await _end(store, "dead")
    assert await _sums(store) == (1, 1, 0)
    await dead.settle(store, "retry", ["letter"], now=NOW, by="console")
    assert await _sums(store) == (0, 0, 0)
    await _end(store, last)
    assert await _sums(store) == (1, deaths, 0)


async def test_a_run_that_waits_for_its_turn_to_call_has_neither_ended_nor_failed(store: Store) -> None:
    await accept(store, "hubspot", [a_plan()], [], now=NOW)
    for fields, failed in (
        ({"state": "waiting", "put_off": 1}, 0),
        ({"state": "retrying", "tries": 1}, 1),
        ({"state": "retrying", "put_off": 2}, 1),
        ({"state": "retrying", "put_off": 3}, 1),
        ({"state": "retrying", "tries": 2}, 2),
    ):
        (lane,) = await lanes.claim(store, 1)
        await lanes.let_go(store, lane, Notes(fields), due=NOW)
        assert await _sums(store) == (0, 0, failed)
