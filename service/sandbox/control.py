"""`/_sandbox`: looking at the sandbox and telling it how to behave. No part of Sakari; no token needed."""

from typing import Any, TypeVar

import msgspec
from litestar import Request, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from service.sandbox.envelope import Refused, answer
from service.sandbox.state import Campaign, Misbehaviour, Sandbox

T = TypeVar("T")


@get("/_sandbox/state")
async def show_state(sandbox: NamedDependency[Sandbox]) -> Response[bytes]:
    """Calls as endpoint -> outcome -> count, records as name -> merged values, and every write in order."""
    return answer({"calls": sandbox.calls, "contacts": sandbox.records, "writes": sandbox.writes})


@delete("/_sandbox/state", status_code=200)
async def reset_state(sandbox: NamedDependency[Sandbox]) -> Response[bytes]:
    sandbox.reset()
    return answer({})


@put("/_sandbox/campaigns/{campaign:str}")
async def put_campaign(
    request: Request[Any, Any, Any], sandbox: NamedDependency[Sandbox], campaign: FromPath[str]
) -> Response[bytes]:
    sandbox.campaigns[campaign] = _read(await request.body(), Campaign)
    return answer({})


@put("/_sandbox/misbehaviour")
async def put_misbehaviour(request: Request[Any, Any, Any], sandbox: NamedDependency[Sandbox]) -> Response[bytes]:
    sandbox.misbehave(_read(await request.body(), Misbehaviour))
    return answer({})


@post("/_sandbox/revoke-tokens", status_code=200)
async def revoke_tokens(sandbox: NamedDependency[Sandbox]) -> Response[bytes]:
    sandbox.tokens.clear()
    return answer({})


def _read(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise Refused(400, None, str(error)) from None
