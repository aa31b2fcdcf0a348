"""What `sluice dev` tells of the rules while somebody edits them."""

from typing import Any

from msgspec.structs import replace
from rich.text import Text

from service.dev.rule_watch import lines
from service.ingress.http import Readiness

GOOD = Readiness(ready=True, problems=[], ruleset="aaaa", rules=2, redis=True, spilled=0)
MISTAKE = "r.yaml:3:5: error R202: unknown key `evnt`\n    3 |     evnt: x\n      |     ^"
HELD = "r.yaml is broken: its last good version stays in force"


def said(before: Readiness, **now: Any) -> list[str]:
    return [Text.from_markup(line).plain for line in lines(before, replace(before, **now))]


def test_nothing_is_said_while_nothing_changes() -> None:
    assert said(GOOD, spilled=3) == []
    assert said(replace(GOOD, problems=[MISTAKE])) == []


def test_a_change_names_the_rule_set_that_is_live() -> None:
    assert said(GOOD, ruleset="bbbb", rules=1) == ["● the rules have changed: rule set bbbb is live, 1 rule"]


def test_a_mistake_is_told_with_its_place_and_what_stays_live() -> None:
    assert said(GOOD, problems=[HELD, MISTAKE]) == [
        f"✗ {HELD}",
        "✗ r.yaml:3:5: error R202: unknown key `evnt`\n      3 |     evnt: x\n        |     ^",
        "  rule set aaaa is live, 2 rules as before",
    ]


def test_of_several_mistakes_only_the_new_one_is_told_again() -> None:
    assert said(replace(GOOD, problems=[HELD]), problems=[HELD, "other"]) == [
        "✗ other",
        "  rule set aaaa is live, 2 rules as before",
    ]


def test_a_mistake_that_was_mended_is_told() -> None:
    broken = replace(GOOD, problems=[HELD, MISTAKE])
    assert said(broken, problems=[]) == ["● the rules are good again: rule set aaaa is live, 2 rules"]
    assert said(broken, problems=[MISTAKE]) == ["● 1 problem left: rule set aaaa is live, 2 rules"]


def test_a_warning_looks_like_one() -> None:
    (told, _) = said(GOOD, problems=["r.yaml:3:5: warning R315: it can never hold"], ruleset="bbbb")
    assert told == "! r.yaml:3:5: warning R315: it can never hold"


def test_what_a_rule_file_holds_cannot_control_the_terminal() -> None:
    (told, _) = said(GOOD, problems=["[red]x\x1b[2J"])
    assert told == "✗ [red]x\N{REPLACEMENT CHARACTER}[2J"
