"""Cases are judged by what the rules decide and call; what differs is told by its path, and nothing else is."""

import pytest

from service.actions import ACTIONS
from service.engine import judge_all, load, read_cases
from tests.engine.suites import CALL, cases_of, differences, one_rule, rules_of

WON = one_rule("{ source: pipedrive, deal.status: { changed_to: won }, not: { origin: import } }")
MADE = 'upsert_contact: { contact: { mobile: { number: "+15550100000" } } }'
DRIP = rules_of(
    """\
version: 1
rules:
  - id: r
    event: deal.updated
    then:
      - { do: fetch_executions, as: drip, with: { campaign: c, contact: { pipedrive: "${deal.id}" } } }
      - do: update_attributes
        if: { drip.found: true }
        with: { type: deals, contact: { pipedrive: { id: "${deal.id}" }, attributes: { was: "${drip.latest.status}" } } }
"""
)
FETCH = 'fetch_executions: { campaign: c, contact: { pipedrive: "1" } }'
FOUND = "results: { drip: { found: true, latest: { status: active } } }"


@pytest.mark.parametrize("path", ["deal.a", "deal.b"])
def test_each_alternative_of_an_any_is_a_cause(path: str) -> None:
    rules = one_rule("{ deal.c: 1, any: [{ deal.a: 1 }, { deal.b: 1 }] }")
    assert not differences(rules, f"deal.a: 0, deal.b: 0, deal.c: 1, not: r, because: {path}")
    assert differences(rules, f"deal.a: 0, deal.b: 0, deal.c: 0, not: r, because: {path}")


@pytest.mark.parametrize(
    "body",
    [
        "deal.status: won, expect: r",
        "deal.status: won, expect: { r: fires }",
        f"deal.status: won, expect: {{ r: [{MADE}] }}",
        "deal.status: lost, expect: nothing",
        "deal.status: lost, not: r, because: deal.status",
        "deal.status: won, origin: import, not: r, because: origin",
        "event: deal.created, source: pipedrive, deal.status: won, not: r, because: event",
        "deal.status: won, deal.phone: '', expect: { r: [{ upsert_contact: { fails: no_mobile } }] }",
    ],
)
def test_what_happens_as_expected_passes(body: str) -> None:
    body = body if "deal.phone" not in body else f"event: deal.updated, source: pipedrive, {body}"
    assert differences(WON, body) == []


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("deal.status: lost, expect: r", ("", "fires", "stays silent")),
        ("deal.status: won, expect: nothing", ("", "stays silent", "fires")),
        ("deal.status: won, not: r, because: origin", ("", "stays silent", "fires")),
        (
            "deal.status: lost, not: r, because: origin",
            ("because", "origin, and nothing else", "something else stops it"),
        ),
        (
            "deal.status: lost, origin: import, not: r, because: origin",
            ("because", "origin, and nothing else", "something else stops it"),
        ),
        ("deal.status: lost, not: r, because: event", ("because", "event", "it takes such events")),
        (
            "event: deal.created, source: pipedrive, not: r, because: deal.status",
            ("because", "deal.status", "it does not take `deal.created`"),
        ),
        (
            "event: deal.updated, source: pipedrive, deal.status: won, expect: r, deal.title: x",
            None,
        ),
        (
            "deal.status: won, expect: { r: [upsert_contact: { contact: { mobile: { number: '+1' } } } ] }",
            ("call 1 upsert_contact: contact.mobile.number", '"+1"', '"+15550100000"'),
        ),
        (
            "deal.status: won, expect: { r: [upsert_contact: { fails: no_mobile }] }",
            ("call 1 upsert_contact", "fails: no_mobile", "is made"),
        ),
        ("deal.status: won, expect: { r: { fails: missing_value } }", ("its plan", "fails: missing_value", "succeeds")),
    ],
)
def test_what_differs_is_told(body: str, found: tuple[str, str, str] | None) -> None:
    if found is None:  # fires, but has no phone number to call
        actual = "fails: missing_value; rule r, step 1 (upsert_contact): the event carries no deal.phone"
        assert differences(WON, body) == [("its plan", "succeeds", actual)]
    else:
        assert differences(WON, body) == [found]


def test_a_missing_and_an_unexpected_argument_are_both_told() -> None:
    wanted = "{ contact: { mobile: { number: '+15550100000' }, firstName: Ada }, merge_strategy: core }"
    assert differences(WON, f"deal.status: won, expect: {{ r: [upsert_contact: {wanted}] }}") == [
        ("call 1 upsert_contact: contact.firstName", '"Ada"', "(nothing)"),
        ("call 1 upsert_contact: merge_strategy", '"core"', '"append"'),
    ]


def test_steps_go_on_with_the_mocked_results() -> None:
    update = "update_attributes: { type: deals, contact: { pipedrive: { id: '1' }, attributes: { was: active } } }"
    assert differences(DRIP, f"{FOUND}, expect: {{ r: [{FETCH}, {update}] }}") == []
    assert differences(DRIP, f"results: {{ drip: {{ found: false }} }}, expect: {{ r: [{FETCH}] }}") == []
    assert differences(DRIP, f"{FOUND}, expect: {{ r: [{FETCH}] }}") == [
        ("calls", "fetch_executions", "fetch_executions, update_attributes")
    ]


def test_a_step_that_fails_ends_the_run() -> None:
    steps = '{ do: fetch_executions, as: drip, with: { campaign: c, contact: { pipedrive: "${deal.id}" } } }'
    rules = one_rule(then=f"{steps}, {CALL}")
    assert differences(rules, f"results: {{ drip: {{ fails: timeout }} }}, expect: {{ r: [{FETCH}] }}") == []
    assert differences(rules, f"results: {{ drip: {{ found: true }} }}, expect: {{ r: [{FETCH}, {MADE}] }}") == []


def test_a_result_that_later_steps_use_must_be_given() -> None:
    ((path, _, actual),) = differences(DRIP, "expect: r")
    assert (path, actual) == ("results.drip", "(nothing)")


def test_the_text_of_a_number_is_not_the_number() -> None:
    rules = one_rule(
        then="{ do: update_attributes, with: { type: deals, contact: { email: x, attributes: { v: '${deal.v}' } } } }"
    )
    wanted = "expect: {{ r: [update_attributes: {{ type: deals, contact: {{ email: x, attributes: {{ v: {} }} }} }}] }}"
    assert differences(rules, f"deal.v: 5, {wanted.format(5)}") == []
    assert differences(rules, "deal.v: 5, " + wanted.format("'5'")) == [
        ("call 1 update_attributes: contact.attributes.v", '"5"', "5")
    ]


def test_a_rule_is_tried_as_if_it_were_live_and_only_what_is_off_may_fire_unasked() -> None:
    for mode, unasked in (("shadow", 1), ("off", 0)):
        rules = rules_of(
            f"version: 1\nrules:\n  - id: r\n    mode: {mode}\n    event: deal.updated\n"
            "    then: [{ do: upsert_contact, with: { contact: { mobile: { number: '${deal.phone}' } } } }]\n"
        )
        assert differences(rules, f"expect: {{ r: [{MADE}] }}") == []
        assert len(differences(rules, "expect: nothing")) == unasked


def test_rules_of_other_files_may_fire_unasked_if_there_is_a_file_beside() -> None:
    text = (
        "version: 1\nrules:\n  - id: {0}\n    event: deal.updated\n    then: [{{ do: upsert_contact, with: {{ contact: "
        "{{ mobile: {{ number: '+15550100000' }} }} }} }}]\n"
    )
    files = {f"{name}.yaml": text.format(name).encode() for name in ("a", "b")}
    rules = load(files, ACTIONS).rule_set
    case = "version: 1\ncases:\n  - { name: n, event: deal.updated, source: pipedrive, expect: a }\n"

    def unasked(file: str) -> list[str]:
        (read,) = read_cases({file: case.encode()}, rules, ACTIONS, lambda *_: ()).cases
        return [each.rule for each in judge_all(read, rules, ACTIONS)]

    assert unasked("a.test.yaml") == []
    assert unasked("all.test.yaml") == ["b"]


def test_a_condition_stops_alone_even_if_it_asks_twice() -> None:
    rules = one_rule("{ deal.value: { gte: 10, lt: 20 } }")
    assert differences(rules, "deal.value: 5, not: r, because: deal.value") == []
    assert cases_of(rules, "deal.value: 15, expect: r")
