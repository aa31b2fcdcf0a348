"""The API's description takes its words from the docstrings of its types: said once, for readers of the code and of the API."""

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache

from litestar._openapi.schema_generation import SchemaCreator
from litestar._openapi.schema_generation.plugins.struct import StructSchemaPlugin
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition


class DescribedStructs(StructSchemaPlugin):
    """Describes a Struct by its docstring, and each field by the text below it."""

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: SchemaCreator) -> Schema:
        """Make the schema of a Struct."""
        schema = super().to_openapi_schema(field_definition, schema_creator)
        kind: type = field_definition.annotation
        schema.description = " ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split())
        words = {name: text for one in reversed(kind.__mro__) for name, text in _fields(one).items()}
        fields = schema.properties or {}
        schema.properties = {name: _described(field, words.get(name, "")) for name, field in fields.items()}
        return schema


def _described(field: Schema | Reference, text: str) -> Schema | Reference:
    """The same field with a text; a reference cannot have one, so it is wrapped."""
    if isinstance(field, Schema):
        field.description = field.description or text or None
        return field
    return Schema(all_of=[field], description=text) if text else field


def _fields(kind: type) -> dict[str, str]:
    """What stands below each field of a class; nothing where its source is not at hand."""
    return _classes(kind.__module__).get(kind.__qualname__, {})


@cache
def _classes(module: str) -> dict[str, dict[str, str]]:
    try:
        parsed = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError):
        return {}
    return {node.name: dict(_texts(node)) for node in parsed.body if isinstance(node, ast.ClassDef)}


def _texts(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, below in zip(node.body, node.body[1:], strict=False):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, " ".join(text.split())
