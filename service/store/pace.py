"""The pace and the circuit of one Sakari account, kept in Redis for all workers.

Every call is let in by `prelude_admit.lua` and, if something is amiss, told of to `report.lua`; all rules of it are there.
"""

from typing import Any, Literal

from msgspec import Struct
from redis.exceptions import RedisError

from service.model import Admission, Asking, Effect, Outcome
from service.store import keys
from service.store.connection import Store


class SharedPace:
    """Asks and tells for one account. `credentials` is a short hash of them: new ones are tried at once."""

    def __init__(self, store: Store, name: str, *, rate: float, burst: int, credentials: str) -> None:
        self._store = store
        self._name = name
        self._rate = rate
        self._burst = burst
        self._credentials = credentials

    def asking(self, caller: str, standing: str, slot: int = 0) -> Asking:
        """Put the question of `admit`, for whoever has something else to ask of Redis too (`lanes.begin`)."""
        return Asking(
            account=self._name,
            rate=self._rate,
            burst=self._burst,
            credentials=self._credentials,
            caller=caller,
            standing=standing,
            slot=slot,
        )

    async def admit(self, caller: str, standing: str, slot: int, *, now: int | None = None) -> Admission:
        """Ask to be let in. `standing`: `on`, or how often the run was put off. `now`: server time in ms, for tests."""
        names, terms, who = question(self.asking(caller, standing, slot))
        return admission(await self._store.run("admit", names, ["" if now is None else now, *terms, *who]))

    async def report(
        self,
        caller: str,
        outcome: Outcome,
        *,
        admitted_at: int,
        successes: int = 0,
        asked_s: float | None = None,
        reason: str = "",
        message: str = "",
        now: int | None = None,
    ) -> Effect:
        """Tell what became of a call. Redis being away changes nothing: the call was made, and that is recorded elsewhere."""
        args = ["" if now is None else now, self._rate, self._credentials, caller, outcome, admitted_at, successes]
        asked_ms = "" if asked_s is None else round(asked_s * 1000)
        try:
            change, due, number = await self._store.run(
                "report", [keys.ACCOUNT + self._name], [*args, asked_ms, reason, message]
            )
        except (RedisError, OSError, TimeoutError):
            return Effect()
        return Effect(change.decode(), due or None, number)


def question(asking: Asking) -> tuple[list[str], list[Any], list[Any]]:
    """Make what prelude_admit.lua wants to know: names and terms for `account_on`, and who asks for `admit`."""
    names = [keys.ACCOUNT + asking.account, keys.ACCOUNTS]
    terms = [asking.rate, asking.burst, asking.credentials, asking.account]
    return names, terms, [asking.caller, asking.standing, asking.slot]


def admission(answer: list[Any]) -> Admission:
    """Read its answer."""
    told, *rest = answer
    if told == b"go":
        return Admission(verdict="go", at=rest[0], watched=bool(rest[1]))
    if told == b"wait":
        return Admission(verdict="wait", at=int(rest[1]), wait_ms=rest[0])
    return Admission(verdict="later", at=rest[0], reason=rest[1].decode(), message=rest[2].decode())


class AccountState(Struct, frozen=True, kw_only=True):
    """How an account does. Times in ms."""

    name: str
    rate: float
    """Calls a second as configured."""
    burst: int
    rate_now: float
    """Less than `rate` for a while after a 429."""
    hold_until: int = 0
    """Nobody calls before this, as Sakari asked."""
    circuit: Literal["closed", "open", "paused"] = "closed"
    reason: str = ""
    message: str = ""
    since: int = 0
    """When the circuit opened, or the account was paused."""
    probe_at: int = 0
    """When it is tried again at the earliest."""
    queue_ms: int = 0
    """For how long the last one in the queue will wait."""


_RECOVERY_MS = 120_000
"""As in prelude_account.lua."""


async def states(store: Store, *, now: int | None = None) -> list[AccountState]:
    """How every account does that was called within the last days, by name. `now`: server time in ms, for tests."""
    names = sorted(name.decode() for name in await store.redis.smembers(keys.ACCOUNTS))  # type: ignore[misc]  # as in `Store.mapping`
    seconds, micros = await store.redis.time()
    at = seconds * 1000 + micros // 1000 if now is None else now
    async with store.redis.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.hgetall(keys.ACCOUNT + name)
        found = await pipe.execute() if names else []
    return [_state(name, kept, at) for name, kept in zip(names, found, strict=True) if b"rate" in kept]


def _state(name: str, kept: dict[bytes, bytes], now: int) -> AccountState:
    def number(field: bytes) -> float:
        return float(kept.get(field, 0))

    rate, hold, cut = number(b"rate"), number(b"hold"), number(b"cut")
    recovered = rate * max(0.0, now - max(number(b"cut_at"), hold)) / _RECOVERY_MS
    circuit = kept.get(b"circuit", b"").decode() or "closed"
    return AccountState(
        name=name,
        rate=rate,
        burst=int(number(b"burst")),
        rate_now=min(rate, cut + recovered) if cut else rate,
        hold_until=int(hold) if hold > now else 0,
        circuit=circuit,  # type: ignore[arg-type]  # a word of a newer version is shown as it is
        reason=kept.get(b"reason", b"").decode(),
        message=kept.get(b"message", b"").decode(),
        since=int(number(b"since")),
        probe_at=int(number(b"probe_at")),
        queue_ms=max(0, int(number(b"tail")) - now),
    )
