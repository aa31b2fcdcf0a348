"""A step's `with` against the Args type of its action: every field, however deep, with its own line."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import inspect

from service.engine.action_kind import Check, Wanted
from service.engine.check_scalars import Fault, bare, choice_faults, length_faults, scalar_faults, wrong_kind
from service.engine.problem import Report, near
from service.engine.template import Expression, Joined, Tree, expressions
from service.engine.yaml_nodes import Node, Position, to_plain


def check_args(node: Node, tree: Tree, wanted: Wanted, report: Report) -> None:
    """Note what the action would refuse. `tree`: the node with its templates compiled."""
    faults = list(_faults(node, tree, wanted.args, "`with`"))
    if wanted.check is not None and isinstance(tree, dict):
        faults += _lacks(node, tree, wanted.check)
    for code, at, message, hint in faults:
        report.add(code, at, message, hint)


def _lacks(node: Node, tree: dict[str, Tree], check: Check) -> Iterable[Fault]:
    """What the action says itself."""
    found = check({name: _known(child) for name, child in tree.items()})
    if found is not None:
        place, message = found
        yield "R506", _nearest(node, place), message, ""


def _known(tree: Tree) -> Any:
    """The tree with `...` for what only a run will know."""
    if isinstance(tree, dict):
        return {name: _known(child) for name, child in tree.items()}
    if isinstance(tree, tuple):
        return [_known(child) for child in tree]
    return ... if isinstance(tree, Expression | Joined) else tree


def _nearest(node: Node, place: str) -> Position:
    """Where the dotted place stands, or what there is of it."""
    for word in place.split("."):
        if not isinstance(node.value, dict) or word not in node.value:
            break
        node = node.value[word]
    return node.key_at


def _faults(node: Node, tree: Tree, wanted: inspect.Type, what: str) -> Iterable[Fault]:
    wanted = bare(wanted)
    if isinstance(tree, Expression) or isinstance(wanted, inspect.AnyType):
        return
    if isinstance(wanted, inspect.UnionType):
        yield from _union_faults(node, tree, wanted, what)
    elif isinstance(wanted, inspect.StructType):
        yield from _struct_faults(node, tree, wanted, what)
    elif isinstance(wanted, inspect.DictType):
        yield from _dict_faults(node, tree, wanted, what)
    elif isinstance(wanted, inspect.ListType | inspect.VarTupleType | inspect.SetType | inspect.FrozenSetType):
        yield from _list_faults(node, tree, wanted, what)
    elif isinstance(tree, Joined):
        return
    elif isinstance(wanted, inspect.LiteralType | inspect.EnumType):
        yield from choice_faults(node, wanted, what)
    else:
        yield from scalar_faults(node, wanted, what)


def _union_faults(node: Node, tree: Tree, wanted: inspect.UnionType, what: str) -> Iterable[Fault]:
    """If no member fits: the complaints of the member that comes closest, or one that names them all."""
    tries = [list(_faults(node, tree, member, what)) for member in wanted.types]
    if all(tries):
        closest = [faults for faults in tries if faults[0][0] != "R504" or faults[0][1] != node.at]
        yield from min(closest, key=len) if closest else [wrong_kind(node, wanted, what)]


def _struct_faults(node: Node, tree: Tree, wanted: inspect.StructType, what: str) -> Iterable[Fault]:
    faults = list(_field_faults(node, tree, wanted, what))
    yield from faults
    if not faults and not any(expressions(tree)):
        yield from _refusals(node, wanted, what)


def _refusals(node: Node, wanted: inspect.StructType, what: str) -> Iterable[Fault]:
    """What the type itself says where templates leave nothing open (a Struct may check its fields together)."""
    try:
        msgspec.convert(to_plain(node), wanted.cls)
    except msgspec.ValidationError as fault:
        yield "R506", node.key_at, f"the action refuses {what}: {fault}", ""


def _field_faults(node: Node, tree: Tree, wanted: inspect.StructType, what: str) -> Iterable[Fault]:
    if not isinstance(node.value, dict):
        yield wrong_kind(node, wanted, what)
        return
    known = {field.encode_name: field for field in wanted.fields}
    for name, child in node.value.items():
        if name in known:
            yield from _faults(child, tree[name], known[name].type, f"`{name}`")
        elif name == wanted.tag_field:
            if child.value != wanted.tag:
                yield "R505", child.at, f"`{name}` cannot be `{child.value}`", f"allowed: {wanted.tag}"
        else:
            yield "R503", child.key_at, f"{what} has no argument `{name}`", near(name, known)
    for name, field in known.items():
        if field.required and name not in node.value:
            required = ", ".join(field.encode_name for field in wanted.fields if field.required)
            yield "R502", node.key_at, f"{what} has no `{name}`", f"required: {required}"


def _dict_faults(node: Node, tree: Tree, wanted: inspect.DictType, what: str) -> Iterable[Fault]:
    if not isinstance(node.value, dict):
        yield wrong_kind(node, wanted, what)
        return
    yield from length_faults(node, wanted, what, len(node.value), "keys")
    for name, child in node.value.items():
        yield from _faults(Node(name, child.key_at, child.key_at), name, wanted.key_type, f"the key `{name}`")
        yield from _faults(child, tree[name], wanted.value_type, f"`{name}`")


def _list_faults(node: Node, tree: Tree, wanted: Any, what: str) -> Iterable[Fault]:
    if not isinstance(node.value, tuple):
        yield wrong_kind(node, wanted, what)
        return
    yield from length_faults(node, wanted, what, len(node.value), "items")
    for child, subtree in zip(node.value, tree, strict=True):
        yield from _faults(child, subtree, wanted.item_type, f"an item of {what}")
