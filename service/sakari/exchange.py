"""One HTTP request and its bounded answer.

A failure of the transport leaves here as a StepError; what an answer means is decided in `outcome`.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, cast

import httpx
import msgspec
from msgspec import Struct

from service.errors import Permanent, Retryable, StepError, Uncertain
from service.observe import traces
from service.sakari.line import Line

BODY_LIMIT = 32 * 1024 * 1024
"""Bytes. A page of executions is some tens of kilobytes. Nothing packed is asked for, and nothing is ever unpacked: what
comes packed all the same is no JSON."""

_REFUSAL_S = 2.0
_REFUSAL_LIMIT = 64 * 1024
"""For how long, and how far, the body of a refusal is read: its status alone decides."""

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Answer(Struct, frozen=True):
    status: int
    headers: Mapping[str, str]
    body: bytes

    def decoded(self) -> Any:
        """The body's JSON; None if it is no JSON."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None


class _TooLarge(Exception):
    pass


_FAILURES = (httpx.HTTPError, _TooLarge)


async def exchange(line: Line, request: httpx.Request, *, repeatable: bool, endpoint: str) -> Answer:
    """Send it, and read the answer to its end.

    `repeatable`: doing it twice leaves Sakari as doing it once (reads, token requests). What is not repeatable and may
    have reached Sakari raises Uncertain; everything else that fails here raises Retryable, except an answer over
    BODY_LIMIT, which is Permanent. `endpoint`: the fixed word for its path, for traces. Sakari is told of no trace: whose
    calls belong together is no business of another company's systems.
    """
    with traces.call(request.method, endpoint) as span:
        try:
            answer = await _send(line, request)
        except _FAILURES as error:
            raise _failure(error, repeatable=repeatable) from error
        span.answered(answer.status)
        return answer


async def _send(line: Line, request: httpx.Request) -> Answer:
    response = await line.transport.handle_async_request(request)
    stream = cast("httpx.AsyncByteStream", response.stream)
    try:
        if response.status_code < httpx.codes.BAD_REQUEST:
            return Answer(response.status_code, response.headers, await _read(stream, BODY_LIMIT))
        body = b""
        with contextlib.suppress(*_FAILURES, TimeoutError):  # the status alone decides; the body only names the code
            async with asyncio.timeout(_REFUSAL_S):
                body = await _read(stream, _REFUSAL_LIMIT)
        return Answer(response.status_code, response.headers, body)
    finally:
        await stream.aclose()


async def _read(stream: httpx.AsyncByteStream, limit: int) -> bytes:
    body = bytearray()
    async for chunk in stream:
        body += chunk
        if len(body) > limit:
            raise _TooLarge
    return bytes(body)


def _failure(error: Exception, *, repeatable: bool) -> StepError:
    if isinstance(error, _TooLarge):
        message = f"Sakari's answer is over {BODY_LIMIT} bytes"
        return (Permanent if repeatable else Uncertain)("answer_too_large", message)
    if isinstance(error, _NOT_SENT):
        return Retryable("unreachable", "no connection to Sakari could be opened")
    late = isinstance(error, httpx.TimeoutException)
    reason = "timeout" if late else "connection_cut"
    what = "Sakari did not answer in time" if late else "the connection to Sakari broke before its answer was complete"
    if repeatable:
        return Retryable(reason, what)
    return Uncertain(reason, f"{what}; the call may have happened")
