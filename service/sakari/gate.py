"""Where a call waits until it may leave, and where what became of it is told: one pace and one circuit for all workers.

What is known of the account is shared (`Shared`, kept in Redis); here it is asked, waited for, and turned into the errors
that a worker understands.
"""

import asyncio
import itertools
import secrets
import time
from typing import Final, Protocol

import structlog
from msgspec import Struct, field

from service.errors import Retryable, StepError
from service.model import DEFAULT_ACCOUNT, Admission, Asking, Effect, Outcome
from service.observe.metrics import PUT_OFF, SAKARI_WAITED, of

log = structlog.get_logger("sluice.sakari")

OUTCOMES: Final[dict[str, Outcome | None]] = {
    "rate_limited": "limited",
    "unreachable": "failed",
    "timeout": "failed",
    "connection_cut": "failed",
    "unavailable": "failed",
    "server_error": "failed",
    "unreadable_answer": "failed",
    "unreadable_token": "failed",
    "bad_credentials": "refused",
    "token_refused": "refused",
    "unauthorized": "denied",
    "http_403": "denied",
    "sakari_ACCT-001": "denied",  # the free account's limit is exceeded
    "sakari_ACCT-002": "denied",  # the plan is invalid
    "sakari_ACCT-003": "denied",  # no customer in the payment system
    "sakari_ACCT-006": "denied",  # not enough credit
    "sakari_ACCT-008": "denied",  # the account id is invalid
    "sakari_ACCT-010": "denied",  # this IP address is blocked
    "sakari_ACCT-016": "denied",  # no access to this API: to all of it, or to one endpoint only
    "sakari_ACCT-017": "denied",  # not verified by Sakari's staff
    "token_busy": None,
}
"""Reason of a StepError -> what it says of the account. Any other is about one call: Sakari was there and answered."""

_WORDS: Final = {
    "paced": "it waits for its turn: the calls of this account have a pace",
    "rate_limited": "Sakari asked for a pause (HTTP 429); all calls of this account wait",
    "circuit_open": "Sakari is down; calls wait until a probe succeeds",
    "account_paused": "the account is paused",
}


class Shared(Protocol):
    """What all workers know of one account."""

    def asking(self, caller: str, standing: str) -> Asking | None:
        """Put the question of `admit`, to be asked together with another one; None if everybody is let in."""
        ...

    async def admit(self, caller: str, standing: str, slot: int) -> Admission:
        """Ask to be let in. `standing`: `on` after the first call of an attempt, else how often the run was put off."""
        ...

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
    ) -> Effect:
        """Tell what became of a call. `successes`: of this process since it last told anything."""
        ...


class Unlimited:
    """For a client that has no others to agree with, such as a command that makes three calls."""

    def asking(self, caller: str, standing: str) -> None: ...

    async def admit(self, caller: str, standing: str, slot: int) -> Admission:  # noqa: ARG002 - the protocol's
        return Admission(verdict="go", at=0)

    async def report(self, caller: str, outcome: Outcome, **_: object) -> Effect:  # noqa: ARG002
        return Effect()


_PROCESS = secrets.token_hex(8)
_NUMBERS = itertools.count()


class Caller(Struct):
    """One attempt at a run, over all its calls."""

    name: str = field(default_factory=lambda: f"{_PROCESS}-{next(_NUMBERS)}")
    put_off: int = 0
    """How often the run was put off before: who waited longer goes first."""
    on: bool = False
    """Whether it has been let in before: it should come to its end."""
    told: Admission | None = None
    """The answer for its next call, if the question went along with another one (see `Gate.asking`)."""
    let_in: Admission = Admission(verdict="go", at=0)


class Gate:
    """The gate of one account, for all callers in this process."""

    def __init__(self, shared: Shared | None = None, account: str = DEFAULT_ACCOUNT) -> None:
        self.account = account
        self._shared = shared or Unlimited()
        self._successes = 0

    def asking(self, caller: Caller) -> Asking | None:
        """The question of `enter`, for whoever asks something else before the call; the answer becomes `caller.told`."""
        return self._shared.asking(caller.name, _standing(caller))

    async def enter(self, caller: Caller) -> None:
        """Return when a call may leave, after a short wait at most. Raises Retryable, with `due`, if that would take longer."""
        started, slot = time.monotonic(), 0
        while True:
            told, caller.told = caller.told, None
            told = told or await self._shared.admit(caller.name, _standing(caller), slot)
            if told.verdict == "go":
                of(SAKARI_WAITED, self.account).observe(time.monotonic() - started)
                caller.on, caller.let_in = True, told
                return
            if told.verdict == "later":
                of(PUT_OFF, self.account, told.reason).inc()
                because = f" ({told.message})" if told.message else ""
                raise Retryable(told.reason, _WORDS[told.reason] + because, due=told.at)
            slot = told.at
            await asyncio.sleep(told.wait_ms / 1000)

    async def succeeded(self, caller: Caller) -> None:
        """Tell of a success, if anybody is waiting to hear of one."""
        self._successes += 1
        if caller.let_in.watched:
            await self._tell(caller, "ok")

    async def failed(self, caller: Caller, error: StepError) -> int | None:
        """Tell of a failure. When the run is to go on (ms) if the account is to blame, None if the run or its call is."""
        outcome = OUTCOMES.get(error.reason, "ok")
        if outcome == "ok":
            await self.succeeded(caller)
            return None
        if outcome is None:
            return None
        return (await self._tell(caller, outcome, error)).due

    async def _tell(self, caller: Caller, outcome: Outcome, error: StepError | None = None) -> Effect:
        successes, self._successes = self._successes, 0
        effect = await self._shared.report(
            caller.name,
            outcome,
            admitted_at=caller.let_in.at,
            successes=successes,
            asked_s=error.after_s if isinstance(error, Retryable) else None,
            reason=error.reason if error else "",
            message=str(error) if error else "",
        )
        self._log(effect, error)
        return effect

    def _log(self, effect: Effect, error: StepError | None) -> None:
        """Say once, in whichever worker it happened, what has changed for all of them."""
        reason, message = (error.reason, str(error)) if error else ("", "")
        if effect.change == "slower":
            log.warning("slowed down", account=self.account, calls_a_second=effect.number, reason=reason)
        elif effect.change == "opened":
            hint = "runs wait without using up tries; it is probed until it answers"
            log.error("circuit opened", account=self.account, reason=reason, message=message, hint=hint)
        elif effect.change == "paused":
            hint = "its runs wait; tried again every minute, and at once by a worker with other credentials"
            log.error("account paused", account=self.account, reason=reason, message=message, hint=hint)
        elif effect.change == "closed":
            log.warning("circuit closed", account=self.account, after_s=round(effect.number / 1000, 1))


def _standing(caller: Caller) -> str:
    return "on" if caller.on else str(caller.put_off)
