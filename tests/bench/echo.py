"""`python -m tests.bench.echo PORT [asgi]`: the yardsticks of the ingress, which read a body and answer.

A bare Litestar; and with `asgi` a bare function under the same server, the least that there could be. The server is uvicorn,
one process with uvloop and httptools and without an access log. `sluice serve` has the same, but for two things: here head and
body of an answer are written each by itself, and headers of proxies are looked for.
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


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """Read the body, and answer."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    body = b'{"accepted":1,"duplicates":0}'
    headers = [(b"content-type", b"application/json"), (b"content-length", b"29")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


app = Litestar([echo, livez], logging_config=None, openapi_config=None)

if __name__ == "__main__":
    served: Any = asgi if sys.argv[2:] == ["asgi"] else app
    uvicorn.run(
        served,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        lifespan="auto" if served is app else "off",
        log_config=None,
        access_log=False,
        server_header=False,
    )
