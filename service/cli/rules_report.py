"""What lint found, in three forms: for people, for machines, and as annotations on the lines of a pull request."""

from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Final

import msgspec

from service.engine import Problem, render

Problems = Sequence[Problem]


def text(problems: Problems, files: int, rules: int) -> str:
    """Every problem with its line and a caret, how to read more, and a summary. `files`, `rules`: how many there are."""
    parts = [f"{render(problem)}\n" for problem in problems]
    if problems:
        parts.append(f"What a code means: sluice rules lint --explain {problems[0].code}")
    errors = sum(problem.severity == "error" for problem in problems)
    counts = {"file": files, "rule": rules, "error": errors, "warning": len(problems) - errors}
    said = [f"{count} {word}{'' if count == 1 else 's'}" for word, count in counts.items()]
    return "\n".join([*parts, f"{', '.join(said[:2])}: {', '.join(said[2:])}."])


def json(problems: Problems, _files: int, _rules: int) -> str:
    """A list of problems."""
    return msgspec.json.encode(problems).decode()


def github(problems: Problems, _files: int, _rules: int) -> str:
    """A workflow command for each problem: GitHub shows it on the line that it is about.

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    return "\n".join(map(_annotation, problems))


FORMS: Final[dict[str, Callable[[Problems, int, int], str]]] = {"text": text, "json": json, "github": github}


def code_page(code: str) -> str | None:
    """The page of a code, as Markdown; None if there is no such code."""
    page = files("service.engine") / "codes" / f"{code.upper()}.md"
    return page.read_text(encoding="utf-8") if code.isalnum() and page.is_file() else None


def _annotation(problem: Problem) -> str:
    told = {"file": problem.file, "line": problem.line, "col": problem.column, "title": f"Sluice {problem.code}"}
    where = ",".join(f"{name}={_escaped(str(value), ':,')}" for name, value in told.items())
    message = f"{problem.message}\n{problem.hint}" if problem.hint else problem.message
    return f"::{problem.severity} {where}::{_escaped(message)}"


def _escaped(value: str, more: str = "") -> str:
    """As the runner unescapes it: `%`, line ends, and in properties also what ends them."""
    return "".join(f"%{ord(letter):02X}" if letter in f"%\r\n{more}" else letter for letter in value)
