"""Nodes of a rule file -> rules. All mistakes are noted; a rule with an error is left out.

Every function looks after one thing and adds what is wrong to the report, so a new check is a new function.
"""

import re
from typing import Final, cast, get_args

from msgspec import Struct

from service.engine.action_kind import Actions
from service.engine.check_conditions import compile_condition
from service.engine.check_meaning import check_meaning
from service.engine.check_paths import Words
from service.engine.check_steps import check_steps
from service.engine.condition import ALWAYS
from service.engine.fields import choice, fields, items, kind, text
from service.engine.paths import EVENT_NAME, VERBS
from service.engine.problem import Report, near
from service.engine.rule import Mode, Rule, used_by
from service.engine.values import DURATION_HINT, duration_ms
from service.engine.yaml_nodes import EMPTY, Node, Position
from service.model import DEFAULT_ACCOUNT

VERSION: Final = 1
DEFAULT_EXPIRES_MS: Final = 24 * 3_600_000

ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")
ACCOUNT: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
"""It is part of the names of settings: `SLUICE_SAKARI_<ACCOUNT>_CLIENT_ID`."""


class Checked(Struct, frozen=True):
    """What a file holds."""

    rules: tuple[Rule, ...] = ()
    ids: tuple[tuple[str, Position], ...] = ()
    """Every rule id of the file and where it stands, those of faulty rules too."""
    found: int = 0
    """How many rules the file holds, faulty ones too."""


def check_file(root: Node, actions: Actions, report: Report) -> Checked:
    """The rules of one file."""
    top = fields(root, report, "the file", required=("version", "rules"), optional=("account",))
    if top is None:
        return Checked()
    if "version" in top:
        check_version(top["version"], report)
    account = _check_account(top.get("account"), report) or DEFAULT_ACCOUNT
    if "rules" in top and top["rules"].value is None:
        report.add("R111", top["rules"].at, "`rules:` holds nothing", EMPTY)
    if "rules" not in top or top["rules"].value in (None, ()):
        return Checked()
    nodes = items(top["rules"], report, "`rules`", "each rule begins with `- id: …`") or ()
    rules = [check_rule(node, actions, report, account) for node in nodes]
    return Checked(tuple(rule for rule in rules if rule is not None), tuple(_ids(nodes)), len(nodes))


def check_rule(node: Node, actions: Actions, report: Report, account: str = DEFAULT_ACCOUNT) -> Rule | None:
    """One rule; None if it has no id, no event or no step that could be read. `account`: of its file."""
    given = fields(
        node,
        report,
        "a rule",
        required=("id", "event", "then"),
        optional=("description", "when", "mode", "expires", "account"),
    )
    if given is None:
        return None
    rule_id = _check_id(given.get("id"), report)
    events = _check_events(given.get("event"), report)
    objects = tuple(dict.fromkeys(event.rpartition(".")[0] for event in events))
    before = len(report.problems)
    when = compile_condition(given["when"], Words(objects), report) if "when" in given else ALWAYS
    whole = all(problem.severity == "warning" or problem.code == "R310" for problem in report.problems[before:])
    steps = check_steps(given.get("then"), objects, actions, report)
    if when is not None and whole:  # a condition without its faulty parts asks for something else
        check_meaning(events, when, steps, given, report)
    description = text(given.get("description"), report, "`description`")
    mode = _check_mode(given.get("mode"), report)
    expires_ms = _check_expires(given.get("expires"), report)
    account = _check_account(given.get("account"), report) or account
    if rule_id is None or not events or not steps:
        return None
    return Rule(
        id=rule_id,
        description=description or "",
        events=tuple(events),
        when=when or ALWAYS,
        steps=steps,
        uses=used_by(steps),
        mode=mode,
        expires_ms=expires_ms,
        account=account,
        file=report.file,
        line=node.at[0],
        column=node.at[1],
    )


def _ids(nodes: tuple[Node, ...]) -> list[tuple[str, Position]]:
    found = [node.value["id"] for node in nodes if isinstance(node.value, dict) and "id" in node.value]
    return [(node.value, node.at) for node in found if isinstance(node.value, str)]


def check_version(node: Node, report: Report) -> None:
    """Note a version of the language that is not this one."""
    if node.value != VERSION or isinstance(node.value, bool | float):
        given = f"`{node.value}`" if isinstance(node.value, int | float) else kind(node)
        report.add("R204", node.at, f"`version` cannot be {given}", f"this is version {VERSION} of the language")


def _check_id(node: Node | None, report: Report) -> str | None:
    rule_id = text(node, report, "`id`")
    if node is not None and rule_id is not None and not ID.fullmatch(rule_id):
        hint = "small letters, digits, `-` and `_`, beginning with a letter or digit"
        report.add("R205", node.at, f"`{rule_id}` cannot be an id", hint)
    return rule_id


def _check_events(node: Node | None, report: Report) -> dict[str, Position]:
    """Each event, and where it stands."""
    if node is None:
        return {}
    nodes = items(node, report, "`event`") if isinstance(node.value, tuple) else (node,)
    events: dict[str, Position] = {}
    for item in nodes or ():
        name = text(item, report, "an event", "`contact.updated`, or a list of such names")
        if name is None or not _check_event_name(name, item.at, report):
            continue
        if name in events:
            report.add("R214", item.at, f"`{name}` is in the list twice", severity="warning")
            continue
        events[name] = item.at
    return events


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


def _check_account(node: Node | None, report: Report) -> str | None:
    """The name of a Sakari account. Which there are is known to the workers only."""
    name = text(node, report, "`account`")
    if node is not None and name is not None and not ACCOUNT.fullmatch(name):
        hint = "small letters, digits and `_`, beginning with a letter, as in SLUICE_SAKARI_ACCOUNTS"
        report.add("R215", node.at, f"`{name}` cannot be the name of a Sakari account", hint)
        return None
    return name
