"""`python -m tests.bench.echo PORT`: the yardstick of the ingress, a bare Litestar that reads a body and answers.

The server is set up exactly as `sluice serve` sets up its own: one process, uvloop, httptools, no access log.
"""

import sys
from typing import Any

import uvicorn
from litestar import Litestar, Request, get, post
from msgspec import Struct


class Answer(Struct, frozen=True):
    """What the ingress answers too."""

    accepted: int
    duplicates: int


_ANSWER = Answer(1, 0)


@post("/webhooks/hubspot", status_code=200)
async def echo(request: Request[Any, Any, Any]) -> Answer:
    """Read the body, and do nothing with it."""
    await request.body()
    return _ANSWER


@get("/livez")
async def livez() -> str:
    return "ok"


app = Litestar([echo, livez], logging_config=None, openapi_config=None)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_config=None, access_log=False, server_header=False)
