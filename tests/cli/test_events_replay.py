"""`sluice events replay`: chosen events run again, and nothing is done twice."""

import asyncio
import json
from typing import Any

import pytest

from service.cli.events_replay import Chosen, _do
from service.store import Options, Store, dead, lanes, open_store
from service.store.records import DeadLetter, StepRecord, StepState, encode
from tests.cli.conftest import Stage, a_rule, an_event


def replayed(stage: Stage, *options: str) -> dict[str, Any]:
    told = stage.run("events", "replay", "--json", *options)
    assert told.exit_code == 0, told.output
    found: dict[str, Any] = json.loads(told.output)
    return found


def test_a_rule_that_was_added_runs_for_the_events_of_before(stage: Stage) -> None:
    ids = stage.accept(stage.rules(a_rule()), an_event("a"), an_event("b", stage="lead"))
    assert stage.work() == ["a/one"]
    new = stage.rules(a_rule(), a_rule("two", stage="[customer, lead]"))
    stage.accept(new)

    asked = stage.run("events", "replay", "--since", "1d", answer="y\n")
    assert asked.exit_code == 0, asked.output
    assert "2 events under rule set" in asked.output
    assert "+ 2  two" in asked.output
    assert "– 1  one: its run is done already" in asked.output
    assert "2 runs added" in asked.output
    assert stage.work() == ["a/two", "b/two"]
    shown = stage.run("events", "show", ids[0]).output
    assert "✓ one  done" in shown
    assert "✓ two  done" in shown
    assert f"added by a replay under {new.version}" in shown
    assert replayed(stage, "--since", "1d", "--yes")["added"] == 0


def test_it_asks_before_it_acts(stage: Stage) -> None:
    (event,) = stage.accept(stage.rules(), an_event())
    stage.accept(stage.rules(a_rule()))
    assert stage.run("events", "replay", event, answer="n\n").exit_code == 1
    assert replayed(stage, event, "--dry-run") == {"events": 1, "runs": {"one": 1}, "skipped": [], "added": 0}
    assert stage.run("events", "replay", event, "--json").exit_code == 2
    assert stage.work() == []
    assert replayed(stage, event, "--yes")["added"] == 1
    assert stage.work() == ["f/one"]


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("done", "is done already"),
        ("skipped", "was done already: no step's `if` held"),
        ("superseded", "was done already: newer values stood in Sakari"),
        ("dropped", "was dropped by a person"),
    ],
)
def test_a_run_that_has_ended_is_not_run_again(stage: Stage, state: str, why: str) -> None:
    (event,) = stage.accept(stage.rules(a_rule()), an_event())
    stage.work(state)
    found = replayed(stage, event, "--yes")
    assert (found["added"], found["skipped"]) == (0, [{"rule": "one", "why": why, "runs": 1}])
    assert stage.work() == []


def test_a_run_that_waits_is_not_added_again(stage: Stage) -> None:
    (event,) = stage.accept(stage.rules(a_rule()), an_event())
    assert "was added before: it waits" in replayed(stage, event, "--yes")["skipped"][0]["why"]
    assert stage.work() == ["f/one"]


def test_a_run_whose_ledger_is_gone_is_not_run_again(stage: Stage) -> None:
    (event,) = stage.accept(stage.rules(a_rule()), an_event())
    stage.work()
    stage.on(lambda store: store.redis.delete("sluice:run:f/one"))
    assert replayed(stage, event, "--yes")["added"] == 0


def test_rules_that_would_call_nothing_are_skipped_with_the_reason(stage: Stage) -> None:
    (event,) = stage.accept(stage.rules(), an_event())
    needs = a_rule("needs").replace("contact.id}", "contact.none}")
    stage.accept(stage.rules(a_rule(mode="shadow"), needs))
    skipped = {one["rule"]: one["why"] for one in replayed(stage, event, "--yes")["skipped"]}
    assert "mode: shadow" in skipped["one"]
    assert "cannot be planned: rule needs, step 1" in skipped["needs"]


def test_a_rule_that_could_not_be_planned_loses_its_dead_letter_once_it_runs(stage: Stage) -> None:
    (event,) = stage.accept(stage.rules(a_rule().replace("contact.id}", "contact.none}")), an_event())
    assert stage.on(dead.count) == 1
    stage.accept(stage.rules(a_rule()))
    assert replayed(stage, event, "--yes")["added"] == 1
    assert stage.on(dead.count) == 0
    assert "✗ one" not in stage.run("events", "show", event).output


def _died(stage: Stage, event: str, reason: str, state: StepState) -> None:
    """Let the one waiting run die at its first step, as a worker records it."""

    async def bury(store: Store) -> None:
        (lane,) = await lanes.claim(store, 1)
        letter = DeadLetter(
            id=f"{event}-one", kind="run", reason=reason, message="", source="hubspot", at=5, rule="one", lane=lane.name,
            event_id=event, occurred_at=1, run_key="f/one", member=lane.head.member,
        )  # fmt: skip
        step = StepRecord(state=state, at=1, do="update_attributes")
        fields = {"state": "dead", "reason": reason, "ended_at": 5, "step:0": encode(step)}
        await lanes.end_run(store, lane, lanes.Notes(fields), letter)

    stage.on(bury)


def test_a_run_that_died_before_it_did_anything_is_run_under_the_mended_rule(stage: Stage) -> None:
    (event,) = stage.accept(stage.rules(a_rule(seen="bad")), an_event())
    _died(stage, event, "http_400", "failed")
    stage.accept(stage.rules(a_rule()))
    assert replayed(stage, event, "--yes")["added"] == 1
    assert stage.on(dead.count) == 0
    assert replayed(stage, event, "--yes")["added"] == 0
    assert stage.work() == ["f/one"]


@pytest.mark.parametrize(("reason", "state"), [("http_400", "done"), ("uncertain_timeout", "failed"), ("x", "pending")])
def test_a_run_that_died_half_done_is_left_to_a_person(stage: Stage, reason: str, state: StepState) -> None:
    (event,) = stage.accept(stage.rules(a_rule()), an_event())
    _died(stage, event, reason, state)
    found = replayed(stage, event, "--yes")
    assert (found["added"], found["skipped"][0]["why"][:14]) == (0, "died half done")
    assert stage.on(dead.count) == 1


def test_events_are_chosen_by_id_time_source_type_and_rule(stage: Stage) -> None:
    ids = stage.accept(stage.rules(), an_event("a"), an_event("b", stage="lead"))
    stage.accept(stage.rules(a_rule(), a_rule("two"), a_rule("three", stage="lead")))
    for options, runs in (
        ((ids[0],), {"one": 1, "two": 1}),
        (("--since", "1h", "--rule", "three"), {"three": 1}),
        (("--since", "1h", "--type", "contact.updated"), {"one": 1, "two": 1, "three": 1}),
        (("--since", "1h", "--type", "contact.created"), {}),
        (("--since", "1h", "--source", "pipedrive"), {}),
        (("--since", "1h", "--until", "30m"), {}),
    ):
        assert replayed(stage, *options, "--dry-run")["runs"] == runs
    for wrong in ((), (ids[0], "--since", "1h"), ("yesterday",), ("--since", "1h", "--rule", "none")):
        assert stage.run("events", "replay", *wrong).exit_code == 2
    assert stage.run("events", "replay", "1-1").exit_code == 1


def test_dates_are_seen_from_the_time_of_the_event_and_the_expiry_from_now(stage: Stage) -> None:
    at = 1_700_000_000_000
    (event,) = stage.accept(stage.rules(), an_event(at=at - 1000), at=at)
    stage.accept(stage.rules(a_rule().replace("contact.stage: customer", "occurred_at: { newer_than: 1h }")))
    told = stage.run("events", "replay", event, "--yes")
    assert "1 run added" in told.output
    assert "older ones may overwrite" in " ".join(told.output.split())

    async def expires_at(store: Store) -> int:
        (lane,) = await lanes.claim(store, 1)
        return lane.head.run.expires_at

    assert stage.on(expires_at) > 1_790_000_000_000


def test_the_rules_of_a_folder_are_kept_before_they_decide(stage: Stage) -> None:
    (event,) = stage.accept(stage.rules(), an_event())
    other = stage.rules(a_rule(), folder="other")
    assert replayed(stage, event, "--rules", "other", "--yes")["added"] == 1
    assert stage.on(lambda store: store.redis.exists(f"sluice:ruleset:{other.version}")) == 1


def test_without_rules_in_force_some_must_be_named(stage: Stage) -> None:
    (event,) = stage.accept(stage.rules(), an_event())
    stage.forget_rule_sets()
    told = stage.run("events", "replay", event)
    assert told.exit_code == 2
    assert "no rules in force" in " ".join(told.output.split())


def test_two_replays_at_the_same_time_add_each_run_once(stage: Stage) -> None:
    stage.accept(stage.rules(), *(an_event(f"f{n}", object_id=str(n % 3)) for n in range(30)))
    rule_set = stage.rules(a_rule(), a_rule("two"))
    every = Chosen(ids=(), since=0, until=2**45, source="", type="", rule="")

    async def both(_: Store) -> list[int]:
        stores = [open_store(stage.redis_url, Options()) for _ in range(3)]
        added = await asyncio.gather(*(_do(store, rule_set, every) for store in stores))
        for store in stores:
            await store.close()
        return added

    assert sum(stage.on(both)) == 60
    done = stage.work()
    assert len(done) == len(set(done)) == 60
