"""Every change of a rule is noticed by the case that it asks for, and by no weaker ones; equal rules are not made."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from service.actions import ACTIONS
from service.engine import RuleSet, cover, examine
from service.engine.condition import All, Condition, Leaf, Not
from service.engine.mutate import Mutant, mutants
from service.engine.mutate_leaf import leaf_changes
from service.engine.operators import OPERATORS
from tests.engine.suites import cases_of, one_rule, rules_of

MADE = 'expect: { r: [upsert_contact: { contact: { mobile: { number: "+15550100000" } } }] }'


def survivors(rules: RuleSet, *bodies: str) -> list[tuple[str, str]]:
    found = examine(rules.rules[0], cases_of(rules, *bodies), ACTIONS).survivors
    return [(mutant.part, mutant.change) for mutant in found]


def test_a_condition_that_no_case_fails_can_be_left_out() -> None:
    rules = one_rule("{ deal.status: won, deal.stage: 5 }")
    fires = f"deal.status: won, deal.stage: 5, {MADE}"
    assert survivors(rules, fires) == [
        ("`all` of 2 conditions", "read as `any`"),
        ("`deal.status` eq won", "left out"),
        ("`deal.stage` eq 5", "left out"),
    ]
    other = "deal.status: lost, deal.stage: 5, not: r, because: deal.status"
    assert survivors(rules, fires, other) == [("`deal.stage` eq 5", "left out")]
    assert survivors(rules, fires, other, "deal.status: won, deal.stage: 4, not: r, because: deal.stage") == []


def test_a_rule_whose_calls_no_case_lists_can_lose_its_steps() -> None:
    assert survivors(one_rule(), "expect: r") == [("step 1 (upsert_contact)", "left out")]
    assert survivors(one_rule(), MADE) == []


@pytest.mark.parametrize(
    ("listed", "without"),
    [
        ("[x, x]", []),
        ("[5, '5', 5.0]", []),
        ("[null, null]", []),
        ("[1, true]", ["1", "true"]),
        ("[x, y, x]", ['"x"', '"y"']),
    ],
)
def test_what_stands_on_a_list_twice_is_one_thing(listed: str, without: list[str]) -> None:
    changes = [mutant.change for mutant in mutants(one_rule(f"{{ deal.status: {listed} }}").rules[0])]
    assert [change for change in changes if change.startswith("without")] == [f"without {each}" for each in without]


def test_every_event_of_a_list_wants_a_case() -> None:
    rules = one_rule(event="[deal.updated, deal.created]")
    assert survivors(rules, MADE) == [("`event` deal.created", "left out")]
    created = "event: deal.created, source: pipedrive, deal.phone: x, expect: r"
    assert survivors(rules, MADE, created) == []


@pytest.mark.parametrize(
    ("condition", "just_in", "just_out"),
    [
        ("gt: 1000", ["1001"], ["1000"]),
        ("gte: 1000", ["1000"], ["950"]),
        ("lt: 1000", ["950"], ["1000"]),
        ("lte: 1000", ["1000"], ["1050"]),
        ("gt: 3", ["4"], ["3"]),
        ("gte: 2.5", ["2.5"], ["2.4"]),
        ("between: [100, 200]", ["100", "200"], ["95", "205"]),
        ("gte: 2026-01-31", ["2026-01-31"], ["2026-01-30T12:00:00Z"]),
        ("older_than: 1h", ["2026-01-15T10:30:00Z"], ["2026-01-15T11:20:00Z"]),
        ("newer_than: 1h", ["2026-01-15T11:20:00Z"], ["2026-01-15T10:30:00Z"]),
        ("in: [a, b]", ["a", "b"], ["c"]),
        ("changed_to: [a, b]", ["a", "b"], ["c"]),
        ("not_in: [a, b]", ["c"], ["a", "b"]),
    ],
)
def test_a_line_is_drawn_by_a_case_on_either_side(condition: str, just_in: list[str], just_out: list[str]) -> None:
    rules = one_rule(f"{{ deal.x: {{ {condition} }} }}")
    fires = [f"deal.x: '{value}', {MADE}" for value in just_in]
    silent = [f"deal.x: '{value}', not: r, because: deal.x" for value in just_out]
    assert survivors(rules, *fires, *silent) == []
    for cases in (fires[1:] + silent, fires + silent[1:]):
        assert survivors(rules, *cases) != []


def test_any_and_not_are_examined_as_a_whole() -> None:
    rules = one_rule("{ any: [{ deal.a: 1 }, { deal.b: 1 }], not: { deal.c: 1, deal.d: 1 } }")
    values = "deal.a: {}, deal.b: {}, deal.c: {}, deal.d: {}"
    fires = [f"{values.format(*four)}, {MADE}" for four in ((1, 0, 0, 1), (0, 1, 1, 0))]
    neither = f"{values.format(0, 0, 0, 0)}, expect: nothing"
    both = f"{values.format(1, 0, 1, 1)}, expect: nothing"
    assert survivors(rules, *fires, neither, both) == []
    assert ("`any` as a whole", "left out") in survivors(rules, *fires, both)
    assert ("`not` as a whole", "left out") in survivors(rules, *fires, neither)


@pytest.mark.parametrize(
    ("when", "event"),
    [
        ("{ source: hubspot }", "contact.created"),
        ("{ source: pipedrive }", "[person.created, person.updated]"),
        ("{ source: pipedrive, pipedrive.is_bulk_edit: false }", "deal.updated"),
        ("{ source: pipedrive, deal.a: 1, deal.b: 1 }", "deal.updated"),
        ("{ source: pipedrive, deal.a: 1, deal.b: { exists: true } }", "deal.updated"),
    ],
)
def test_a_source_that_goes_without_saying_may_be_left_out(when: str, event: str) -> None:
    rules = one_rule(when, event, "{ do: upsert_contact, with: { contact: { mobile: { number: '1' } } } }")
    changed = [(mutant.part, mutant.change) for mutant in mutants(rules.rules[0])]
    assert not [change for part, change in changed if part.startswith("`source`") and change == "left out"]


@pytest.mark.parametrize(
    "when",
    [
        "{ source: pipedrive, deal.a: 1 }",
        "{ source: pipedrive, deal.a: 1, deal.b: { exists: false } }",
        "{ source: hubspot, deal.a: 1, deal.b: 1 }",
    ],
)
def test_a_source_among_several_matters(when: str) -> None:
    assert "left out" in [change for _, change in _of("source", one_rule(when))]


def _of(path: str, rules: RuleSet) -> list[tuple[str, str]]:
    return [(m.part, m.change) for m in mutants(rules.rules[0]) if m.part.startswith(f"`{path}`")]


def test_exists_goes_without_saying_beside_a_question_about_the_value() -> None:
    assert ("`deal.x` exists true", "left out") not in _of("deal.x", one_rule("{ deal.x: { exists: true, gt: 5 } }"))
    assert ("`deal.x` exists true", "left out") in _of("deal.x", one_rule("{ deal.x: { exists: true, ne: 5 } }"))


def test_a_survivor_is_found_by_its_line_and_column() -> None:
    rules = rules_of(
        """\
version: 1
rules:
  - id: r
    event: [deal.updated, deal.created]
    when:
      deal.status: won
      any:
        - deal.value: { gte: 5 }
        - not: { deal.x: 1, deal.y: 1 }
    then:
      - do: upsert_contact
        if: { deal.z: 1 }
        with: { contact: { mobile: { number: '1' } } }
"""
    )
    places = {mutant.part: mutant.at for mutant in mutants(rules.rules[0])}
    assert places["`deal.status` eq won"] == (6, 7)
    assert places["`any` of 2 conditions"] == (7, 7)
    assert places["`deal.value` gte 5"] == (8, 25)
    assert places["`not` as a whole"] == (9, 11)
    assert places["`not` `deal.y` eq 1"] == (9, 29)
    assert places["`if` of step 1 (upsert_contact): `deal.z` eq 1"] == (12, 15)
    assert places["step 1 (upsert_contact)"] == (11, 9)
    assert places["`event` deal.created"] == (3, 5)


_PATHS = st.sampled_from(["deal.a", "deal.b"])
_OPERANDS: dict[str, Any] = {
    "eq": st.sampled_from(["x", 5, None]),
    "in": st.lists(st.sampled_from(["x", "y", 5]), min_size=1, unique=True),
    "gt": st.integers(-1000, 1000)
    | st.floats(-1e6, 1e6)
    | st.sampled_from(["2026-01-31", "9999-12-31", "0001-01-01T00:00"]),
    "between": st.tuples(st.integers(-9, 0), st.integers(0, 9)).map(list),
    "older_than": st.sampled_from(["0s", "1s", "5m", "999999w"]),
}


@st.composite
def _leaf(draw: st.DrawFn) -> Leaf:
    operator = draw(st.sampled_from(sorted(_OPERANDS)))
    operand = draw(_OPERANDS[operator])
    return Leaf(draw(_PATHS), operator, operand, OPERATORS[operator].operand(operand), 1, 1)


_CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    _leaf(),
    lambda inner: (
        inner.map(lambda part: Not(part, 1, 1)) | st.lists(inner, max_size=3).map(lambda p: All(tuple(p), 1, 1))
    ),
    max_leaves=6,
)


@given(_CONDITIONS)
def test_no_change_leaves_a_condition_as_it_was(condition: Condition) -> None:
    rule = one_rule().rules[0]
    changed: list[Mutant] = list(mutants(_with(rule, condition)))
    assert all(mutant.rule.when != condition or len(mutant.rule.steps) < len(rule.steps) for mutant in changed)


@given(_leaf())
def test_every_other_operand_is_another_question(leaf: Leaf) -> None:
    for other, change, wanted in leaf_changes(leaf):
        assert other != leaf
        assert change
        assert wanted


def _with(rule: Any, condition: Condition) -> Any:
    return structs.replace(rule, when=condition)


@pytest.mark.parametrize(
    ("condition", "between"),
    [
        ("gte: 1000", "between 900 and 1000"),
        ("lte: 1000", "between 1000 and 1100"),
        ("gt: -10", "between -10 and -9"),
        ("lt: 2026-02-01", "between 2026-01-31 and 2026-02-01"),
        ("older_than: 1h", "between 30m and 1h before `now`"),
        ("older_than: 1h", "between 1h and 2h before `now`"),
        ("between: [100, 200]", "between 90 and 100"),
        ("between: [100, 200]", "between 200 and 220"),
    ],
)
def test_the_lesser_end_is_named_first(condition: str, between: str) -> None:
    wanted = [mutant.wanted for mutant in mutants(one_rule(f"{{ deal.x: {{ {condition} }} }}").rules[0])]
    assert f"a case in which `deal.x` lies {between}" in wanted


@pytest.mark.parametrize(
    ("when", "part", "wanted"),
    [
        ("{ any: [{ deal.a: 1 }, { deal.b: 1 }] }", "`deal.a` eq 1", "only this alternative holds, and the rule fires"),
        ("{ any: [{ not: { deal.a: 1 } }, { deal.b: 1 }] }", "`not` `deal.a` eq 1", "and the rule fires"),
        ("{ not: { any: [{ deal.a: 1 }, { deal.b: 1 }] } }", "`not` `deal.a` eq 1", "and the rule stays silent"),
        ("{ any: [{ deal.a: 1, deal.c: 1 }, { deal.b: 1 }] }", "`all` as a whole", "and the rule fires"),
        ("{ any: [{ deal.a: 1, deal.c: 1 }, { deal.b: 1 }] }", "`deal.c` eq 1", "it alone decides"),
        ("{ any: [{ deal.a: 1 }, { deal.b: 1 }], deal.c: 1 }", "`any` as a whole", "it alone decides"),
    ],
)
def test_an_alternative_wants_a_case_in_which_only_it_holds(when: str, part: str, wanted: str) -> None:
    (found,) = (m for m in mutants(one_rule(when).rules[0]) if (m.part, m.change) == (part, "left out"))
    assert found.wanted.endswith(wanted)


def test_coverage_counts_only_cases_that_could_fire_the_rule() -> None:
    rules = one_rule("{ deal.status: won }")
    seen = cover(
        rules.rules[0],
        cases_of(
            rules,
            "deal.status: won, expect: r",
            "deal.status: lost, expect: nothing",
            "event: deal.created, source: pipedrive, expect: nothing",
        ),
        ACTIONS,
    )
    assert (seen.fires, seen.silent, seen.complete) == (1, 1, True)
    always = one_rule()
    assert cover(always.rules[0], cases_of(always, "expect: r"), ACTIONS).complete
    assert not cover(always.rules[0], [], ACTIONS).complete
