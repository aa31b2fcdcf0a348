"""All rules of a deployment, under a version that is the hash of their texts."""

import hashlib
from collections.abc import Iterable

from msgspec import Struct

from service.engine.index import Index, build_index
from service.engine.rule import Rule


class RuleSet(Struct, frozen=True, kw_only=True):
    """Rules in the order of their files' names and of the files."""

    version: str
    """16 hex digits of the SHA-256 over names and texts of the files."""
    rules: tuple[Rule, ...]
    files: dict[str, str]
    """File name -> text; `load` makes the same rule set of them again."""
    by_id: dict[str, Rule]
    index: Index


def rule_set(rules: Iterable[Rule], files: dict[str, str]) -> RuleSet:
    """A rule set of checked rules. `files`: the texts that they stand in."""
    ordered = tuple(rules)
    return RuleSet(
        version=version_of(files),
        rules=ordered,
        files=files,
        by_id={rule.id: rule for rule in ordered},
        index=build_index(ordered),
    )


def version_of(files: dict[str, str]) -> str:
    """The version that a rule set of these files has."""
    digest = hashlib.sha256()
    for name, text in sorted(files.items()):
        for part in (name.encode(), text.encode()):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.hexdigest()[:16]
