"""What is wrong with a rule file: where, what, and what would be right. Codes are stable and never reused."""

import difflib
import re
from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct

Severity = Literal["error", "warning"]

CODES: Final[dict[str, str]] = {
    "R101": "The file is not UTF-8 text",
    "R102": "The file is not valid YAML",
    "R103": "A key is given twice",
    "R104": "The file is nested too deeply",
    "R105": "An alias grows out of hand",
    "R106": "The file holds several documents",
    "R107": "A key is not text",
    "R108": "A YAML tag is used",
    "R109": "The file is too large",
    "R110": "A YAML merge key is used",
    "R111": "The file holds no rules",
    "R112": "The file cannot be read",
    "R113": "The file cannot be checked",
    "R201": "A value is of the wrong kind",
    "R202": "A key is unknown",
    "R203": "A key is missing",
    "R204": "The version of the language is unknown",
    "R205": "A rule id is malformed",
    "R206": "A rule id is taken",
    "R207": "An event name is malformed",
    "R208": "An event name ends in an unknown verb",
    "R209": "A value is not one of the choices",
    "R210": "A duration is malformed",
    "R211": "A step name cannot be used",
    "R212": "A step name is taken",
    "R213": "A list is empty",
    "R214": "A list names one thing twice",
    "R215": "The name of a Sakari account is malformed",
    "R301": "A path is malformed",
    "R302": "An operator is unknown",
    "R303": "An operator cannot use this operand",
    "R304": "A pattern is not a valid regular expression",
    "R305": "A pattern could take very long",
    "R306": "A step asks what has changed",
    "R307": "A condition is empty",
    "R308": "A path is about another object",
    "R309": "A condition has no value",
    "R310": "A fact never has this value",
    "R311": "The source has no such event",
    "R312": "A rule can never fire",
    "R313": "A step never gets what it needs",
    "R314": "A property is probably misspelt",
    "R315": "A condition can never hold",
    "R316": "A `not` is unknown where a value is missing",
    "R317": "A comparison is written as text",
    "R401": "A template is malformed",
    "R402": "A filter is unknown",
    "R403": "A filter cannot use this argument",
    "R404": "A path names no earlier step",
    "R405": "A phone number is not formatted",
    "R406": "A template is spelled as elsewhere",
    "R501": "An action is unknown",
    "R502": "An argument is missing",
    "R503": "An argument is unknown",
    "R504": "An argument is of the wrong kind",
    "R505": "An argument is out of range",
    "R506": "The action refuses the arguments",
    "R507": "A phone number is not international",
    "R601": "A rule has no test",
    "R602": "A case expects nothing",
    "R603": "A case names no rule",
    "R604": "A case has no event, or two",
    "R605": "A fixture cannot be used",
    "R606": "An instant is malformed",
    "R607": "No such event ever comes",
    "R608": "A case names no step",
    "R609": "A case names no condition",
    "R610": "The name of a case is taken",
    "R611": "A change has no value",
}
"""Code -> title. R1 the file, R2 structure, R3 conditions, R4 templates, R5 actions and their arguments, R6 tests."""

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What libyaml counts as the end of a line, so that its line numbers find the same line here."""

_SHOWN = 400
"""Characters of a source line that are kept."""

_WIDTH = 80
"""Characters shown on either side of the caret."""


class Problem(Struct, frozen=True, kw_only=True):
    """One mistake in one rule file. An error keeps the file's rules from being used, a warning does not."""

    code: str
    severity: Severity
    file: str
    line: int
    """1-based, as is `column`."""
    column: int
    message: str
    hint: str
    """What is allowed, or the near miss; may be empty."""
    source_line: str
    """The line as it stands in the file, unprintable characters replaced, at most 400 characters of it."""


class Report:
    """Collects the problems of one file while it is read and checked."""

    def __init__(self, file: str, text: str = "") -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._text = text
        self._lines: list[str] | None = None

    def add(self, code: str, at: tuple[int, int], message: str, hint: str = "", severity: Severity = "error") -> None:
        """Note a problem at `(line, column)`, both 1-based."""
        line, column = at
        shown = "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in self.source_line(line)[:_SHOWN])
        self.problems.append(
            Problem(
                code=code,
                severity=severity,
                file=self.file,
                line=line,
                column=column,
                message=message,
                hint=hint,
                source_line=shown,
            )
        )

    def source_line(self, line: int) -> str:
        """The 1-based line of the file, or empty past its end."""
        if self._lines is None:
            self._lines = _LINE_BREAK.split(self._text)
        return self._lines[line - 1] if line <= len(self._lines) else ""

    @property
    def has_errors(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)


def render(problem: Problem) -> str:
    """`file:line:column: error R101: message`, the line, a caret below its column, and the hint."""
    where = f"{problem.file}:{problem.line}:{problem.column}"
    shown = [f"{where}: {problem.severity} {problem.code}: {problem.message}"]
    before = problem.column - 1
    if problem.source_line.strip() and before <= len(problem.source_line):
        cut = max(0, before - _WIDTH)
        number = f"{problem.line:>5} | {'…' if cut else ''}"
        pad = "".join("\t" if c == "\t" else " " for c in problem.source_line[cut:before])
        line = f"{number}{problem.source_line[cut : before + _WIDTH]}".rstrip()
        shown += [line, f"{'':5} | {' ' if cut else ''}{pad}^"]
    if problem.hint:
        shown.append(f"  = {problem.hint}")
    return "\n".join(shown)


def near(word: str, known: Iterable[str]) -> str:
    """A hint: the known word that was probably meant, or else all known words."""
    known = list(known)
    meant = nearest(word, known)
    return f"did you mean `{meant}`?" if meant else f"allowed: {', '.join(known)}"


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant; empty if it is like none."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), "")


def one_of(word: str, choices: Iterable[str]) -> str:
    """A hint for one of few: the choice that was probably meant, and all of them."""
    choices = list(choices)
    allowed = f"allowed: {', '.join(choices)}"
    hint = near(word, choices)
    return hint if hint == allowed else f"{hint} {allowed}"
