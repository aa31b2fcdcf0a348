"""The steps of a rule: nodes of `then` -> steps, with what each of them needs to know."""

import re
from typing import Final

from service.engine.action_kind import Actions
from service.engine.check_args import check_args
from service.engine.check_conditions import compile_condition
from service.engine.check_paths import Words
from service.engine.check_phones import check_phones
from service.engine.check_templates import compile_tree
from service.engine.condition import ALWAYS, paths
from service.engine.fields import fields, items, text
from service.engine.paths import FACTS, OBJECTS, SOURCES
from service.engine.problem import Report, near
from service.engine.rule import Step
from service.engine.template import expressions
from service.engine.yaml_nodes import Node

STEP_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def taken_names() -> frozenset[str]:
    """Words that paths of events begin with: no step may be named so."""
    return OBJECTS.union(FACTS, SOURCES)


def check_steps(node: Node | None, objects: tuple[str, ...], actions: Actions, report: Report) -> tuple[Step, ...]:
    """Every step that can be read. `objects`: of the rule's events."""
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
    do = text(given.get("do"), report, "`do`", f"allowed: {', '.join(actions)}")
    name = _check_step_name(given.get("as"), words, report)
    condition = compile_condition(given["if"], words, report) if "if" in given else None
    with_node = given.get("with", Node({}, node.at, node.at))
    tree = compile_tree(with_node, words, report)
    if do is None:
        return None
    if do in actions:
        check_args(with_node, tree, actions[do], report)
        check_phones(with_node, tree, actions[do].phones, report)
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
        line=node.at[0],
        column=node.at[1],
    )


def _check_step_name(node: Node | None, words: Words, report: Report) -> str:
    name = text(node, report, "`as`")
    if node is None or name is None:
        return ""
    if not STEP_NAME.fullmatch(name):
        report.add("R211", node.at, f"`{name}` cannot be the name of a step", "letters, digits and `_`, no digit first")
    elif name in taken_names() or name in words.objects:
        report.add(
            "R211", node.at, f"`{name}` is a word of events", "choose a name of your own, after what the step finds"
        )
    elif name in words.steps:
        report.add("R212", node.at, f"an earlier step is named `{name}` already", "choose another name")
    return name
