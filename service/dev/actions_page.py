"""The pages of the actions for rule authors, made from their types: `python -m service.dev.actions_page` writes them."""

import inspect as python
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct, inspect

from service.actions import ACTIONS, Action

_INTRODUCTION = """\
# Actions

What a step can do (`do:`); each page says with what (`with:`). A value may be a template (`${contact.id}`) wherever it is
text or a number. Where the outcome of a call is uncertain (a timeout after the request was sent), all of these are
repeated: they only read, or set values.

*This page and those of the actions are made from the code; a test keeps them fresh.*

| action | what it does |
|---|---|
"""


def pages() -> dict[str, str]:
    """Every page as Markdown, by its path below `docs/rules`: the index, and one for each action."""
    rows = "".join(f"| [{name}](actions/{name}.md) | {_first_line(ACTIONS[name].args)} |\n" for name in ACTIONS)
    return {"actions.md": _INTRODUCTION + rows} | {f"actions/{name}.md": _page(ACTIONS[name]) for name in ACTIONS}


def _page(action: Action) -> str:
    described = python.cleandoc(action.args.__doc__ or "")
    example = "rules:\n  - id: example\n    event: contact.enrolled\n    then:\n" + _step(action.example)
    parts = [f"# {action.name}\n", described + "\n", *_tables(action.args)]
    return "\n".join([*parts, f"```yaml\nversion: 1\n{example}```\n\nAll actions: [actions.md](../actions.md)\n"])


def _step(example: str) -> str:
    first, *rest = example.strip().splitlines()
    return "".join(f"{line}\n" for line in [f"      - {first}", *(f"        {line}" if line else "" for line in rest)])


def _tables(root: type[Struct]) -> Iterator[str]:
    """Write a table for the arguments, and one for every type that they lead to."""
    waiting, seen = [("", root)], {root}
    while waiting:
        name, kind = waiting.pop(0)
        rows = ["| field | type | meaning |", "|---|---|---|"]
        fields = _struct(kind).fields
        for field in fields:
            spelled, inner = _spell(field.type)
            needed = " (required)" if field.required else ""
            rows.append(f"| `{field.encode_name}` | {spelled}{needed} | {_description(field.type)} |")
            for below in inner:
                if below not in seen:
                    seen.add(below)
                    waiting.append((below.__name__, below))
        yield (f"**{name}**: {_first_line(kind)}\n\n" if name else "") + "\n".join(rows) + "\n"


def _struct(kind: type[Struct]) -> inspect.StructType:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)  # noqa: S101 - a type of ours
    return info


def _spell(info: inspect.Type) -> tuple[str, list[type[Struct]]]:
    """Say a type in a rule author's words, and which types of ours it leads to."""
    match info:
        case inspect.Metadata(type=inner):
            return _spell(inner)
        case inspect.UnionType(types=types):
            told = [_spell(one) for one in types if type(one).__name__ not in {"NoneType", "UnsetType"}]
            return " or ".join(words for words, _ in told), [kind for _, kinds in told for kind in kinds]
        case inspect.StructType(cls=cls):
            return cls.__name__, [cls]
        case inspect.ListType(item_type=item):
            words, kinds = _spell(item)
            return f"list of {words}", kinds
        case inspect.LiteralType(values=values):
            return " or ".join(f"`{value}`" for value in values), []
        case _:
            return _WORDS.get(type(info), "any value"), []


_WORDS: dict[Any, str] = {
    inspect.StrType: "text",
    inspect.IntType: "number",
    inspect.FloatType: "number",
    inspect.BoolType: "true or false",
    inspect.DateTimeType: "instant",
    inspect.DictType: "names and values",
}


def _description(info: inspect.Type) -> str:
    if isinstance(info, inspect.Metadata):
        schema: dict[str, Any] = info.extra_json_schema or {}
        return str(schema.get("description") or _description(info.type))
    if isinstance(info, inspect.UnionType):
        return next(filter(None, map(_description, info.types)), "")
    return ""


def _first_line(kind: type[Struct]) -> str:
    return (python.getdoc(kind) or "").partition("\n")[0]


if __name__ == "__main__":
    folder = Path(__file__).parents[2] / "docs" / "rules"
    for path, text in pages().items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
