"""Keeping the garbage collector out of the way."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

COLLECT_AFTER = 20_000
"""New objects between two looks of the garbage collector, in processes with much under way. What a hundred lanes have in hand
is no garbage: at Python's 700 the collector goes through it twice a run, for a twentieth of the CPU."""


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the garbage collector while rules are loaded in a thread, and spare it what was made meanwhile for good.

    Walking ten thousand rules again and again would stop the event loop for half a second each time. Rules hold no cycles,
    so an old rule set is freed without it.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()
