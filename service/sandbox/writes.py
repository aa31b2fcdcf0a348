"""The endpoints that write. Each keeps what it was told, for tests and for people to look at."""

import time
from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from service.sandbox.contract import read_contact, record_of
from service.sandbox.envelope import Refused, done
from service.sandbox.reads import allow_parameters, check_type
from service.sandbox.state import FAULT, Sandbox, Write, contact_id
from service.sandbox.tokens import admit

_FEWEST_DIGITS = 7


@post("/v1/accounts/{account:str}/attributes/{attribute_type:str}")
async def write_attributes(
    request: Request[Any, Any, Any],
    sandbox: NamedDependency[Sandbox],
    account: FromPath[str],
    attribute_type: FromPath[str],
) -> Response[bytes]:
    """Answers what the document answers, literally: the `amount` and `below` of an auto top-up."""
    subject = admit(request, sandbox, account)
    check_type(attribute_type)
    allow_parameters(request)
    contact = read_contact(request.headers.get("content-type", ""), await request.body())
    record = f"{attribute_type}/{record_of(contact)}"
    met = request.state.get(FAULT)
    sandbox.merge(Write(f"attributes/{attribute_type}", record, contact, time.time(), subject, fault=met))
    return done({"amount": 123, "below": 123})


@post("/v1/accounts/{account:str}/contacts")
async def create_contact(
    request: Request[Any, Any, Any], sandbox: NamedDependency[Sandbox], account: FromPath[str]
) -> Response[bytes]:
    """Keyed by mobile number. What the three merge strategies do is not published: here all of them set values."""
    subject = admit(request, sandbox, account)
    allow_parameters(request, "mergeStrategy")
    strategy = request.query_params.get("mergeStrategy", "append")
    if strategy not in {"append", "core", "remove"}:
        raise Refused(400, None, "mergeStrategy must be one of append, core, remove")
    contact = read_contact(request.headers.get("content-type", ""), await request.body())
    digits = "".join(filter(str.isdigit, contact.get("mobile", {}).get("number", "")))
    if len(digits) < _FEWEST_DIGITS:
        return _row_refused({"code": "CONT-001", "description": "Invalid mobile number"})
    record = f"contacts/mobile:{digits}"
    met = request.state.get(FAULT)
    sandbox.merge(Write("contacts", record, contact, time.time(), subject, strategy, met))
    return done(
        [{"id": contact_id(digits), **sandbox.records[record]}],
        status=201,
        pagination={"limit": 1, "offset": 0, "hasNext": False},
    )


def _row_refused(error: dict[str, str]) -> Response[bytes]:
    """The other documented form of the 201: the result of an upload, with rows that were not taken."""
    result = {"submitted": 1, "inserted": 0, "updated": 0, "success": 0, "contacts": [], "errors": [error]}
    return done(result, status=201)
