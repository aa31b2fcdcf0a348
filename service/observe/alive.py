"""Signs of life in a file, for a process that listens nowhere: `python -m service.observe.alive FILE` asks for the last one.

A probe asks every few seconds, so this file imports nothing but what Python starts with anyway.
"""

import contextlib
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

STALE_S = 60
"""A worker gives a sign with every poll, also while Redis is away; each wait within a poll ends within seconds."""
_EVERY_S = 1.0


def signs(file: str) -> Callable[[], None]:
    """Make the function that gives a sign, once a second at most; without a file it does nothing.

    A sign that cannot be given is none: whoever probes will act on that.
    """
    given = -math.inf

    def sign() -> None:
        nonlocal given
        if file and time.monotonic() - given >= _EVERY_S:
            given = time.monotonic()
            with contextlib.suppress(OSError):
                Path(file).touch()

    return sign


def verdict(path: Path) -> str:
    """Say what is wrong, in a sentence; empty if the process lives."""
    try:
        age = time.time() - path.stat().st_mtime
    except OSError as error:
        return f"no sign of life in {path}: {error.strerror}"
    return f"the last sign of life is {age:.0f} s old" if age > STALE_S else ""


if __name__ == "__main__":
    sys.exit(verdict(Path(sys.argv[1])) or 0)
