"""The admin API as a page to read, made from its own description: nothing is loaded from elsewhere."""

from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from service.console.desk import Desk, who


class Operation(Struct, frozen=True, kw_only=True):
    """One thing that the API does."""

    verb: str
    path: str
    says: str
    parameters: tuple[tuple[str, str, str], ...]
    """Name, kind (`query integer`), meaning."""
    body: str
    """Name of the body's type; empty if it takes none."""
    gives: str
    """Name of the type of what it answers, `list of …` for several."""
    token: bool


class Field(Struct, frozen=True, kw_only=True):
    """One field of a type."""

    name: str
    kind: str
    needed: bool
    """Whether it must be given in what is sent; what is answered has all of them."""
    says: str


class Kind(Struct, frozen=True, kw_only=True):
    """One type."""

    says: str
    fields: list[Field]


def api_page(desk: Desk) -> HTTPRouteHandler:
    """Make the handler."""

    @get("/api")
    async def show(request: Request[Any, Any, Any]) -> Response[str]:
        described: dict[str, Any] = request.app.openapi_schema.to_schema()
        schemas = {
            name: Kind(says=schema.get("description", ""), fields=_fields(schema))
            for name, schema in described["components"].get("schemas", {}).items()
        }
        operations = sorted(_operations(described), key=lambda one: (not one.token, one.path, one.verb))
        sent = _with_parts({one.body for one in operations}, schemas)
        shown = {"operations": operations, "schemas": schemas, "sent": sent, "about": described["info"]}
        return desk.page("api.html", who(request), **shown)

    return show


def _operations(described: dict[str, Any]) -> list[Operation]:
    return [
        Operation(
            verb=verb.upper(),
            path=path,
            says=" ".join((one.get("description") or one.get("summary") or "").split()),
            parameters=tuple(_parameter(given) for given in one.get("parameters", ())),
            body=_content(one.get("requestBody", {})),
            gives=_content(one["responses"].get("200", {})),
            token=bool(one.get("security")),
        )
        for path, verbs in described["paths"].items()
        for verb, one in verbs.items()
    ]


def _parameter(given: dict[str, Any]) -> tuple[str, str, str]:
    schema = given.get("schema", {})
    return given["name"], f"{given['in']} {_kind(schema)}", given.get("description") or schema.get("description", "")


def _content(part: dict[str, Any]) -> str:
    schemas = [content.get("schema", {}) for content in part.get("content", {}).values()]
    return _kind(schemas[0]) if schemas else ""


def _fields(schema: dict[str, Any]) -> list[Field]:
    needed = schema.get("required", ())
    return [
        Field(name=name, kind=_kind(field), needed=name in needed, says=field.get("description", ""))
        for name, field in schema.get("properties", {}).items()
    ]


def _with_parts(names: set[str], kinds: dict[str, Kind]) -> set[str]:
    """These types, and those that their fields are of."""
    found = {name for name in names if name in kinds}
    parts = {word for name in found for field in kinds[name].fields for word in field.kind.split()}
    return found if parts & kinds.keys() <= found else _with_parts(found | parts, kinds)


def _kind(schema: dict[str, Any]) -> str:
    """Say a type in a few words."""
    if len(whole := schema.get("allOf", ())) == 1:
        return _kind(whole[0])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if choices := schema.get("oneOf") or schema.get("anyOf"):
        return " or ".join(dict.fromkeys(_kind(one) for one in choices))
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if inner := schema.get("additionalProperties"):
        return f"mapping to {_kind(inner)}"
    return str(schema.get("const") or schema.get("type", "anything"))
