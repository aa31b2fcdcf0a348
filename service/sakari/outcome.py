"""What an answer of Sakari means: its envelope, or Retryable, Permanent or Uncertain.

The far side's free text never goes into an error, because it may hold a phone number or an e-mail address: an error
carries the HTTP status, the published code, and our own words for it. Codes: Sakari's help centre, "Error Codes".
"""

import math
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, cast

from service.errors import Permanent, Retryable, StepError, Uncertain
from service.sakari.exchange import Answer

LONGEST_WAIT_S = 3600.0
KEPT_BYTES = 4096
"""Of an answer that is not JSON."""

_CODE = re.compile(r"[A-Z]{2,8}-[0-9]{1,4}")

_NOT_DONE = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
}
"""By these a server says that it did not act, so that a write may be repeated. Of 503 that is an assumption: HTTP only says
that it cannot handle the request just now."""

OUR_WORDS = {
    "CONT-001": "the mobile number is invalid",
    "CONT-010": "the contact has asked for no further communication",
    "CONV-001": "the conversation id is invalid",
    "ACCT-001": "the free account's limit is exceeded",
    "ACCT-002": "the account's plan is invalid",
    "ACCT-003": "the account has no customer in the payment system",
    "ACCT-006": "the account has not enough credit: top it up, then retry",
    "ACCT-008": "the account id is invalid: check SLUICE_SAKARI_ACCOUNT_ID, or that of the named account",
    "ACCT-010": "this machine's IP address is blocked",
    "ACCT-012": "the account may text pre-approved contacts only until it is on a paid plan",
    "ACCT-014": "only the primary account may do this",
    "ACCT-015": "this property belongs to a CRM integration and cannot be changed here",
    "ACCT-016": "these credentials have no access to this API",
    "ACCT-017": "the account must first be verified by Sakari's staff",
    "INT-002": "no provider is enabled for the destination country",
    "MSG-024": "the message appears to be a duplicate",
    "MSG-029": "the account's daily limit of messages is exceeded",
}


def envelope(answer: Answer, *, repeatable: bool, now: float) -> dict[str, Any]:
    """The decoded `{"success": …, "data": …}` of an answer that says the call was done.

    `repeatable` as in `exchange`; `now`: seconds since the epoch, for a Retry-After given as a date.
    Raises Retryable, Permanent or Uncertain for every other answer, and gives it along (`StepError.answer`).
    """
    content = answer.decoded()
    refusal = _refusal(answer, content, repeatable=repeatable, now=now)
    if refusal is not None:
        refusal.answer = answer.body[:KEPT_BYTES].decode(errors="replace") if content is None else content
        raise refusal
    return cast("dict[str, Any]", content)


def _refusal(answer: Answer, content: Any, *, repeatable: bool, now: float) -> StepError | None:
    if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return _refused(answer, code_of(content), repeatable=repeatable, now=now)
    if not isinstance(content, dict) or content.keys().isdisjoint({"success", "data", "error"}):
        message = f"Sakari answered HTTP {answer.status} with something that is not its JSON envelope"
        return (Retryable if repeatable else Uncertain)("unreadable_answer", message)
    if content.get("success", not content.get("error")) is not True:
        return _permanent(answer.status, code_of(content), fallback="refused")
    return None


def code_of(content: Any) -> str | None:
    """The published code in an error envelope, a contact's error or a refused row; None if there is none."""
    if not isinstance(content, dict):
        return None
    error = content.get("error")
    code = error.get("code") if isinstance(error, dict) else content.get("code")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def retry_after(answer: Answer, now: float) -> float | None:
    """Seconds that the answer's Retry-After asks for (a number or an HTTP date), within 0 and LONGEST_WAIT_S."""
    value = answer.headers.get("retry-after", "").strip()
    seconds = _seconds(value) if value else None
    if seconds is None and value:
        try:
            at = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_WAIT_S)


def _seconds(value: str) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        return None
    return None if math.isnan(seconds) else seconds


def _refused(answer: Answer, code: str | None, *, repeatable: bool, now: float) -> StepError:
    status = answer.status
    if status < HTTPStatus.BAD_REQUEST:
        return Permanent("redirect", f"Sakari answered HTTP {status}, a redirect, which is never followed")
    if status in _NOT_DONE or (repeatable and status >= HTTPStatus.INTERNAL_SERVER_ERROR):
        reason = "rate_limited" if status == HTTPStatus.TOO_MANY_REQUESTS else "unavailable"
        return Retryable(reason, f"Sakari answered HTTP {status}", after_s=retry_after(answer, now))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Uncertain("server_error", f"Sakari answered HTTP {status}; the call may have happened")
    return _permanent(status, code, fallback=f"http_{status}")


def _permanent(status: int, code: str | None, *, fallback: str) -> Permanent:
    if code is None:
        return Permanent(fallback, f"Sakari refused the call (HTTP {status}, no code)")
    reason = "opted_out" if code == "CONT-010" else f"sakari_{code}"
    words = OUR_WORDS.get(code, "see Sakari's list of error codes")
    return Permanent(reason, f"Sakari refused the call (HTTP {status}, {code}): {words}")
