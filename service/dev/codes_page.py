"""The index of lint's codes, made from their table: `python -m service.dev.codes_page >docs/rules/codes.md`."""

import sys
from collections.abc import Iterator
from itertools import groupby

from service.engine.problem import CODES

_GROUPS = {
    "R1": "The file",
    "R2": "The structure",
    "R3": "Conditions",
    "R4": "Templates",
    "R5": "Actions and their arguments",
    "R6": "Tests",
}

_INTRODUCTION = """\
# What lint finds

Every message of `sluice rules lint` has a code that never changes its meaning. Its page says what it does, why, what to
avoid and what to prefer; `sluice rules lint --explain R203` prints it.

*This page is made from the code; a test keeps it fresh.*
"""


def page() -> str:
    """Write the whole page as Markdown."""
    return "\n".join([_INTRODUCTION, *_tables()])


def _tables() -> Iterator[str]:
    for group, codes in groupby(sorted(CODES), key=lambda code: code[:2]):
        rows = [f"| [{code}](../../service/engine/codes/{code}.md) | {CODES[code]} |" for code in codes]
        yield "\n".join([f"## {_GROUPS[group]}", "", "| code | finding |", "|---|---|", *rows, ""])


if __name__ == "__main__":
    sys.stdout.write(page())
