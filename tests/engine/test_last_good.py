"""A mistake in a file turns no rule off."""

import importlib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine import Kept, load, load_keeping
from service.engine.check import Checked, check_file
from service.engine.folder import UNREADABLE
from service.engine.problem import Report
from tests.engine.examples import ACTIONS, rule

BROKEN = b"version: 1\nrules: [{"


def keeping(files: Mapping[str, bytes], last: Mapping[str, str]) -> Kept:
    return load_keeping(files, last, ACTIONS)


def ids(kept: Kept) -> list[str]:
    return [one.id for one in kept.rule_set.rules]


@pytest.mark.parametrize("content", [BROKEN, b"\xff", UNREADABLE + b"Permission denied", rule(mode="of").encode()])
def test_a_broken_file_keeps_its_last_good_version_and_the_others_go_on(content: bytes) -> None:
    last = {"a.yaml": rule(id="a"), "b.yaml": rule(id="b")}
    kept = keeping({"a.yaml": content, "b.yaml": rule(id="b2").encode()}, last)
    assert ids(kept) == ["a", "b2"]
    assert kept.broken == kept.held == {"a.yaml"}
    assert not kept.waits
    assert {problem.file for problem in kept.problems} == {"a.yaml"}


def test_the_version_is_that_of_the_rules_in_use() -> None:
    last = {"a.yaml": rule(id="a")}
    assert keeping({"a.yaml": BROKEN}, last).rule_set == load({"a.yaml": last["a.yaml"].encode()}, ACTIONS).rule_set


def test_a_file_that_is_gone_is_gone_and_one_that_was_never_good_gives_nothing() -> None:
    kept = keeping({"b.yaml": BROKEN, "c.yaml": rule(id="c").encode()}, {"a.yaml": rule(id="a")})
    assert (ids(kept), list(kept.broken), list(kept.held)) == (["c"], ["b.yaml"], [])


def test_a_rule_that_moves_out_of_a_file_that_breaks_is_never_off() -> None:
    last = {"a.yaml": rule(id="a"), "b.yaml": rule(id="b"), "c.yaml": rule(id="c")}
    moved = rule(id="a") + rule(id="b").partition("rules:\n")[2]
    kept = keeping({"a.yaml": moved.encode(), "b.yaml": BROKEN, "c.yaml": rule(id="c2").encode()}, last)
    assert (ids(kept), kept.waits) == (["a", "b", "c"], True)


def test_an_id_that_a_new_file_takes_from_an_old_one_stays_where_it_was() -> None:
    kept = keeping({"0.yaml": rule(id="a").encode(), "a.yaml": rule(id="a").encode()}, {"a.yaml": rule(id="a")})
    assert (ids(kept), kept.rule_set.rules[0].file, kept.waits) == (["a"], "a.yaml", True)


def test_what_cannot_be_read_says_why() -> None:
    (problem,) = keeping({"a.yaml": UNREADABLE + b"Permission denied"}, {}).problems
    assert (problem.code, problem.message) == ("R112", "this file cannot be read: Permission denied")


def test_a_fault_in_a_check_turns_no_rule_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(root: Any, actions: Any, report: Report) -> Checked:
        if "new" in str(root):
            raise IndexError("list index out of range")
        return check_file(root, actions, report)

    monkeypatch.setattr(importlib.import_module("service.engine.load"), "check_file", faulty)
    files = {"a.yaml": rule(id="new").encode(), "b.yaml": rule(id="b").encode()}
    kept = keeping(files, {"a.yaml": rule(id="a"), "b.yaml": rule(id="b")})
    assert (ids(kept), kept.held) == (["a", "b"], frozenset({"a.yaml"}))
    (problem,) = kept.problems
    assert (problem.file, problem.code, problem.severity) == ("a.yaml", "R113", "error")
    assert "IndexError at test_last_good.py:" in problem.message


NAMES = st.sampled_from(["a.yaml", "b.yaml", "c.yaml"])
TEXTS = st.sampled_from(["x", "y", "z"]).map(lambda name: rule(id=name))
GOOD = st.dictionaries(NAMES, TEXTS)


@given(GOOD, st.dictionaries(NAMES, TEXTS.map(str.encode) | st.just(BROKEN)))
def test_no_rule_vanishes_while_its_file_is_there_and_broken(before: dict[str, str], now: dict[str, bytes]) -> None:
    last = load({name: text.encode() for name, text in before.items()}, ACTIONS).rule_set
    kept = keeping(now, last.files)
    for one in last.rules:
        if now.get(one.file) == BROKEN:
            assert one.id in kept.rule_set.by_id
