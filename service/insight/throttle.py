"""Bounds the guessing of tokens."""

from collections.abc import Sequence


class Throttle:
    """Counts wrong tokens by the address that they come from, in this process."""

    def __init__(self, *, most: int = 10, within_ms: int = 60_000, addresses: int = 1000) -> None:
        self._most, self._within_ms, self._addresses = most, within_ms, addresses
        self._wrong: dict[str, list[int]] = {}

    def blocked(self, address: str, *, now: int) -> bool:
        """Whether an address has to wait."""
        return len(self._recent(address, now)) >= self._most

    def wrong(self, address: str, *, now: int) -> None:
        """Note a wrong token."""
        if address not in self._wrong and len(self._wrong) >= self._addresses:
            del self._wrong[next(iter(self._wrong))]
        self._wrong[address] = [*self._recent(address, now), now]

    def _recent(self, address: str, now: int) -> Sequence[int]:
        return [at for at in self._wrong.get(address, ()) if at > now - self._within_ms]
