"""`sluice rules backtest`: the difference that other rules would have made."""

import json
import subprocess
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cli.conftest import Stage, a_rule, an_event


def backtested(stage: Stage, *options: str) -> dict[str, Any]:
    told = stage.run("rules", "backtest", "--json", *options)
    assert told.exit_code in (0, 1), told.output
    found: dict[str, Any] = json.loads(told.output)
    return found


def test_the_live_rules_against_their_own_journal_make_no_difference(stage: Stage) -> None:
    recent = a_rule("recent").replace("contact.stage: customer", "occurred_at: { newer_than: 30d }")
    needs = a_rule("needs").replace("contact.id}", "contact.none}")
    rule_set = stage.rules(a_rule(), a_rule("two", mode="shadow"), a_rule("three", mode="off"), recent, needs)
    now = 1_790_000_000_000
    stages = ("customer", "lead", "x", "customer")
    stage.accept(rule_set, *(an_event(f"f{n}", stage=s, at=now - n) for n, s in enumerate(stages)), at=now)
    told = stage.run("rules", "backtest")
    assert (told.exit_code, told.output) == (
        0,
        f"4 events, decided again under rules (rule set {rule_set.version}).\nNo difference: 6 runs, the same as then.\n",
    )


def test_more_and_fewer_are_counted_with_their_objects_and_examples(stage: Stage) -> None:
    rule_set = stage.rules(a_rule("gone"), a_rule("kept"))
    events = [
        an_event(f"f{n}", object_id=str(n % 2), stage=s) for n, s in enumerate(["customer", "lead", "lead", "lead"])
    ]
    ids = stage.accept(rule_set, *events)
    stage.rules(a_rule("kept"), a_rule("new", stage="lead"), folder="other")

    told = stage.run("rules", "backtest", "--against", "other", "--most", "1")
    assert told.exit_code == 1
    assert f"{ids[1]}  hubspot/1/contact/1  new: nothing → a run" in told.output
    found = backtested(stage, "--against", "other", "--most", "1")["rules"]
    assert (found["new"]["more"], found["new"]["objects"], len(found["new"]["examples"])) == (3, 2, 1)
    assert (found["gone"]["fewer"], found["gone"]["more"]) == (1, 0)
    assert (found["kept"]["same"], found["kept"]["examples"]) == (1, [])


def test_steps_that_were_edited_are_a_difference_where_they_call_something_else(stage: Stage) -> None:
    rule_set = stage.rules(a_rule(seen="${contact.stage}"))
    stage.accept(rule_set, an_event("a"))
    stage.rules(a_rule(seen="customer"), folder="same")
    stage.rules(a_rule(seen="other"), folder="other")
    assert backtested(stage, "--against", "same")["rules"]["one"]["differently"] == 0
    assert backtested(stage, "--against", "other")["rules"]["one"]["differently"] == 1
    assert "one: other calls" in stage.run("rules", "backtest", "--against", "other").output


def test_where_the_old_steps_are_forgotten_it_is_said_so(stage: Stage) -> None:
    stage.accept(stage.rules(a_rule()), an_event())
    stage.forget_rule_sets()
    stage.rules(a_rule(seen="other"))
    told = stage.run("rules", "backtest")
    assert told.exit_code == 0
    assert "For 1 run the rule set of their day is not kept any more" in told.output


def test_a_rule_that_goes_live_is_more_and_one_in_shadow_is_otherwise(stage: Stage) -> None:
    stage.accept(stage.rules(a_rule(mode="shadow")), an_event())
    stage.rules(a_rule(), a_rule("two", mode="shadow"), folder="other")
    found = backtested(stage, "--against", "other")["rules"]
    assert (found["one"]["more"], found["two"]["more"], found["two"]["others"]) == (1, 0, 1)


def test_only_the_span_of_time_is_looked_at(stage: Stage) -> None:
    stage.accept(stage.rules(a_rule()), an_event())
    assert backtested(stage)["events"] == 1
    assert backtested(stage, "--until", "1h")["events"] == 0
    assert stage.run("rules", "backtest", "--since", "yesterday").exit_code == 2


def test_a_git_reference_names_the_rules_of_its_day(stage: Stage) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True, capture_output=True)

    stage.rules(a_rule())
    (stage.folder / "rules" / "r.test.yaml").write_text("not a rule")
    (stage.folder / "rules" / ".hidden.yaml").write_text("not a rule")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    stage.accept(stage.rules(a_rule(stage="lead")), an_event(stage="lead"))
    assert backtested(stage)["rules"]["one"]["same"] == 1
    assert backtested(stage, "--against", "HEAD")["rules"]["one"]["fewer"] == 1

    unknown = stage.run("rules", "backtest", "--against", "nowhere")
    assert unknown.exit_code == 2
    assert "neither a folder nor a Git reference" in unknown.output
    assert stage.run("rules", "backtest", "--against=--output=x").exit_code == 2
    assert not (stage.folder / "x").exists()


def test_without_a_repository_it_is_said_so(stage: Stage) -> None:
    stage.rules(a_rule())
    told = stage.run("rules", "backtest", "--against", "HEAD")
    assert told.exit_code == 2
    assert "neither a folder nor a Git reference" in told.output


STAGES = st.lists(st.sampled_from(["customer", "lead", "x"]), max_size=6)
SETS = st.lists(
    st.tuples(
        st.sampled_from(["one", "two"]),
        st.sampled_from(["customer", "lead"]),
        st.sampled_from(["live", "shadow", "off"]),
    ),
    max_size=2,
    unique_by=lambda rule: rule[0],
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SETS, SETS, STAGES)
def test_the_difference_is_what_the_other_rules_decide_when_they_are_asked(
    stage: Stage, old: list[tuple[str, str, str]], new: list[tuple[str, str, str]], stages: list[str]
) -> None:
    stage.on(lambda store: store.redis.flushall())
    events = [an_event(f"f{n}", stage=s) for n, s in enumerate(stages)]
    rules = {name: {rule: (s, mode) for rule, s, mode in given} for name, given in (("rules", old), ("other", new))}
    for name in ("other", "rules"):
        rule_set = stage.rules(*(a_rule(rule, stage=s, mode=m) for rule, (s, m) in rules[name].items()), folder=name)
    stage.accept(rule_set, *events)
    found = backtested(stage, "--against", "other")["rules"]

    def fires(name: str, rule: str, value: str) -> bool:
        return rules[name].get(rule) == (value, "live")

    for rule in ("one", "two"):
        more = sum(fires("other", rule, s) and not fires("rules", rule, s) for s in stages)
        fewer = sum(fires("rules", rule, s) and not fires("other", rule, s) for s in stages)
        counted = found.get(rule, {"more": 0, "fewer": 0})
        assert (counted["more"], counted["fewer"]) == (more, fewer)
    assert stage.run("rules", "backtest").exit_code == 0
