"""Patterns that could run for ages are refused; the usual ones are not."""

import pytest

from service.engine.pattern import InvalidPatternError, RiskyPatternError, compile_pattern


@pytest.mark.parametrize(
    "text",
    [
        "^[^@]+@[^@]+\\.[a-z]{2,63}$",
        "^\\+1",
        "(?i)customer|lead",
        "(?:ab|cd)?e",
        "(\\d{3})+",
        "a{2000}",
        "(\\w+) (\\w+)",
        "x{0,5}(y?){3}",
        "^\\S+@\\S+\\.\\S+$",
        "\\+?1?[ -]?\\(?\\d{3}\\)?[ -]?\\d{3}[ -]?\\d{4}",
        "(?:\\d{1,3}\\.){3}\\d{1,3}",
        "",
    ],
)
def test_usual_patterns_pass(text: str) -> None:
    assert compile_pattern(text).pattern == text


@pytest.mark.parametrize(
    "text",
    [
        "(a+)+",
        "(a*)*b",
        "(a|ab)*",
        "(a?){50}",
        "((a{1,3}))+",
        "(?:(?=a*)b)+",
        "(x+){0,50}",
        "a*b*c*",
        "^a*b*c*d*",
        "a?" * 20 + "b",
        "(?:a{0,5}){9}",
        "(?:aa|bb)" * 14,
        "(?>(a+)+)",
        "(?P<n>(a+)+)",
    ],
)
def test_risky_patterns_are_refused(text: str) -> None:
    with pytest.raises(RiskyPatternError):
        compile_pattern(text)


@pytest.mark.parametrize("text", ["(", "[", "*a", "a{99999999999999}", "(" * 300 + ")" * 300, "x" * 501, "[[a]", "\\q"])
def test_what_python_does_not_understand_is_refused(text: str) -> None:
    with pytest.raises(InvalidPatternError):
        compile_pattern(text)
