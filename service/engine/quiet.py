"""Loading rules beside other work in the same process."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
