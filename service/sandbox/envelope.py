"""Sakari's envelope, as its documentation gives it: `{"success": …, "data": …}` or `{"success": false, "error": …}`."""

from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException


class Refused(Exception):
    """`code` is a published one, or None: for most refusals no code is published."""

    def __init__(self, status: int, code: str | None, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def answer(content: Any, status: int = 200) -> Response[bytes]:
    return Response(msgspec.json.encode(content), status_code=status, media_type="application/json")


def done(data: Any, *, status: int = 200, pagination: dict[str, Any] | None = None) -> Response[bytes]:
    paged = {} if pagination is None else {"pagination": pagination}
    return answer({"success": True, **paged, "data": data}, status)


def refuse(_: Request[Any, Any, Any], refused: Refused) -> Response[bytes]:
    code = {} if refused.code is None else {"code": refused.code}
    return answer({"success": False, "error": {**code, "message": refused.message}}, refused.status)


def refuse_route(_: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    return answer({"success": False, "error": {"message": error.detail}}, error.status_code)
