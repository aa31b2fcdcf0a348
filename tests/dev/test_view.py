"""Stories for a person at a terminal: everything that happened, and personal data only when asked for."""

import io
from typing import Any, get_args

import msgspec
import pytest
from msgspec import structs
from rich.console import Console

from service.dev import view
from service.model import Event, PlanFailure
from service.observe.mask import mask
from service.store.journal import Story
from service.store.records import JournalEntry, RunRecord, RunState, StepRecord, StepState, plain

VALUES = {
    "contact.id": "7",
    "contact.phone": "+15550109999",
    "contact.email": "ada@example.com",
    "contact.stage": "[bold]customer",
    "hubspot.changeFlag": "NEW",
}


def _story(runs: dict[str, RunRecord] | None = None, *, changed: tuple[str, ...] = (), **entry: Any) -> Story:
    event = Event(
        source="hubspot",
        account="62515",
        type="contact.updated",
        object_id="[/]7",
        occurred_at=1,
        fact_key="f",
        delivery_key="d",
        values=VALUES,
        changed=changed,
        actor="user:9",
        origin="user",
    )
    return Story("1-0", JournalEntry(event, "v", 1000, tuple(runs or ()), **entry), runs or {})


def test_what_is_left_out_of_an_event_is_counted_and_its_time_is_utc() -> None:
    story = _story()
    values = {f"contact.p{n}": n for n in range(9)}
    event = structs.replace(story.entry.event, values=values, changed=())
    told = _told(structs.replace(story, entry=structs.replace(story.entry, event=event)))
    assert "contact.p5 = 5 and 3 more (--json)" in told
    assert "00:00:01.000Z  1-0" in told
    assert "more" not in _told(_story())
    assert view.day(0) == "1970-01-01 00:00:00Z"


def _told(story: Story, *, masked: bool = True) -> str:
    console = Console(file=io.StringIO(), width=400)
    for line in view.lines(story, masked=masked):
        console.print(line, highlight=False, soft_wrap=True)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_an_event_that_no_rule_wanted_says_so() -> None:
    told = _told(_story())
    assert "contact.updated  hubspot 62515  contact [/]7" in told
    assert "contact.stage = [bold]customer" in told
    assert "by user:9 (user)" in told
    assert "no rule matched" in told
    assert "changeFlag" not in told
    assert "contact.id" not in told


def test_what_changed_is_told_before_everything_else() -> None:
    told = _told(_story(changed=("contact.stage", "contact.gone")))
    assert "contact.stage" in told
    assert "contact.phone" not in told


def test_personal_data_is_masked_unless_asked_for() -> None:
    step = StepRecord(
        state="done",
        at=1,
        result={"email": "ada@example.com", "latest": {"mobile": "+15550109999", "status": "open"}},
        args={
            "contact": {"mobile": {"number": "+15550109999"}, "lists": [{"name": "Ada"}], "note": "x", "email": None}
        },
    )
    story = _story({"r": RunRecord(state="done", ended_at=1500, tries=2, put_off=3, steps={0: step})})
    masked, plain = _told(story), _told(story, masked=False)

    for secret in ("5550109999", "ada@example.com", "Ada"):
        assert secret not in masked
        assert secret in plain
    assert "•••" in masked
    assert "•••" not in plain
    assert '"status":"open"' in masked
    assert '"email":null' in masked
    assert "r  done  500 ms after it arrived  2 failed tries  had to wait 3 times" in masked


@pytest.mark.parametrize("state", get_args(RunState))
def test_every_state_of_a_run_can_be_told(state: RunState) -> None:
    assert f"r  {state}" in _told(_story({"r": RunRecord(state=state, message="[why]")}))


@pytest.mark.parametrize("state", get_args(StepState))
def test_every_state_of_a_step_can_be_told(state: StepState) -> None:
    record = RunRecord(steps={0: StepRecord(state=state, at=1, reason="[why]", took_ms=5)})
    told = _told(_story({"r": record}))
    assert "step 1" in told
    assert ("5 ms" if state == "done" else f"{state}: [why]") in told


def test_how_long_it_took_is_said_in_one_unit() -> None:
    assert "r  done  41 s after it arrived" in _told(_story({"r": RunRecord(state="done", ended_at=41_994)}))


def test_runs_that_were_one_call_say_so() -> None:
    step = StepRecord(state="done", at=1, took_ms=5, args={"x": 1}, do="update_attributes")
    alike = [structs.replace(step, at=2), structs.replace(step, state="superseded"), structs.replace(step, do="other")]
    runs = [step, step, *alike]
    told = _told(_story({f"r{n}": RunRecord(state="done", steps={0: one}) for n, one in enumerate(runs)}))
    assert told.count("one call together with") == 2
    assert "one call together with r1\n" in told
    assert "one call together with r0\n" in told


def test_a_reading_that_two_rules_share_is_no_call_together() -> None:
    step = StepRecord(state="done", at=1, do="fetch_executions")
    told = _told(_story({rule: RunRecord(state="done", steps={0: step}) for rule in ("a", "b")}))
    assert "together" not in told


def test_shadowed_and_failed_rules_are_told() -> None:
    told = _told(_story(shadowed=("s",), failures=(PlanFailure("f", "missing_value", "no [phone]"),)))
    assert "s  shadow: would have run, called nothing" in told
    assert "f  no [phone]  → sluice dead list" in told


def test_a_long_value_is_shown_by_its_beginning() -> None:
    step = StepRecord(state="done", at=1, args={"note": "x" * 500})
    told = _told(_story({"r": RunRecord(steps={0: step})}))
    assert "xxx…" in told
    assert "x" * 161 not in told


def test_plain_gives_names_to_everything_and_masks_by_them() -> None:
    step = StepRecord(state="done", at=1, args={"email": "ada@example.com"}, answer=[{"phone": "1"}])
    told = plain(_story({"r": RunRecord(steps={0: step})}))

    assert told["entry"]["event"]["values"]["contact.stage"] == "[bold]customer"
    assert told["runs"]["r"]["steps"]["0"]["args"] == {"email": "ada@example.com"}
    masked = mask(told)
    assert masked["runs"]["r"]["steps"]["0"]["args"] == {"email": "•••"}
    assert masked["runs"]["r"]["steps"]["0"]["answer"] == [{"phone": "•••"}]
    assert msgspec.json.decode(msgspec.json.encode(masked))["entry"]["event"]["values"]["contact.phone"] == "•••"
