"""What processes cost: their CPU time, as Linux counts it."""

import os
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU seconds of processes and of all that they started, since their start. Raises OSError for one that has ended."""
    return sum(_own(pid) + cpu_seconds(_children(pid)) for pid in pids)


def _own(pid: int) -> float:
    """User and system time, and that of children which have ended. The name in field 2 may hold anything but `)` at its end."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def _children(pid: int) -> list[int]:
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
