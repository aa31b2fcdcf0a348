"""YAML as rule authors write it: YAML 1.2 scalars, and no file that can hurt the service."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.engine.problem import Problem, Report, render
from service.engine.yaml_nodes import MAX_BYTES, read_yaml, to_plain
from service.engine.yaml_scalars import plain_scalar


def read(raw: bytes | str) -> tuple[object, list[str]]:
    raw = raw.encode() if isinstance(raw, str) else raw
    report = Report("r.yaml", raw.decode(errors="replace"))
    node = read_yaml(raw, report)
    return (None if node is None else to_plain(node)), [problem.code for problem in report.problems]


@pytest.mark.parametrize(
    "text",
    [
        "NO", "no", "Yes", "on", "off", "y", "+15551234567", "0123", "-012", "12:30", "12:30:45", "2026-01-31",
        "2026-01-31T10:00:00Z", "1_000", ".inf", ".nan", "-x", ".", "1e", "1.", "0b1", "1.2.3", "6604b1d2f1a3",
        "1234567890123456789", "1e999", "=", "+1", "0xz",
    ],
)  # fmt: skip
def test_what_looks_odd_is_text(text: str) -> None:
    assert read(f"country: {text}") == ({"country": text}, [])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None), ("~", None), ("", None), ("true", True), ("False", False), ("0", 0), ("-7", -7), ("42", 42),
        ("0x1F", 31), ("0o17", 15), ("1.50", 1.5), ("-0.5", -0.5), (".5", 0.5), ("1e3", 1000.0), ("2.5E-1", 0.25),
        ("'5'", "5"), ('"true"', "true"), ('""', ""), ("'~'", "~"), ("|\n  5\n", "5\n"),
    ],
)  # fmt: skip
def test_null_booleans_and_numbers_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found, codes = read(f"key: {text}")
    assert codes == []
    assert found == {"key": value}
    assert type(found["key"]) is type(value)


def test_words_of_yaml_1_1_are_fine_as_keys() -> None:
    assert read("on: 1\nNO: 2") == ({"on": 1, "NO": 2}, [])


def test_anchors_and_aliases_repeat_a_value() -> None:
    assert read("a: &x { b: [1, 2] }\nc: *x\nd: *x") == (
        {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}, "d": {"b": [1, 2]}},
        [],
    )


def test_a_byte_order_mark_is_ignored() -> None:
    assert read(b"\xef\xbb\xbfa: 1") == ({"a": 1}, [])


@pytest.mark.parametrize("unit", ["[", "{", "- ", "? ", "{a: ", "[{"])
def test_a_megabyte_of_nesting_is_a_problem_and_no_crash(unit: str) -> None:
    found, codes = read(unit * (1_000_000 // len(unit)))
    assert found is None
    assert codes in (["R104"], ["R102"])


def test_nesting_through_aliases_counts_too() -> None:
    chain = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 60))
    assert read(chain)[1] == ["R104"]


def test_a_file_with_too_many_values_is_refused_while_it_is_read() -> None:
    assert read("[" + "1," * 500_000 + "]")[1] == ["R105"]


def test_a_file_over_two_mebibytes_is_not_read() -> None:
    assert read(b"#" * (MAX_BYTES + 1)) == (None, ["R109"])


def test_all_duplicate_keys_are_reported_at_once() -> None:
    assert read("a: 1\na: 2\nb: { c: 1, c: 2 }\n")[1] == ["R103", "R103"]


def test_syntax_errors_of_a_second_document_are_reported_too() -> None:
    assert read("a: 1\n--- \n[")[1] == ["R102"]


def test_lines_are_counted_as_libyaml_counts_them() -> None:
    report = Report("r.yaml", text := "a: '1\u2028'\r\nb: @x\n")
    read_yaml(text.encode(), report)
    assert report.problems[0].source_line == "b: @x"


@example(b"a: &a [*a]")
@example(b"\xff\xfea\x00")
@example("a: \U0001f600".encode("utf-16"))
@example(b"%YAML 9.9\n---\na")
@example(b"a: \x00")
@given(
    st.binary(max_size=200) | st.text(alphabet="ab:-[]{}&*!|>'\"#%@?, \n\t\x85\u2028~<", max_size=80).map(str.encode)
)
def test_no_bytes_raise(raw: bytes) -> None:
    report = Report("r.yaml", raw.decode(errors="replace"))
    node = read_yaml(raw, report)
    assert node is not None or report.problems
    for problem in report.problems:
        assert problem.line >= 1
        assert problem.column >= 1
        assert render(problem)


@given(st.text(min_size=1, max_size=30))
def test_a_plain_scalar_is_a_finite_value_or_its_own_text(text: str) -> None:
    value = plain_scalar(text)
    assert value == text or not isinstance(value, str)
    assert value == value  # noqa: PLR0124  # not NaN


def test_a_problem_is_shown_with_its_line_and_a_caret() -> None:
    problem = Problem(
        code="R101", severity="error", file="a.yaml", line=7, column=3, message="m", hint="h", source_line="\tab"
    )
    assert render(problem) == "a.yaml:7:3: error R101: m\n    7 | \tab\n      | \t ^\n  = h"


def test_a_long_line_is_shown_around_the_caret() -> None:
    line = "x" * 150 + "HERE" + "y" * 150
    problem = Problem(
        code="R101", severity="error", file="a.yaml", line=7, column=151, message="m", hint="", source_line=line
    )
    _, source, caret = render(problem).splitlines()
    assert source[caret.index("^") :].startswith("HERE")
    assert len(source) < 200


def test_a_column_past_the_kept_part_of_a_line_shows_no_line() -> None:
    report = Report("a.yaml", "x" * 1_000)
    report.add("R102", (1, 900), "m")
    assert render(report.problems[0]) == "a.yaml:1:900: error R102: m"
