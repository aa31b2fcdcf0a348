"""What we print as YAML is read back as it was."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cli.yaml_text import entry, scalar
from service.engine.problem import Report
from service.engine.yaml_nodes import read_yaml, to_plain

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
    | st.text()
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=12,
)


@given(_VALUES)
def test_every_value_comes_back(value: Any) -> None:
    text = "\n".join(entry("it", value, 0)) + "\n"
    report = Report("t", text)
    node = read_yaml(text.encode(), report)
    assert report.problems == []
    assert node is not None
    assert to_plain(node) == {"it": value}


@pytest.mark.parametrize("text", ["customer", "Ten licences", "contact.updated", "a+b", "(x)", "2 b"[2:]])
def test_plain_words_need_no_quotes(text: str) -> None:
    assert scalar(text) == text


@pytest.mark.parametrize("text", ["yes", "NO", "true", "5", "+1555", "", "a: b", "#x", "- x", "x ", "ada@example.com"])
def test_what_could_be_taken_for_something_else_is_quoted(text: str) -> None:
    assert scalar(text).startswith('"')
