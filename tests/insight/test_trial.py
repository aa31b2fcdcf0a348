"""Trying a rule that is being written."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from service.actions import ACTIONS
from service.engine import load, read_folder
from service.errors import Malformed
from service.insight.trial import MOST_BYTES, attempt, event_of_json, text_of, tried
from tests.cli.conftest import a_rule, an_event, rules_text

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("rule", [rule.id for rule in load(read_folder(ROOT / "rules"), ACTIONS).rule_set.rules])
def test_every_rule_of_ours_can_be_taken_out_and_tried_alone(rule: str) -> None:
    whole = load(read_folder(ROOT / "rules"), ACTIONS).rule_set
    came = tried(text_of(whole, rule), an_event(), 1)
    assert (came.problems, came.rules) == ((), 1)
    assert came.explanation is not None
    assert [one.verdict.rule for one in came.explanation.rules] == [rule]


async def test_what_comes_of_a_process_of_its_own_is_what_comes_of_trying_here() -> None:
    good, broken = rules_text(a_rule("one"), a_rule("two", stage="lead")), rules_text(a_rule("one"), a_rule("one"))
    for text, event, masked in ((good, an_event(), True), (good, an_event(), False), (good, None, True)):
        assert await attempt(text, event, at=1, masked=masked) == tried(text, event, 1, masked=masked)
    assert await attempt(broken, an_event(), at=1) == tried(broken, an_event(), 1)


def test_a_text_with_mistakes_is_not_asked() -> None:
    came = tried(rules_text(a_rule("one"), a_rule("one")), an_event(), 1)
    assert {problem.code for problem in came.problems} == {"R206"}
    assert (came.rules, came.explanation) == (2, None)


async def test_what_is_too_large_is_not_read() -> None:
    assert "larger than 64 kB" in (await attempt("x" * (MOST_BYTES + 1), None, at=1)).fault


SLOW = "version: 1\nrules:\n  - id: slow\n    event: contact.updated\n    when:\n      any:\n" + "".join(
    f"        - contact.note: {{ matches: 'a*a*x{n}$' }}\n" for n in range(900)
)
"""Each pattern is allowed, and all of them together take minutes."""


async def test_a_rule_that_nobody_would_wait_for_is_ended_and_its_process_is_gone() -> None:
    event = replace(an_event(), values={"contact.id": "7", "contact.note": "a" * 1000})
    before = _processes()
    came = await attempt(SLOW + THEN, event, at=1, most_s=1)
    assert "takes too long" in came.fault
    assert _processes() == before
    assert (await attempt(rules_text(a_rule("one")), an_event(), at=1)).rules == 1


BIG = replace(an_event(), values={"contact.id": "7", "contact.note": "x" * 60_000})
QUESTIONS = "version: 1\nrules:\n  - id: asks\n    event: contact.updated\n    when:\n      any:\n" + "".join(
    f"        - contact.note: a{n}\n" for n in range(1900)
)
TEMPLATES = "version: 1\nrules:\n  - id: repeats\n    event: contact.updated\n    then:\n" + "".join(
    f"""      - do: update_attributes
        with: {{ type: contacts, contact: {{ hubspot: {{ id: x }}, attributes: {{ {attributes} }} }} }}
"""
    for attributes in [", ".join(f"a{n}: '{'${contact.note}' * 50}'" for n in range(80))]
)


async def test_a_result_larger_than_anybody_would_read_is_not_given() -> None:
    assert "too large to show" in (await attempt(QUESTIONS + THEN, BIG, at=1, masked=False)).fault


async def test_a_rule_that_takes_too_much_memory_is_ended() -> None:
    """Its arguments would take 240 MB."""
    came = await attempt(TEMPLATES, BIG, at=1, masked=False)
    assert came.explanation is not None
    (step,) = came.explanation.rules[0].steps
    assert (step.args, step.problem) == (None, "MemoryError")


async def test_values_and_arguments_are_shown_up_to_a_length() -> None:
    """Ten thousand characters stand in the event once, and not again under every question and argument."""
    text = rules_text(a_rule("one", seen="${contact.note}")).replace(
        "contact.stage: customer", "contact.note: { exists: true }"
    )
    event = replace(an_event(), values={"contact.id": "7", "contact.note": "y" * 10_000})
    came = await attempt(text, event, at=1, masked=False)
    assert came.explanation is not None
    assert str(came.explanation.rules).count("y") < 6_000
    assert came.explanation.rules[0].verdict.matched


async def test_a_trial_that_is_given_up_leaves_no_process() -> None:
    event = replace(an_event(), values={"contact.id": "7", "contact.note": "a" * 1000})
    before = _processes()
    trying = asyncio.create_task(attempt(SLOW + THEN, event, at=1))
    while _processes() == before:  # noqa: ASYNC110 - a process tells nobody that it has begun
        await asyncio.sleep(0.01)
    trying.cancel()
    await asyncio.wait([trying])
    assert _processes() == before


THEN = "    then: [{ do: update_attributes, with: { type: contacts, contact: { hubspot: { id: x }, attributes: { a: b } } } }]"


def _processes() -> set[str]:
    """The processes that try rules for this one."""
    listed = subprocess.run(["ps", "-A", "-o", "ppid=,pid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    return {pid for parent, pid, *args in rows if int(parent) == os.getpid() and "service.insight.trial" in str(args)}


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "{}", '{"entry": 1}', '{"entry": {"event": []}}', "[" * 60_000])
def test_what_is_no_event_says_so(text: str) -> None:
    with pytest.raises(Malformed):
        event_of_json(text.encode())
