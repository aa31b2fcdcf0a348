"""Between the server and the application: counts every call, and misbehaves as told."""

import asyncio
import math
import re
import time
from typing import Any

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from msgspec import UNSET

from service.sandbox.state import FAULT, Fault, Sandbox

CONTROL = "/_sandbox/"
TRANSPORT = "sluice.transport"
"""Key in the scope's extensions: the asyncio transport of the connection, put there by `server`."""

_NAMES = re.compile(r"(?<=/accounts/)[^/]+|(?<=/dripcampaigns/)[^/]+")


def misbehaving(app: ASGIApp, sandbox: Sandbox) -> ASGIApp:
    """`app`, with the faults that `sandbox` was told to show. Calls are counted by endpoint and outcome."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["path"].startswith(CONTROL):
            await app(scope, receive, send)
            return
        met = sandbox.next_fault(scope["method"], scope["path"])
        scope["state"] = {**scope.get("state", {}), FAULT: met}
        fault = met or _limited(scope["path"], sandbox) or Fault()
        messages = await _answer(fault, app, scope, receive)
        await asyncio.sleep(fault.slow_ms / 1000)
        endpoint = f"{scope['method']} {_NAMES.sub('*', scope['path'])}"
        sandbox.count(endpoint, "cut" if fault.cut else str(messages[0]["status"]))
        await (_cut if fault.cut else _send)(messages, scope, receive, send)

    return call


def _limited(path: str, sandbox: Sandbox) -> Fault | None:
    """A 429, if the API has been called too often; asking for a token does not count."""
    wait_s = sandbox.over_limit(time.monotonic()) if path.startswith("/v1/") else 0
    return Fault(status=429, retry_after=math.ceil(wait_s)) if wait_s else None


async def _answer(fault: Fault, app: ASGIApp, scope: Scope, receive: Receive) -> list[Any]:
    """The messages of the answer; the effect of the call has happened, or not, as the fault says."""
    instead = fault.status is not None or fault.body is not UNSET
    happens = fault.cut != "before" and (fault.applied or fault.cut is not None or not instead)
    messages: list[Any] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    if happens:
        await app(scope, receive, keep)
    if fault.cut in {"before", "after"}:
        return []
    return _instead(fault) if instead else messages


def _instead(fault: Fault) -> list[Any]:
    status = fault.status or 200
    content: Any = {"success": False, "error": {"message": f"Fault {status}"}} if fault.body is UNSET else fault.body
    body = content.encode() if isinstance(content, str) else msgspec.json.encode(content)
    headers = [(b"content-type", fault.content_type.encode()), (b"content-length", str(len(body)).encode())]
    if fault.retry_after is not UNSET:
        headers.append((b"retry-after", str(fault.retry_after).encode()))
    if 300 <= status < 400:
        headers.append((b"location", b"/_sandbox/state"))
    return [
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": body, "more_body": False},
    ]


async def _send(messages: list[Any], _scope: Scope, _receive: Receive, send: Send) -> None:
    for message in messages:
        await send(message)


async def _cut(messages: list[Any], scope: Scope, receive: Receive, send: Send) -> None:
    """Send half of what there is to send, and close the connection under the answer."""
    for message in messages:
        body = message.get("body", b"")
        half: Any = {**message, "body": body[: len(body) // 2], "more_body": True} if body else message
        await send(half)
    extensions: Any = scope["extensions"]
    extensions[TRANSPORT].close()
    while (await receive())["type"] != "http.disconnect":
        pass
