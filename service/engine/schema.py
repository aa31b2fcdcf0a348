"""The JSON Schema of rule files, for editors that speak to the YAML language server, and for check-jsonschema.

Draft 7, which is what such editors know best. It is made from the tables that lint uses, so that a new operator, action or
argument is completed without another word. It sees shapes, not meanings: lint sees both.
"""

import inspect as python
from collections.abc import Iterable, Mapping
from typing import Any, Final, get_args

import msgspec

from service.engine.action_kind import ActionKind
from service.engine.check import ACCOUNT, ID
from service.engine.check_phones import FORMAT
from service.engine.check_steps import STEP_NAME, taken_names
from service.engine.operators import OPERATORS
from service.engine.paths import EVENT_NAME, FACTS, OBJECTS_OF, PATH, SOURCES, VERBS_OF, event_sources
from service.engine.properties import STANDARD
from service.engine.rule import Mode
from service.engine.schema_operands import DURATION, SCALAR, TEMPLATE, operand_schema
from service.model import Origin

Schema = dict[str, Any]

_CLOSED: Final = {"source": SOURCES, "origin": get_args(Origin)}
_TEMPLATE: Final = {"$ref": "#/definitions/template"}
_NO_TEMPLATE: Final = {"not": {"pattern": r"\$\{"}}


def rules_schema(actions: Mapping[str, ActionKind]) -> Schema:
    """The schema of one rule file."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Sluice rules",
        "description": "What CRM events mean for Sakari. Check with `sluice rules lint`, which sees more than this schema.",
        **_object(
            {
                "version": {"const": 1, "description": "Of the language; always 1."},
                "account": _account("The Sakari account of the rules of this file that name none themselves."),
                "rules": {"type": ["array", "null"], "items": _ref("rule")},
            },
            required=("version", "rules"),
        ),
        "definitions": {
            "rule": _rule(),
            "event": _event(),
            "condition": _condition(in_step=False),
            "step_condition": _condition(in_step=True),
            "question": _question(in_step=False),
            "step_question": _question(in_step=True),
            "step": _step(actions),
            "template": {"allOf": [_ref("text"), {"pattern": r"\$\{"}]},
            "text": {"type": "string", "pattern": TEMPLATE, "description": "`${path | filter}` fetches a value."},
            "value": _value(),
            **_arguments(actions),
        },
    }


def _rule() -> Schema:
    fields = {
        "id": _text("Its name in traces and metrics, unique over all files. Do not change it later.", ID.pattern),
        "description": {"type": "string", "minLength": 1, "description": "One sentence for your colleagues."},
        "event": {
            "description": "One event or a list of events, `<object>.<verb>`.",
            "anyOf": [_ref("event"), {"type": "array", "minItems": 1, "uniqueItems": True, "items": _ref("event")}],
        },
        "when": _described(_ref("condition"), "Conditions that must all hold; left out: always."),
        "then": {"type": "array", "minItems": 1, "items": _ref("step"), "description": "The steps, in this order."},
        "mode": {
            "enum": list(get_args(Mode)),
            "default": "live",
            "description": "`shadow` decides and records, and calls nothing.",
        },
        "expires": _text(
            "How late a step may still run: `30s`, `15m`, `24h`, `7d`, `2w`; `24h` if left out.", DURATION
        ),
        "account": _account("The Sakari account that its steps call; left out: that of the file, or the default one."),
    }
    return _object(fields, required=("id", "event", "then"))


def _account(description: str) -> Schema:
    return _text(description, ACCOUNT.pattern)


def _event() -> Schema:
    """Any well-formed name; those that Sluice knows are there to be completed."""
    known = [
        f"{word}.{verb}"
        for source, words in OBJECTS_OF.items()
        for word in words
        for verb in VERBS_OF[source]
        if source in event_sources(f"{word}.{verb}")
    ]
    return {"anyOf": [{"enum": sorted(set(known))}, _text("`<object>.<verb>`", EVENT_NAME.pattern)]}


def _condition(*, in_step: bool) -> Schema:
    itself = _ref("step_condition" if in_step else "condition")
    question = _ref("step_question" if in_step else "question")
    several = {"type": "array", "minItems": 1, "items": itself}
    combining: Schema = {
        "all": {**several, "description": "All of these must hold."},
        "any": {**several, "description": "At least one of these must hold."},
        "not": {"anyOf": [itself, several], "description": "Must not hold; of a list none may."},
    }
    facts = {fact: _question(_CLOSED[fact], in_step=in_step) if fact in _CLOSED else question for fact in FACTS}
    known = set() if in_step else _standard_paths()  # a step's `if` seldom asks for the event: the pattern lets it
    return {
        "type": "object",
        "minProperties": 1,
        "properties": combining | facts | dict.fromkeys(sorted(known), question),
        "patternProperties": {_whole(PATH.pattern): question},
        "additionalProperties": False,
        "description": "All keys must hold. A path with a value, a list of values, or operators.",
    }


def _standard_paths() -> set[str]:
    """What an editor can complete; a path that is not among them is as good."""
    return {f"{word}.{name}" for words in STANDARD.values() for word, names in words.items() for name in names}


def _question(values: Iterable[str] | None = None, *, in_step: bool) -> Schema:
    """What may stand behind a path. `values`: all that there are, if that is known."""
    scalar = SCALAR if values is None else {"enum": list(values)}
    operators = {
        name: {**operand_schema(operator, scalar), "description": _first_paragraph(operator.test)}
        for name, operator in OPERATORS.items()
        if not (in_step and operator.asks_for_change)
    }
    plain = {"type": ["string", "number", "boolean"]} if values is None else scalar
    return {
        "anyOf": [
            plain,
            {"type": "array", "minItems": 1, "items": scalar},
            {"type": "object", "minProperties": 1, "properties": operators, "additionalProperties": False},
        ]
    }


def _step(actions: Mapping[str, ActionKind]) -> Schema:
    fields: Schema = {
        "do": {"enum": list(actions), "description": "The action."},
        "as": {
            **_text("A name for what this step finds: later steps ask for `<name>.…`.", STEP_NAME.pattern),
            "not": {"enum": sorted(taken_names())},
        },
        "if": _described(_ref("step_condition"), "Conditions that must all hold; left out: always."),
        "with": {"description": "The action's arguments."},
    }
    cases = [
        {"if": {"properties": {"do": {"const": name}}, "required": ["do"]}, "then": _arguments_of(name, action)}
        for name, action in actions.items()
    ]
    return {**_object(fields, required=("do",)), "allOf": cases}


def _arguments_of(name: str, action: ActionKind) -> Schema:
    needs = any(field.required for field in msgspec.structs.fields(action.args))
    return {"properties": {"with": {"anyOf": [_ref(name), _TEMPLATE]}}, **({"required": ["with"]} if needs else {})}


def _arguments(actions: Mapping[str, ActionKind]) -> Schema:
    """A definition for the arguments of every action (by its name) and for every type in them."""
    kinds = [action.args for action in actions.values()]
    roots, found = msgspec.json.schema_components(kinds, ref_template="#/definitions/{name}")
    names = {root["$ref"]: f"#/definitions/{name}" for root, name in zip(roots, actions, strict=True)}
    definitions = {}
    for key, schema in found.items():
        ref = names.get(f"#/definitions/{key}", f"#/definitions/{key}")
        definitions[ref.removeprefix("#/definitions/")] = _type(schema)
    return definitions


def _type(schema: Schema) -> Schema:
    """A Struct, with templates allowed for its fields."""
    told = {"description": python.cleandoc(schema["description"])} if "description" in schema else {}
    fields = {name: _open(field) for name, field in schema.get("properties", {}).items()}
    required = tuple(schema.get("required", ()))
    return {**_object(fields, required=required), **told}


def _open(schema: Schema) -> Schema:
    """A value, or a template in its place."""
    told: Schema = {key: schema[key] for key in ("description", "default") if key in schema}
    bare = {key: value for key, value in schema.items() if key not in told}
    if bare.get("format") == FORMAT:  # YAML 1.2 takes +15551234567 for a number, and an editor does too
        return {**told, "type": ["string", "integer"]}
    if bare.get("type") == "array" and "items" in bare:
        bare["items"] = _open(bare["items"])
    if bare.get("type") == "object":
        bare |= {"propertyNames": _NO_TEMPLATE, "additionalProperties": _open(bare.get("additionalProperties", {}))}
    kinds = bare.pop("anyOf", []) + ([bare] if bare else [])
    if not kinds:
        return {**told, "allOf": [_ref("value")]}
    if {"type": "string"} in kinds:
        kinds[kinds.index({"type": "string"})] = _ref("text")
    else:
        kinds.append(_TEMPLATE)
    return {**told, "anyOf": kinds}


def _value() -> Schema:
    """Anything, with templates in it."""
    several = {"type": "array", "items": _ref("value")}
    named = {"type": "object", "propertyNames": _NO_TEMPLATE, "additionalProperties": _ref("value")}
    return {"anyOf": [_ref("text"), {"type": ["number", "boolean", "null"]}, several, named]}


def _object(fields: Schema, *, required: tuple[str, ...] = ()) -> Schema:
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "properties": fields, **needed, "additionalProperties": False}


def _text(description: str, pattern: str) -> Schema:
    return {"type": "string", "pattern": _whole(pattern), "description": description}


def _described(schema: Schema, description: str) -> Schema:
    """Beside a `$ref` draft 7 ignores everything."""
    return {"description": description, "allOf": [schema]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _whole(pattern: str) -> str:
    return f"^(?:{pattern})$"


def _first_paragraph(function: object) -> str:
    return " ".join((python.getdoc(function) or "").partition("\n\n")[0].split())
