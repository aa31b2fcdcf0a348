"""Nodes of a rule file -> rules. All mistakes are noted; a rule with an error is left out.

Every function looks after one thing and adds what is wrong to the report, so a new check is a new function.
"""

import re
from typing import Final, cast, get_args

from msgspec import Struct

from service.engine.action_kind import Actions
from service.engine.check_args import check_args
from service.engine.check_conditions import compile_condition
from service.engine.check_paths import Words
from service.engine.check_templates import compile_tree
from service.engine.condition import ALWAYS, paths
from service.engine.fields import choice, fields, items, kind, text
from service.engine.paths import EVENT_NAME, FACTS, OBJECTS, SOURCES, VERBS
from service.engine.problem import Report, near
from service.engine.rule import Mode, Rule, Step
from service.engine.template import expressions
from service.engine.values import DURATION_HINT, duration_ms
from service.engine.yaml_nodes import Node, Position

VERSION: Final = 1
DEFAULT_EXPIRES_MS: Final = 24 * 3_600_000

_ID = re.compile(r"[a-z0-9][a-z0-9_-]*")
_STEP_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Checked(Struct, frozen=True):
    """What a file holds."""

    rules: tuple[Rule, ...] = ()
    ids: tuple[tuple[str, Position], ...] = ()
    """Every rule id of the file and where it stands, those of faulty rules too."""


def check_file(root: Node, actions: Actions, report: Report) -> Checked:
    """The rules of one file."""
    top = fields(root, report, "the file", required=("version", "rules"))
    if top is None:
        return Checked()
    if "version" in top:
        _check_version(top["version"], report)
    if "rules" not in top or top["rules"].value in (None, ()):
        return Checked()
    nodes = items(top["rules"], report, "`rules`", "each rule begins with `- id: …`") or ()
    rules = [check_rule(node, actions, report) for node in nodes]
    return Checked(tuple(rule for rule in rules if rule is not None), tuple(_ids(nodes)))


def check_rule(node: Node, actions: Actions, report: Report) -> Rule | None:
    """One rule; None if it has no id, no event or no step that could be read."""
    given = fields(
        node,
        report,
        "a rule",
        required=("id", "event", "then"),
        optional=("description", "when", "mode", "expires"),
    )
    if given is None:
        return None
    rule_id = _check_id(given.get("id"), report)
    events = _check_events(given.get("event"), report)
    objects = tuple(dict.fromkeys(event.rpartition(".")[0] for event in events))
    when = compile_condition(given["when"], Words(objects), report) if "when" in given else ALWAYS
    steps = _check_steps(given.get("then"), objects, actions, report)
    description = text(given.get("description"), report, "`description`")
    mode = _check_mode(given.get("mode"), report)
    expires_ms = _check_expires(given.get("expires"), report)
    if rule_id is None or not events or not steps:
        return None
    return Rule(
        id=rule_id,
        description=description or "",
        events=events,
        when=when or ALWAYS,
        steps=steps,
        mode=mode,
        expires_ms=expires_ms,
        file=report.file,
        line=node.at[0],
    )


def _ids(nodes: tuple[Node, ...]) -> list[tuple[str, Position]]:
    found = [node.value["id"] for node in nodes if isinstance(node.value, dict) and "id" in node.value]
    return [(node.value, node.at) for node in found if isinstance(node.value, str)]


def _check_version(node: Node, report: Report) -> None:
    if node.value != VERSION or isinstance(node.value, bool | float):
        given = f"`{node.value}`" if isinstance(node.value, int | float) else kind(node)
        report.add("R204", node.at, f"`version` cannot be {given}", f"this is version {VERSION} of the language")


def _check_id(node: Node | None, report: Report) -> str | None:
    rule_id = text(node, report, "`id`")
    if node is not None and rule_id is not None and not _ID.fullmatch(rule_id):
        hint = "small letters, digits, `-` and `_`, beginning with a letter or digit"
        report.add("R205", node.at, f"`{rule_id}` cannot be an id", hint)
    return rule_id


def _check_events(node: Node | None, report: Report) -> tuple[str, ...]:
    if node is None:
        return ()
    nodes = items(node, report, "`event`") if isinstance(node.value, tuple) else (node,)
    events: list[str] = []
    for item in nodes or ():
        name = text(item, report, "an event", "`contact.updated`, or a list of such names")
        if name is None or not _check_event_name(name, item.at, report):
            continue
        if name in events:
            report.add("R214", item.at, f"`{name}` is in the list twice", severity="warning")
            continue
        events.append(name)
    return tuple(events)


def _check_event_name(name: str, at: Position, report: Report) -> bool:
    verb = name.rpartition(".")[2]
    if not EVENT_NAME.fullmatch(name):
        hint = f"`<object>.<verb>`, for instance `contact.updated`; verbs: {', '.join(VERBS)}"
        report.add("R207", at, f"`{name}` is not the name of an event", hint)
        return False
    if verb not in VERBS:
        message = f"`{name}`: Sluice knows no event that ends in `{verb}`"
        report.add("R208", at, message, near(verb, VERBS), severity="warning")
    return True


def _check_mode(node: Node | None, report: Report) -> Mode:
    return "live" if node is None else cast("Mode", choice(node, report, "`mode`", get_args(Mode)) or "live")


def _check_expires(node: Node | None, report: Report) -> int:
    if node is None:
        return DEFAULT_EXPIRES_MS
    span = duration_ms(node.value)
    if not span:
        given = f"`{node.value}`" if isinstance(node.value, str | int | float) else kind(node)
        report.add("R210", node.at, f"`expires` cannot be {given}", DURATION_HINT)
    return span or DEFAULT_EXPIRES_MS


def _check_steps(node: Node | None, objects: tuple[str, ...], actions: Actions, report: Report) -> tuple[Step, ...]:
    steps: list[Step] = []
    names: list[str] = []
    for index, item in enumerate(items(node, report, "`then`", "each step begins with `- do: …`") or ()):
        words = Words(objects, tuple(names), in_step=True)
        step = _check_step(index, item, words, actions, report)
        if step is not None:
            steps.append(step)
            names += [step.name] if step.name else []
    return tuple(steps)


def _check_step(index: int, node: Node, words: Words, actions: Actions, report: Report) -> Step | None:
    given = fields(node, report, "a step", required=("do",), optional=("as", "if", "with"))
    if given is None:
        return None
    do = text(given.get("do"), report, "`do`", near("", actions))
    name = _check_step_name(given.get("as"), words, report)
    condition = compile_condition(given["if"], words, report) if "if" in given else None
    with_node = given.get("with", Node({}, node.at, node.at))
    tree = compile_tree(with_node, words, report)
    if do is None:
        return None
    if do in actions:
        check_args(with_node, tree, actions[do], report)
    else:
        report.add("R501", given["do"].at, f"there is no action `{do}`", near(do, actions))
    asked = frozenset[str]() if condition is None else paths(condition)
    filled = list(expressions(tree))
    every = asked | {expression.path for expression in filled}
    results = frozenset(path for path in every if words.is_result(path))
    return Step(
        index=index,
        do=do,
        name=name,
        if_=condition or ALWAYS,
        with_=tree,
        uses=every - results,
        needs=frozenset(expression.path for expression in filled if expression.needs_value) - results,
        results=results,
        conditional="if" in given,
    )


def _check_step_name(node: Node | None, words: Words, report: Report) -> str:
    name = text(node, report, "`as`")
    if node is None or name is None:
        return ""
    if not _STEP_NAME.fullmatch(name):
        report.add("R211", node.at, f"`{name}` cannot be the name of a step", "letters, digits and `_`, no digit first")
    elif name in (*FACTS, *SOURCES, *OBJECTS, *words.objects):
        report.add(
            "R211", node.at, f"`{name}` is a word of events", "choose a name of your own, after what the step finds"
        )
    elif name in words.steps:
        report.add("R212", node.at, f"an earlier step is named `{name}` already", "choose another name")
    return name
