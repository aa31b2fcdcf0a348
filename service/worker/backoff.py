"""When to try again."""

from random import Random

from msgspec import Struct


class Backoff(Struct, frozen=True, kw_only=True):
    """Exponential backoff with full jitter: a random time between nothing and a bound that doubles with every try."""

    base_s: float = 1.0
    cap_s: float = 900.0
    tries: int = 25
    """After so many tries a run becomes a dead letter; with the values above that takes some three hours."""
    random: Random

    def delay_s(self, tried: int, asked_s: float | None) -> float:
        """Seconds to wait after the `tried`-th try failed.

        What the far side asked for is honoured up to the cap, plus jitter, so that all who were told to wait for the same
        time do not come back at the same instant.
        """
        jittered: float = self.random.uniform(0, min(self.cap_s, self.base_s * 2 ** min(tried, 32)))
        if asked_s is None:
            return jittered
        return min(asked_s, self.cap_s) + min(jittered, asked_s + self.base_s)
