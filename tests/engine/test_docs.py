"""The page for rule authors tells the truth."""

import re
from pathlib import Path

from service.engine.filters import FILTERS
from service.engine.operators import OPERATORS
from service.engine.paths import FACTS, VERBS

PAGE = (Path(__file__).parents[2] / "docs" / "rules" / "language.md").read_text(encoding="utf-8")


def first_column(title: str) -> set[str]:
    """The words in the first column of the table whose head begins with this title."""
    table = re.search(rf"^\| {title} \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert table is not None
    return {word for row in table[1].splitlines() for word in re.findall(r"`(\w+)", row.split("|")[1])}


def test_every_word_of_the_language_is_on_the_page() -> None:
    assert first_column("operator") == OPERATORS.keys()
    assert first_column("filter") == FILTERS.keys()
    assert first_column("path") == set(FACTS)
    assert first_column("verb") == set(VERBS)
