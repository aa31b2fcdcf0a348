"""Small parts of the pages: how values are drawn, and how a question reads."""

import re
from typing import Any

import pytest

from service.console import charts, words
from service.engine.explain import LeafVerdict


def test_a_minute_without_a_value_interrupts_a_line_and_one_between_two_such_is_a_dot() -> None:
    drawn = charts.line([4, 2, None, 1, None], "waiting")
    assert len(re.findall("<polyline", drawn)) == 1
    assert len(re.findall("<circle", drawn)) == 1
    (points,) = re.findall(r'points="([^"]*)"', drawn)
    assert len(points.split()) == 2


@pytest.mark.parametrize(
    ("operator", "expected", "read"),
    [
        ("exists", True, "contact.stage is there"),
        ("changed", False, "contact.stage not changed"),
        ("starts_with", "cust", "contact.stage starts with cust"),
    ],
)
def test_a_question_reads_as_one(operator: str, expected: Any, read: str) -> None:
    assert words.question(LeafVerdict("contact.stage", operator, expected, True, 1)) == read
