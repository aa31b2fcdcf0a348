"""The errors of Sluice, and what each one means to the part that catches it.

SluiceError
├── SettingsError            the process cannot start; all faults at once, exit 2
├── Refusal                  the ingress answers with `status` and does not look further
│   ├── Unverified           401: not from the CRM, or not provably so; the body was not parsed
│   ├── TooLarge             413: the body is over the limit
│   ├── TooSlow              408: the body did not come in time
│   ├── Truncated            400: the body is not all there
│   └── Overloaded           503: too many bodies are being read
├── Malformed                verified, but not JSON or not the documented shape: 200, kept as a dead letter
├── StoreUnavailable         Redis could not store: 503, or the spill file
├── LeaseLost                another worker may own this lane now: drop everything, write nothing
└── StepError                the only errors that an action may raise; the type alone decides what happens to the run
    ├── Retryable            did not happen; try again after `after_s` seconds, or at `due` without counting a try
    ├── Permanent            did not happen and never will: a dead letter
    └── Uncertain            may have happened: repeated if the step only sets values, otherwise a dead letter

Texts of these errors reach logs and people: never put a secret, a phone number or an e-mail address into one.
"""

from typing import Any


class SluiceError(Exception):
    """The root; catching it catches everything that Sluice raises on purpose."""


class SettingsError(SluiceError):
    """One or more settings are missing or malformed; `problems` names each with its remedy."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Refusal(SluiceError):
    """A request that is turned away. `reason` is a short fixed word, used as a metric label."""

    status = 400

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unverified(Refusal):
    """Signature, timestamp or password did not prove the sender."""

    status = 401


class TooLarge(Refusal):
    """The body is over the configured limit."""

    status = 413


class TooSlow(Refusal):
    """The body took too long to arrive."""

    status = 408


class Truncated(Refusal):
    """The body is not as long as announced, or cannot be read as it was sent."""


class Overloaded(Refusal):
    """As many bodies as fit are being read already."""

    status = 503


class Malformed(SluiceError):
    """A verified body, or one event in it, that is not of the documented shape."""


class StoreUnavailable(SluiceError):
    """Redis is unreachable, full, read-only or too slow: nothing was promised to the sender."""


class LeaseLost(SluiceError):
    """This worker's lease on a lane ran out; whatever it was doing there is no longer its business."""


class StepError(SluiceError):
    """A step that did not succeed. `reason` is a short fixed word; the message is for people."""

    answer: Any = None
    """What the far side answered, as it came: for the ledger, never for a text, since it may hold personal data."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Retryable(StepError):
    """The call did not happen. `after_s`: seconds that the far side asked for, or None for our own backoff.

    `due` (ms): it is not the run's fault: not its turn yet, or the account as a whole cannot be called. The run goes on then,
    and no try is counted.
    """

    def __init__(self, reason: str, message: str, *, after_s: float | None = None, due: int | None = None) -> None:
        super().__init__(reason, message)
        self.after_s = after_s
        self.due = due


class Permanent(StepError):
    """The call did not happen and will not: bad input, refused by rule, or forbidden."""


class Uncertain(StepError):
    """The call was sent and its outcome is unknown: a timeout or a cut connection after the request left.

    `due` as in Retryable, for a step that may be repeated.
    """

    def __init__(self, reason: str, message: str, *, due: int | None = None) -> None:
        super().__init__(reason, message)
        self.due = due
