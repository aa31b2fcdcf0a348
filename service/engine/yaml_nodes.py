"""YAML text -> a tree of nodes with positions. Scalars as YAML 1.2 understands them, minus its surprises.

PyYAML's C composer builds the tree and the marks; the meaning of plain scalars, duplicate keys and every limit are
ours. Nothing here raises: what cannot be read is a problem in the report.
"""

from typing import Any, Final, cast

import yaml
from msgspec import Struct
from yaml._yaml import CParser

from service.engine.problem import Report
from service.engine.yaml_scalars import Scalar, plain_scalar

EMPTY = "its content may have got lost; if it is meant to be empty, write `rules: []`, or delete it"
MAX_BYTES: Final = 2 * 1024 * 1024
MAX_DEPTH: Final = 50
MAX_NODES: Final = 400_000
"""Nodes of one file after its aliases are followed; 10,000 rules have about 250,000."""

Position = tuple[int, int]


class Node(Struct, frozen=True, gc=False):
    """One value of a file. Lines and columns are 1-based.

    A tree of them has no cycles, so the garbage collector need not walk the hundreds of thousands of a large rule set.
    """

    value: "Scalar | tuple[Node, ...] | dict[str, Node]"
    at: Position
    key_at: Position
    """Where the key stands that this is the value of; where the value itself stands if it has no key."""


class _RefusedError(Exception):
    def __init__(self, code: str, mark: yaml.Mark, message: str, hint: str = "") -> None:
        super().__init__(code)
        self.code, self.mark, self.message, self.hint = code, mark, message, hint


class _Composer(CParser):
    """The C composer with limits. It asks for a tag where none is written: the answer is empty, meaning plain."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.nodes = 0

    def descend_resolver(self, parent: yaml.Node | None, _index: object) -> None:
        self.depth += 1
        self.nodes += 1
        if parent is not None and (self.depth > MAX_DEPTH or self.nodes > MAX_NODES):
            raise _too_deep(parent.start_mark) if self.depth > MAX_DEPTH else _too_many(parent.start_mark)

    def ascend_resolver(self) -> None:
        self.depth -= 1

    def resolve(self, _kind: object, _value: object, _implicit: object) -> str:
        return ""


def read_yaml(raw: bytes, report: Report) -> Node | None:
    """The tree of one document; None if there is none or it has problems, which are then in `report`.

    `report` must have been made with the text of `raw` (see `decode`).
    """
    if len(raw) > MAX_BYTES:
        report.add("R109", (1, 1), f"the file has {len(raw):,} bytes", f"at most {MAX_BYTES:,}: split it by topic")
        return None
    text = decode(raw)
    if text is None:
        report.add("R101", _first_bad_byte(raw), "this is not UTF-8 text", "save the file with the encoding UTF-8")
        return None
    return _compose(text, report)


def decode(raw: bytes) -> str | None:
    """The text of a file without a byte order mark; None if it is not UTF-8."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _first_bad_byte(raw: bytes) -> Position:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as fault:
        raw = raw[: fault.start]
    return raw.count(b"\n") + 1, len(raw[raw.rfind(b"\n") + 1 :].decode("utf-8")) + 1


def _compose(text: str, report: Report) -> Node | None:
    try:
        composer = _Composer(text)
        if not composer.check_node():
            report.add("R111", (1, 1), "the file holds nothing", EMPTY)
            return None
        root = composer.get_node()
        second = composer.get_node() if composer.check_node() else None
        if second is not None:
            at = _position(second.start_mark)
            report.add("R106", at, "a second document begins here", "one document a file: remove the `---`")
        return _Converter(report).convert(root, None, 0) if root is not None else None
    except _RefusedError as refused:
        report.add(refused.code, _position(refused.mark), refused.message, refused.hint)
    except yaml.MarkedYAMLError as fault:
        _report_syntax(fault, report)
    except yaml.reader.ReaderError as fault:
        before = text.encode()[: fault.position].decode(errors="ignore")
        at = before.count("\n") + 1, len(before) - before.rfind("\n")
        report.add(
            "R102", at, "a control character stands here", "remove it, or write it as an escape in double quotes"
        )
    return None


def _report_syntax(fault: yaml.MarkedYAMLError, report: Report) -> None:
    at = _position(fault.problem_mark or fault.context_mark)
    context = ""
    if fault.context:
        begun = f" that began on line {fault.context_mark.line + 1}" if fault.context_mark else ""
        context = f" ({fault.context}{begun})"
    here = report.source_line(at[0])[at[1] - 1 : at[1]]
    hint = {
        "\t": "YAML is indented with spaces, not with tabs",
        "@": "put a text that begins with @ in quotes",
        "`": "put a text that begins with ` in quotes",
        "%": "put a text that begins with % in quotes",
    }.get(here, "")
    if fault.problem and "mapping values" in fault.problem:
        hint = "put a text that holds `: ` in quotes, or check the indentation of this line"
    report.add("R102", at, f"{fault.problem}{context}", hint)


class _Converter:
    """Composer nodes -> our nodes: follows aliases, gives scalars their meaning, refuses what a rule must not hold."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.nodes = 0
        self.open: set[int] = set()

    def convert(self, node: yaml.Node, key: yaml.Mark | None, depth: int) -> Node | None:
        """The node, or None where the report says why not. Raises _RefusedError when a limit is passed."""
        self.nodes += 1
        mark = node.start_mark
        if self.nodes > MAX_NODES:
            raise _too_many(mark)
        at = (mark.line + 1, mark.column + 1)
        if node.tag:
            self.problem(
                "R108", mark, f"`{node.tag}` is a YAML tag", "tags are not used in rules: quote a value to make it text"
            )
            return None
        key_at = (key.line + 1, key.column + 1) if key else at
        if isinstance(node, yaml.ScalarNode):
            return Node(node.value if node.style else plain_scalar(node.value), at, key_at)
        return Node(self.collection(cast("yaml.CollectionNode", node), depth), at, key_at)

    def collection(self, node: yaml.CollectionNode, depth: int) -> "tuple[Node, ...] | dict[str, Node]":
        if id(node) in self.open:
            raise _RefusedError("R105", node.start_mark, "this contains itself through an alias")
        if depth >= MAX_DEPTH:
            raise _too_deep(node.start_mark)
        self.open.add(id(node))
        items = self.mapping(node, depth) if isinstance(node, yaml.MappingNode) else self.sequence(node, depth)
        self.open.remove(id(node))
        return items

    def sequence(self, node: yaml.CollectionNode, depth: int) -> "tuple[Node, ...]":
        converted = (self.convert(item, None, depth + 1) for item in node.value)
        return tuple(item for item in converted if item is not None)

    def mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Node]:
        items: dict[str, Node] = {}
        for key, value in node.value:
            name = self.key(key, items)
            converted = self.convert(value, key.start_mark, depth + 1)
            if name is not None and converted is not None:
                items.setdefault(name, converted)
        return items

    def key(self, key: yaml.Node, taken: dict[str, Node]) -> str | None:
        quoted = isinstance(key, yaml.ScalarNode) and bool(key.style)
        name = plain_scalar(key.value) if isinstance(key, yaml.ScalarNode) and not quoted else key.value
        if key.tag:
            self.problem("R108", key.start_mark, f"`{key.tag}` is a YAML tag", "tags are not used in rules")
        elif not isinstance(name, str):
            hint = f'quote it: "{key.value}"' if isinstance(key, yaml.ScalarNode) and key.value else "keys are words"
            self.problem("R107", key.start_mark, "this key is not text", hint)
        elif name == "<<" and not quoted:
            hint = "write the keys out: a rule is read by people who do not know YAML's merge key"
            self.problem("R110", key.start_mark, "`<<` merges are not used in rules", hint)
        elif name in taken:
            first = taken[name].key_at
            self.problem("R103", key.start_mark, f"`{name}` is given twice", f"first on line {first[0]}")
        else:
            return name
        return None

    def problem(self, code: str, mark: yaml.Mark, message: str, hint: str) -> None:
        self.report.add(code, _position(mark), message, hint)


def to_plain(node: Node) -> Any:
    """The node as plain lists, dicts and scalars."""
    if isinstance(node.value, dict):
        return {name: to_plain(child) for name, child in node.value.items()}
    if isinstance(node.value, tuple):
        return [to_plain(child) for child in node.value]
    return node.value


def _position(mark: yaml.Mark | None) -> Position:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _too_deep(mark: yaml.Mark) -> _RefusedError:
    return _RefusedError("R104", mark, f"this is nested deeper than {MAX_DEPTH} levels")


def _too_many(mark: yaml.Mark) -> _RefusedError:
    hint = "aliases that hold aliases multiply: write the values out"
    return _RefusedError("R105", mark, f"the file grows to more than {MAX_NODES:,} values", hint)
