"""What a measure is: a function that does one round and gives figures by name, and the rows that show them."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

from msgspec import Struct


class Target(Struct, frozen=True):
    """What was promised of a row: of its figure, or of its ratio to the yardstick."""

    sign: Literal["≥", "≤"]
    value: float
    of: Literal["figure", "ratio"] = "figure"

    def met(self, found: float) -> bool:
        """Tell whether a figure, or a ratio, is as good as promised."""
        return found >= self.value if self.sign == "≥" else found <= self.value


class Row(Struct, frozen=True, kw_only=True):
    """One line of the table: a figure of a round, and the yardstick of the same round that it is divided by."""

    figure: str
    title: str
    unit: str
    beside: str = ""
    """The name of the yardstick's figure; empty for what is a yardstick itself."""
    target: Target | None = None


class Place(Struct, frozen=True):
    """Where a round happens, and how large it is."""

    folder: Path
    quick: bool = False
    """Small and short: to see that everything works, not to measure."""

    def size(self, count: int, least: int = 1) -> int:
        """So many of something; a fiftieth of it in a quick round."""
        return max(least, count // 50) if self.quick else count

    def seconds(self, span: float) -> float:
        """So long; a tenth of it in a quick round."""
        return span / 10 if self.quick else span


class Measure(Struct, frozen=True):
    """Something that is measured once a round. `once` starts what it needs, and leaves nothing behind."""

    name: str
    rows: tuple[Row, ...]
    once: Callable[[Place], Awaitable[dict[str, float]]]


def share(waits: tuple[float, ...], part: float) -> float:
    """The wait that `part` of all waits do not exceed: 0.5 is the median, 0.99 the 99th percentile."""
    ordered = sorted(waits)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
