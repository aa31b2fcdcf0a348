"""The endpoints that read: executions, attribute definitions, the account."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from service.sandbox.envelope import Refused, done
from service.sandbox.state import Campaign, Sandbox, contact_id
from service.sandbox.tokens import admit

ATTRIBUTE_TYPES = ("contacts", "deals", "tickets")

_MADE = {"at": "2026-01-05T09:00:00Z", "by": {"id": "65f0", "name": "Sandbox", "source": "hub"}}


@get("/v1/accounts/{account:str}/dripcampaigns/{campaign:str}/executions")
async def fetch_executions(
    request: Request[Any, Any, Any], sandbox: NamedDependency[Sandbox], account: FromPath[str], campaign: FromPath[str]
) -> Response[bytes]:
    """Takes `versionId` and `offset`, as documented, and refuses every other parameter."""
    admit(request, sandbox, account)
    allow_parameters(request, "versionId", "offset")
    offset = request.query_params.get("offset", "0")
    if not (offset.isascii() and offset.isdigit()):
        raise Refused(400, None, "offset must be an integer of at least 0")
    if campaign not in sandbox.campaigns:
        raise Refused(404, None, "No such drip campaign")
    return page(sandbox.campaigns[campaign], int(offset))


@get("/v1/accounts/{account:str}/dripcampaigns")
async def fetch_campaigns(
    request: Request[Any, Any, Any], sandbox: NamedDependency[Sandbox], account: FromPath[str]
) -> Response[bytes]:
    admit(request, sandbox, account)
    allow_parameters(request, "offset", "limit")
    data = [{"id": name, "name": f"Campaign {name}"} for name in sandbox.campaigns]
    return done(data, pagination={"limit": 100, "offset": 0, "hasNext": False})


@get("/v1/accounts/{account:str}/contacts")
async def fetch_contacts(
    request: Request[Any, Any, Any], sandbox: NamedDependency[Sandbox], account: FromPath[str]
) -> Response[bytes]:
    """Contacts that were written here, by a part of their number, as documented."""
    admit(request, sandbox, account)
    allow_parameters(request, "mobile", "offset", "limit")
    part = "".join(filter(str.isdigit, request.query_params.get("mobile", "")))
    known = {name.partition(":")[2]: record for name, record in sandbox.records.items() if name.startswith("contacts/")}
    data = [{"id": contact_id(name), **record} for name, record in known.items() if part in name]
    return done(data, pagination={"limit": 100, "offset": 0, "hasNext": False})


def page(campaign: Campaign, offset: int) -> Response[bytes]:
    rows, size, shape = campaign.executions, campaign.page_size, campaign.shape
    if shape == "null":
        return done(None)
    if shape == "object":
        return done(rows[offset] if offset < len(rows) else None)
    start = 0 if shape == "offset_ignored" else offset
    data = rows[start : start + size]
    if shape == "list_without_pagination":
        return done(data)
    pagination: dict[str, Any] = {"limit": size, "offset": offset}
    if shape == "totalcount":
        return done(data, pagination={**pagination, "totalCount": len(rows)})
    more = shape in {"hasnext_lies", "offset_ignored"} or start + size < len(rows)
    return done(data, pagination={**pagination, "hasNext": more})


@get("/v1/accounts/{account:str}/attributes")
async def fetch_attributes(
    request: Request[Any, Any, Any], sandbox: NamedDependency[Sandbox], account: FromPath[str]
) -> Response[bytes]:
    admit(request, sandbox, account)
    return _definitions(sandbox, ATTRIBUTE_TYPES)


@get("/v1/accounts/{account:str}/attributes/{attribute_type:str}")
async def fetch_attributes_of_type(
    request: Request[Any, Any, Any],
    sandbox: NamedDependency[Sandbox],
    account: FromPath[str],
    attribute_type: FromPath[str],
) -> Response[bytes]:
    admit(request, sandbox, account)
    check_type(attribute_type)
    return _definitions(sandbox, (attribute_type,))


def _definitions(sandbox: Sandbox, types: tuple[str, ...]) -> Response[bytes]:
    """One definition for every custom attribute that was ever written here."""
    names = sorted(
        {
            (kind, name)
            for key, record in sandbox.records.items()
            for name in record.get("attributes", {})
            if (kind := key.partition("/")[0]) in types
        }
    )
    data = [
        {
            "id": f"{kind}-{name}",
            "name": name,
            "label": name,
            "type": kind,
            "dataType": "text",
            "created": _MADE,
            "updated": _MADE,
        }
        for kind, name in names
    ]
    return done(data, pagination={"limit": 100, "offset": 0, "hasNext": False})


@get("/v1/accounts/{account:str}")
async def fetch_account(
    request: Request[Any, Any, Any], sandbox: NamedDependency[Sandbox], account: FromPath[str]
) -> Response[bytes]:
    admit(request, sandbox, account)
    return done({"id": account, "name": "Sandbox"})


@get("/v1/accounts/{account:str}/balance")
async def fetch_balance(
    request: Request[Any, Any, Any], sandbox: NamedDependency[Sandbox], account: FromPath[str]
) -> Response[bytes]:
    admit(request, sandbox, account)
    return done({"balance": 100.0, "currency": "USD"})


def check_type(attribute_type: str) -> None:
    if attribute_type not in ATTRIBUTE_TYPES:
        raise Refused(400, None, f"attributeType must be one of {', '.join(ATTRIBUTE_TYPES)}")


def allow_parameters(request: Request[Any, Any, Any], *names: str) -> None:
    for name, _ in request.query_params.multi_items():
        if name not in names or len(request.query_params.getall(name)) > 1:
            raise Refused(400, None, f"Unknown or repeated query parameter `{name}`")
