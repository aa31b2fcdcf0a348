"""The calls of the Sakari API that Sluice makes. Every failure is Retryable, Permanent or Uncertain."""

import functools
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal
from urllib.parse import quote

import httpx
import msgspec

from service.errors import Permanent, Retryable, StepError, Uncertain
from service.model import Asking
from service.observe.metrics import SAKARI_CALLS, SAKARI_SECONDS, of
from service.sakari.exchange import Answer, exchange
from service.sakari.gate import Caller, Gate
from service.sakari.identity import Identity, concerns
from service.sakari.line import Line
from service.sakari.models import Execution
from service.sakari.outcome import code_of, envelope
from service.sakari.paging import pages, patient
from service.sakari.snapshots import Snapshots
from service.sakari.token import Token, Tokens

MOST_PAGES = 20_000
LONGEST_ID = 500

AttributeType = Literal["contacts", "deals", "tickets"]
MergeStrategy = Literal["append", "core", "remove"]


class Sakari:
    """One account of Sakari. `line` comes from `line.connect`; `within_s` limits one call, first to last byte.

    `gate` holds all callers of the account to one pace; without one, every call leaves at once.
    """

    def __init__(
        self,
        line: Line,
        account_id: str,
        tokens: Tokens,
        *,
        within_s: float = 60.0,
        check: Callable[[], None] = lambda: None,
        gate: Gate | None = None,
        caller: Caller | None = None,
        snapshots: Snapshots | None = None,
    ) -> None:
        self._line = line
        self._account_id = account_id
        self._tokens = tokens
        self._within_s = within_s
        self._check = check
        self._gate = gate or Gate()
        self._caller = caller or Caller()
        self._snapshots = snapshots

    def guarded(self, check: Callable[[], None], caller: Caller | None = None) -> "Sakari":
        """The same client for one caller, whose `check` is called right before each request leaves, and may raise.

        Between a caller's own look at the clock and the request there may be a wait for its turn or for a token, and any
        pause of the process.
        """
        return Sakari(
            self._line,
            self._account_id,
            self._tokens,
            within_s=self._within_s,
            check=check,
            gate=self._gate,
            caller=caller,
            snapshots=self._snapshots,
        )

    def asking(self, caller: Caller) -> Asking | None:
        """See `Gate.asking`."""
        return self._gate.asking(caller)

    def executions(
        self, campaign: str, *, version_id: str | None = None, patiently: bool = False
    ) -> AsyncIterator[list[Execution]]:
        """The pages of a drip campaign's executions; each execution once. Ends for every shape of answer.

        GET /v1/accounts/{accountId}/dripcampaigns/{dripCampaignId}/executions with its two documented parameters.
        The API has no filter by contact: whoever looks for one contact reads the whole campaign. `patiently`: see
        `paging.patient`.
        """
        path = self._path("dripcampaigns", campaign, "executions")
        version = {} if version_id is None else {"versionId": version_id}

        async def fetch(offset: int) -> dict[str, Any]:
            return await self._call("GET", path, params={**version, "offset": str(offset)})

        return pages(patient(fetch, now=self._tokens.clock) if patiently else fetch, most=MOST_PAGES)

    async def find_executions(
        self, campaign: str, wanted: frozenset[Identity] | None, *, version_id: str | None = None, fresh_ms: int
    ) -> list[Execution]:
        """The executions of a campaign that concern `wanted` (None: all), in Sakari's order, no older than `fresh_ms`.

        0 reads the campaign for this call alone. Otherwise they come from a snapshot, if this client was given any; then
        it raises Retryable, with `due`, while this worker or another one is reading the campaign. What is read for all
        is read without this caller's guard: no lane holds it up.
        """
        if not fresh_ms or self._snapshots is None:
            found = self.executions(campaign, version_id=version_id)
            return [each async for page in found for each in page if concerns(each, wanted)]
        name = campaign if version_id is None else f"{campaign}:{version_id}"
        reader = self.guarded(lambda: None)
        return await self._snapshots.find(
            name, wanted, fresh_ms, lambda: reader.executions(campaign, version_id=version_id, patiently=True)
        )

    async def close(self) -> None:
        """Give up the readings of campaigns that are under way, so that another worker can begin at once."""
        if self._snapshots is not None:
            await self._snapshots.close()

    async def read_account(self) -> Any:
        """GET /v1/accounts/{accountId}: whether the credentials are good for this account. Gives the answer as it came."""
        return await self._call("GET", self._path())

    async def write_attributes(self, attribute_type: AttributeType, contact: dict[str, Any]) -> Any:
        """POST /v1/accounts/{accountId}/attributes/{attributeType}, a Contact as its body, as documented.

        Gives the decoded answer as it came. The vendor's page is visibly mis-generated (title and response are of
        another operation), so an answer is no proof that a contact changed: see docs/sakari.md.
        """
        return await self._call("POST", self._path("attributes", attribute_type), body=contact)

    async def upsert_contact(self, contact: dict[str, Any], merge_strategy: MergeStrategy) -> Any:
        """POST /v1/accounts/{accountId}/contacts: create, or merge into the contact with the same mobile number.

        Gives the decoded answer as it came. Raises Permanent("row_refused") for a 201 whose `data.errors` has rows.
        """
        params: dict[str, str] = {"mergeStrategy": merge_strategy}
        answer = await self._call("POST", self._path("contacts"), params=params, body=contact)
        data = answer.get("data")
        if isinstance(data, dict) and (errors := data.get("errors")):
            code = next((c for row in errors if (c := code_of(row))), None) if isinstance(errors, list) else None
            refusal = Permanent("row_refused", f"Sakari took the call and refused the contact ({code or 'no code'})")
            refusal.answer = answer
            raise refusal
        return answer

    def _path(self, *segments: str) -> str:
        return _path(self._account_id, *segments)

    async def _call(
        self, method: str, path: str, *, params: dict[str, str] | None = None, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The envelope of a call that was done. A call with a body writes, so it is not to be repeated blindly."""
        encoded = None if body is None else _encode(body)
        try:
            answer = await self._authorized(method, path, params, encoded)
            envelope_ = envelope(answer, repeatable=body is None, now=self._tokens.clock())
        except StepError as error:
            if isinstance(error, Retryable) and error.due is not None:
                raise  # it was not let in
            due = await self._gate.failed(self._caller, error)
            if due is None:
                raise
            put_off = (Uncertain if isinstance(error, Uncertain) else Retryable)(error.reason, str(error), due=due)
            put_off.answer = error.answer
            raise put_off from error
        await self._gate.succeeded(self._caller)
        return envelope_

    async def _authorized(self, method: str, path: str, params: dict[str, str] | None, body: bytes | None) -> Answer:
        """The answer; after a 401, the answer to one more try with a new token."""
        for _ in range(2):
            token = await self._token()
            request = self._line.request(
                method,
                path,
                params=params,
                content=body,
                token=token.access_token,
                within_s=self._within_s,
                last_look=self._check,
            )
            await self._gate.enter(self._caller)
            answer = await self._measured(request, repeatable=body is None, endpoint=_endpoint(path))
            if answer.status != httpx.codes.UNAUTHORIZED:
                return answer
            await self._tokens.drop(token)
        raise Permanent("unauthorized", "Sakari refused a freshly fetched token (HTTP 401): check the API credentials")

    async def _token(self) -> Token:
        """The token. Fetching one is a call like others: it waits for its turn, and is not made while the circuit is open."""
        if token := await self._tokens.current():
            return token
        await self._gate.enter(self._caller)
        return await self._tokens.get()

    async def _measured(self, request: httpx.Request, *, repeatable: bool, endpoint: str) -> Answer:
        account, started = self._gate.account, time.perf_counter()
        outcome = "cut_short"
        try:
            answer = await exchange(self._line, request, repeatable=repeatable, endpoint=endpoint)
            outcome = str(answer.status)
        except StepError as error:
            outcome = error.reason
            raise
        finally:
            of(SAKARI_CALLS, account, endpoint, outcome).inc()
            of(SAKARI_SECONDS, account, endpoint).observe(time.perf_counter() - started)
        return answer


def _endpoint(path: str) -> str:
    """The word after the account in a path, for metrics; `account` for the account itself."""
    return (*path.split("/"), "account")[3]


@functools.lru_cache(256)
def _path(*segments: str) -> str:
    return "/".join(("v1", "accounts", *map(_segment, segments)))


def _segment(value: str) -> str:
    """One segment of a path. Dots alone would climb out of the account's path, whatever their encoding."""
    if len(value) > LONGEST_ID:
        raise Permanent("bad_identifier", f"an id in a path of the Sakari API is longer than {LONGEST_ID} characters")
    if not value.strip("."):
        raise Permanent("bad_identifier", "an id in a path of the Sakari API is empty or made of dots")
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        raise Permanent("bad_identifier", "an id in a path of the Sakari API is not valid text") from None


def _encode(body: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise Permanent("unsendable_value", "the step's arguments hold a value that JSON cannot carry") from None
