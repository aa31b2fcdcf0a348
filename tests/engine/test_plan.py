"""Plans and explanations: the index forgets no rule, and both tell the same story."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.engine import RuleSet, explain, load, plan
from service.engine.condition import evaluate
from service.engine.index import build_index, candidates
from service.engine.rule import Rule
from service.engine.scope import EventScope
from service.engine.yaml_scalars import plain_scalar
from service.model import Event, Plan, Run
from tests.engine.examples import ACTIONS, NOW, event, rule, rules_of

SEND = "[{ do: upsert_contact, with: { mobile: '${contact.phone}', tags: ['${occurred_at}'] } }]"


def test_a_matching_rule_becomes_a_run() -> None:
    rule_set = rules_of(rule("{ contact.phone: { exists: true } }", SEND, expires="1h"))
    seen = event({"contact.phone": "+15550100000", "contact.name": "unused"})
    decided = plan(rule_set, seen, NOW)
    assert decided == Plan(
        event=seen,
        ruleset=rule_set.version,
        runs=(
            Run(
                key=f"{seen.fact_key}/one",
                rule="one",
                ruleset=rule_set.version,
                lane="hubspot/62515/contact/123",
                occurred_at=seen.occurred_at,
                planned_at=NOW,
                expires_at=NOW + 3_600_000,
                values={"contact.phone": "+15550100000", "occurred_at": seen.occurred_at},
            ),
        ),
    )


def test_a_run_carries_what_the_conditions_of_its_steps_ask_for() -> None:
    then = (
        "[{ do: upsert_contact, if: { contact.a: 1, not: { contact.none: 2 }, source: hubspot }, with: { mobile: x } }]"
    )
    (run,) = plan(rules_of(rule(then=then)), event({"contact.a": 1}), NOW).runs
    assert run.values == {"contact.a": 1, "source": "hubspot"}


def test_modes() -> None:
    seen = event({"contact.phone": "1"})
    assert plan(rules_of(rule(then=SEND, mode="shadow")), seen, NOW).shadowed == ("one",)
    assert plan(rules_of(rule(then=SEND, mode="off")), seen, NOW) == Plan(
        event=seen, ruleset=rules_of(rule(then=SEND, mode="off")).version
    )


def test_a_value_that_a_step_cannot_do_without_fails_the_plan() -> None:
    (failure,) = plan(rules_of(rule(then=SEND)), event({"contact.name": "x"}), NOW).failures
    assert (failure.rule, failure.reason) == ("one", "missing_value")
    assert failure.message == "rule one, step 1 (upsert_contact): the event carries no contact.phone"


@pytest.mark.parametrize(
    "step",
    [
        "{ do: upsert_contact, if: { contact.phone: { exists: true } }, with: { mobile: '${contact.phone}' } }",
        "{ do: upsert_contact, with: { mobile: '${contact.phone | default(x)}' } }",
    ],
)
def test_a_value_that_may_be_missing_does_not(step: str) -> None:
    assert len(plan(rules_of(rule(then=f"[{step}]")), event(), NOW).runs) == 1


def test_runs_stand_in_the_order_of_files_and_rules() -> None:
    files = {
        "b.yaml": (rule(id="a") + rule("{ contact.x: 1 }", id="z").partition("rules:\n")[2]).encode(),
        "a.yaml": rule("{ source: hubspot }", id="k").encode(),
    }
    runs = plan(load(files, ACTIONS).rule_set, event({"contact.x": "1"}), NOW).runs
    assert [run.rule for run in runs] == ["k", "a", "z"]


def broken(rule_set: RuleSet) -> RuleSet:
    """The same rules, the first of which raises when it is asked."""
    first = msgspec.structs.replace(rule_set.rules[0], when=msgspec.structs.replace(rule_set.rules[0].when, test=None))
    rules = (first, *rule_set.rules[1:])
    return msgspec.structs.replace(rule_set, rules=rules, index=build_index(rules))


def test_a_rule_that_raises_costs_the_others_nothing() -> None:
    two = rule(id="two").partition("rules:\n")[2]
    rule_set = broken(rules_of(rule("{ contact.x: { contains: secret } }") + two))
    decided = plan(rule_set, event({"contact.x": "text"}), NOW)
    assert [run.rule for run in decided.runs] == ["two"]
    assert [(failure.reason, failure.message) for failure in decided.failures] == [
        ("rule_error", "rule one: TypeError")
    ]
    verdict = explain(rule_set, event({"contact.x": "text"}), NOW)[0]
    assert (verdict.matched, verdict.stopped_by, verdict.failure) == (False, "error", decided.failures[0])


def test_an_explanation_names_every_question_and_the_one_that_stopped_the_rule() -> None:
    rule_set = rules_of(
        rule("{ source: hubspot, any: [{ contact.a: 1 }, { contact.b: [2, 3] }], not: { origin: import } }")
    )
    (verdict,) = explain(rule_set, event({"contact.a": 5}), NOW)
    assert msgspec.json.decode(msgspec.json.encode(verdict.conditions)) == {
        "type": "group",
        "combines": "all",
        "verdict": None,
        "line": 5,
        "parts": [
            {"type": "leaf", "path": "source", "operator": "eq", "expected": "hubspot", "actual": "hubspot",
             "verdict": True, "line": 5},
            {"type": "group", "combines": "any", "verdict": None, "line": 5, "parts": [
                {"type": "leaf", "path": "contact.a", "operator": "eq", "expected": 1, "actual": 5, "verdict": False,
                 "line": 5},
                {"type": "leaf", "path": "contact.b", "operator": "in", "expected": [2, 3], "verdict": None, "line": 5},
            ]},
            {"type": "group", "combines": "not", "verdict": True, "line": 5, "parts": [
                {"type": "leaf", "path": "origin", "operator": "eq", "expected": "import", "actual": "user",
                 "verdict": False, "line": 5},
            ]},
        ],
    }  # fmt: skip
    assert isinstance(verdict.stopped_by, tuple)
    assert [leaf.path for leaf in verdict.stopped_by] == ["contact.a", "contact.b"]


@pytest.mark.parametrize(
    ("when", "named"),
    [
        ("{ contact.a: 2, contact.b: 1 }", "a 2"),
        ("{ contact.none: 1, contact.a: 2 }", "a 2"),
        ("{ any: [{ contact.a: 2 }, { contact.a: 3 }] }", "a 2, a 3"),
        ("{ any: [{ contact.a: 1, contact.b: 3 }, { contact.a: 2, contact.b: 4 }] }", "b 3, a 2"),
        (
            "{ contact.b: 2, any: [{ contact.none: 3 }, { any: [{ contact.a: 4 }, { contact.b: 5 }] }] }",
            "none 3, a 4, b 5",
        ),
        ("{ contact.b: 1, any: [{ contact.a: 2 }, { contact.a: 3 }] }", "b 1"),
        ("{ not: { contact.a: 1, contact.b: 2 } }", "a 1, b 2"),
        ("{ not: [{ contact.a: 7 }, { contact.b: 2 }] }", "b 2"),
        ("{ not: [{ contact.a: 1 }, { contact.b: 2 }] }", "a 1"),
        ("{ not: { not: { contact.b: 7 } } }", "b 7"),
        ("{ not: { not: { any: [{ contact.a: 7 }, { contact.b: 7 }] } } }", "a 7, b 7"),
    ],
)
def test_the_questions_that_decided_are_the_first_or_all_of_which_one_would_have_done(when: str, named: str) -> None:
    (verdict,) = explain(rules_of(rule(when)), event({"contact.a": 1, "contact.b": 2}), NOW)
    assert isinstance(verdict.stopped_by, tuple)
    assert ", ".join(f"{leaf.path.partition('.')[2]} {leaf.expected}" for leaf in verdict.stopped_by) == named


def test_a_rule_for_other_events_says_so() -> None:
    (verdict,) = explain(rules_of(rule()), event(type="deal.updated"), NOW)
    assert (verdict.matched, verdict.stopped_by, verdict.conditions) == (False, "event type", None)


def test_an_event_meets_only_the_rules_that_can_match() -> None:
    rules = "".join(
        rule(f"{{ source: hubspot, contact.lifecyclestage: {{ changed_to: s{n} }} }}", id=f"r{n}").partition(
            "rules:\n"
        )[2]
        for n in range(200)
    )
    rule_set = rules_of("version: 1\nrules:\n" + rules)
    stage = {"contact.lifecyclestage": "s7"}
    assert candidates(rule_set.index, EventScope(event(stage))) == [7]
    assert candidates(rule_set.index, EventScope(event({"contact.lifecyclestage": "x"}))) == []
    assert candidates(rule_set.index, EventScope(event({f"contact.p{n}": n for n in range(300)} | stage))) == [7]
    assert candidates(rule_set.index, EventScope(event(type="deal.created"))) == []


@pytest.mark.parametrize(
    "question", ["{ changed_to: customer }", "customer", "[customer, lead]", "{ starts_with: c }", "{ changed: true }"]
)
@pytest.mark.parametrize("common", ["source: hubspot", "type: contact.updated"])
def test_the_only_rule_for_a_crm_is_not_asked_for_every_event_of_it(common: str, question: str) -> None:
    index = rules_of(rule(f"{{ {common}, contact.lifecyclestage: {question} }}")).index
    assert candidates(index, EventScope(event({"contact.lifecyclestage": "customer"}))) == [0]
    assert candidates(index, EventScope(event({"contact.other": "customer"}))) == []


def test_the_id_that_every_event_has_tells_less_than_the_crm() -> None:
    index = rules_of(rule("{ source: hubspot, contact.id: { exists: true }, origin: { ne: import } }")).index
    assert candidates(index, EventScope(event({"contact.id": "7"}))) == [0]
    assert candidates(index, EventScope(event({"contact.id": "7"}, source="pipedrive"))) == []


def test_a_rule_that_asks_only_for_its_crm_is_filed_under_that() -> None:
    index = rules_of(rule("{ source: hubspot }")).index
    assert candidates(index, EventScope(event())) == [0]
    assert candidates(index, EventScope(event(source="pipedrive"))) == []


def test_more_paths_in_the_index_than_in_the_event() -> None:
    rules = "".join(rule(f"{{ contact.p{n}: [1, 2] }}", id=f"r{n}").partition("rules:\n")[2] for n in range(50))
    rule_set = rules_of("version: 1\nrules:\n" + rules)
    assert candidates(rule_set.index, EventScope(event({"contact.p3": 2, "contact.p4": 3, "contact.p5": [1]}))) == [3]


def test_a_rule_that_asks_for_a_fact_which_the_event_lacks_is_not_met() -> None:
    rule_set = rules_of(rule("{ actor: jo }"))
    assert candidates(rule_set.index, EventScope(event(actor="jo"))) == [0]
    assert candidates(rule_set.index, EventScope(event(actor=""))) == []


def test_rules_that_only_ask_what_changed_are_found_by_what_the_event_speaks_of() -> None:
    asked = ("{ origin: { ne: import }, contact.p%d: { changed: true } }", "{ contact.q%d: { changed_from: 1 } }")
    whens = [when % n for n in range(50) for when in asked]
    blocks = [rule(when, id=f"r{n}").partition("rules:\n")[2] for n, when in enumerate(whens)]
    absent = rule("{ contact.z: { exists: false } }", id="absent").partition("rules:\n")[2]
    index = rules_of("version: 1\nrules:\n" + "".join(blocks) + absent).index
    assert candidates(index, EventScope(event())) == [100]
    assert candidates(index, EventScope(event({"contact.p3": 1}))) == [6, 100]
    assert candidates(index, EventScope(event(changed=("contact.p4",)))) == [8, 100]
    assert candidates(index, EventScope(event(before={"contact.q5": 1}))) == [11, 100]


# Any event x any rules: small alphabets, so that conditions meet values often enough.
PATHS = ["contact.a", "contact.b", "hubspot.c", "account", "actor"]
VALUE = st.sampled_from(["x", "hubspot", "import", "5", 5, 5.0, True, None, "", ["x"], {"k": 1}, "2026-01-31"])
OPERAND = st.sampled_from(["x", "hubspot", "import", "5", "true", "null", "''"])
LIST = st.lists(OPERAND, min_size=1, max_size=3).map(lambda items: f"[{', '.join(items)}]")
QUESTION = st.one_of(
    OPERAND.filter(lambda text: text != "null"),
    LIST,
    st.tuples(st.sampled_from(["eq", "ne", "changed_to", "changed_from"]), OPERAND).map(
        lambda pair: f"{{ {pair[0]}: {pair[1]} }}"
    ),
    st.tuples(st.sampled_from(["in", "not_in", "changed_to"]), LIST).map(lambda pair: f"{{ {pair[0]}: {pair[1]} }}"),
    st.sampled_from(
        ["{ exists: false }", "{ exists: true, ne: x }", "{ contains: x }", "{ gt: 4 }", "{ matches: '^x' }",
         "{ changed: true }", "{ newer_than: 1d }", "{ between: [1, 9] }"]
    ),
)  # fmt: skip
QUESTIONS = st.dictionaries(st.sampled_from(PATHS), QUESTION, min_size=1, max_size=3).map(
    lambda questions: "{ " + ", ".join(f"{path}: {question}" for path, question in questions.items()) + " }"
)
CLOSED = st.sampled_from(
    ["{ origin: user }", "{ origin: [import, app] }", "{ origin: { ne: import } }", "{ source: { in: [hubspot] } }",
     "{ source: { not_in: [pipedrive] }, origin: { contains: use } }", "{ source: pipedrive }"]
)  # fmt: skip
WHEN = st.recursive(
    QUESTIONS | CLOSED,
    lambda inner: st.tuples(st.sampled_from(["all", "any", "not"]), st.lists(inner, min_size=1, max_size=3)).map(
        lambda pair: f"{{ source: hubspot, {pair[0]}: [{', '.join(pair[1])}] }}"
    ),
    max_leaves=5,
)
RULES = st.lists(
    st.tuples(
        WHEN,
        st.sampled_from(["live", "shadow", "off"]),
        st.sampled_from(["contact.updated", "[contact.updated, contact.created]"]),
    ),
    min_size=1,
    max_size=6,
)
EVENTS = st.builds(
    event,
    st.dictionaries(st.sampled_from([*PATHS[:3], "contact.phone"]), VALUE),
    type=st.sampled_from(["contact.updated", "contact.updated", "contact.created", "deal.updated"]),
    changed=st.sets(st.sampled_from(PATHS[:2])).map(tuple),
    before=st.dictionaries(st.sampled_from(PATHS[:2]), VALUE),
    origin=st.sampled_from(["user", "import"]),
    actor=st.sampled_from(["", "x"]),
)


def naive(rule_set: RuleSet, seen: Event) -> list[Rule]:
    """Every rule asked, without an index."""
    return [
        one for one in rule_set.rules if seen.type in one.events and evaluate(one.when, EventScope(seen), NOW) is True
    ]


@pytest.mark.no_cover
@settings(max_examples=300)
@given(RULES, EVENTS)
def test_plan_agrees_with_asking_every_rule_and_with_its_explanation(rules: list[Any], seen: Event) -> None:
    blocks = [
        rule(when, SEND, id=f"r{n}", mode=mode, event=types).partition("rules:\n")[2]
        for n, (when, mode, types) in enumerate(rules)
    ]
    rule_set = rules_of("version: 1\nrules:\n" + "".join(blocks))
    decided = plan(rule_set, seen, NOW)
    matching = naive(rule_set, seen)

    assert set(decided.shadowed) == {one.id for one in matching if one.mode == "shadow"}
    live = {run.rule for run in decided.runs} | {failure.rule for failure in decided.failures}
    assert live == {one.id for one in matching if one.mode == "live"}
    assert all(failure.reason == "missing_value" for failure in decided.failures)

    verdicts = explain(rule_set, seen, NOW)
    assert [verdict.rule for verdict in verdicts] == [one.id for one in rule_set.rules]
    assert {verdict.rule for verdict in verdicts if verdict.matched} == {one.id for one in matching}
    assert tuple(verdict.failure for verdict in verdicts if verdict.failure) == decided.failures
    assert all((verdict.stopped_by is None) == verdict.matched for verdict in verdicts)


WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.no_cover
@given(WHEN, st.dictionaries(st.sampled_from(PATHS[:3]) | st.text(), WILD), st.text(), st.integers())
def test_plan_never_raises(when: str, values: dict[str, Any], kind: str, now_ms: int) -> None:
    rule_set = rules_of(rule(when, SEND, event="[contact.updated, contact.created]"))
    for event_type in ("contact.updated", "contact.created", kind):
        decided = plan(rule_set, event(values, type=event_type, changed=tuple(values)), now_ms)
        assert all(failure.reason == "missing_value" for failure in decided.failures)


@given(st.text(alphabet="0123456789+-.eE truefalsn", max_size=8))
def test_what_the_file_says_is_found_by_the_index(text: str) -> None:
    value = plain_scalar(text.strip() or "x")
    if value is None:
        return
    rule_set = rules_of(rule(f"{{ contact.a: {msgspec.json.encode(value).decode()} }}"))
    assert len(plan(rule_set, event({"contact.a": value}), NOW).runs) == 1
