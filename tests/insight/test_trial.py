"""Trying a rule that is being written."""

from pathlib import Path

import pytest

from service.actions import ACTIONS
from service.engine import load, read_folder
from service.errors import Malformed
from service.insight.trial import MOST_BYTES, attempt, event_of_json, text_of
from tests.cli.conftest import a_rule, an_event, rules_text

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("rule", [rule.id for rule in load(read_folder(ROOT / "rules"), ACTIONS).rule_set.rules])
async def test_every_rule_of_ours_can_be_taken_out_and_tried_alone(rule: str) -> None:
    whole = load(read_folder(ROOT / "rules"), ACTIONS).rule_set
    tried = await attempt(text_of(whole, rule), an_event(), at=1)
    assert (tried.problems, tried.rules) == ((), 1)
    assert tried.explanation is not None
    assert [one.verdict.rule for one in tried.explanation.rules] == [rule]


async def test_a_text_with_mistakes_is_not_asked() -> None:
    tried = await attempt(rules_text(a_rule("one"), a_rule("one")), an_event(), at=1)
    assert {problem.code for problem in tried.problems} == {"R206"}
    assert (tried.rules, tried.explanation) == (2, None)


async def test_what_is_too_large_is_not_read() -> None:
    assert "larger than 64 kB" in (await attempt("x" * (MOST_BYTES + 1), None, at=1)).fault


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "{}", '{"entry": 1}', '{"entry": {"event": []}}', "[" * 60_000])
def test_what_is_no_event_says_so(text: str) -> None:
    with pytest.raises(Malformed):
        event_of_json(text)
