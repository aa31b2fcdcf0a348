"""House rules that matter, held by reading the code."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from service import errors

ROOT = Path(__file__).parents[1]
SERVICE = ROOT / "service"

FLOORS = [
    {"errors", "phones", "model"},
    {"settings", "observe"},
    {"sources", "engine", "sakari", "store", "sandbox"},
    {"actions"},
    {"insight"},
    {"ingress", "worker", "console"},
    {"app", "dev", "cli", "__main__"},
]
"""Lowest first. A room imports from lower floors only; the top floor wires, so its files may import one another."""

BANNED = {"engine": {"httpx", "redis", "arq", "litestar", "os", "socket", "time", "random"}}


def _room(path: Path) -> str:
    return path.relative_to(SERVICE).parts[0].removesuffix(".py")


def _floor(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def _modules() -> list[Path]:
    return sorted(path for path in SERVICE.rglob("*.py") if path != SERVICE / "__init__.py")


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "service":
            yield from (f"service.{name.name}" for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(SERVICE)))
def test_a_room_imports_from_lower_floors_only(path: Path) -> None:
    room = _room(path)
    for name in _imports(path):
        parts = name.split(".")
        if parts[0] == "service" and parts[1:] and parts[1] != room:
            assert _floor(parts[1]) < _floor(room) or room in FLOORS[-1], f"{room} must not import {name}"
        assert parts[0] not in BANNED.get(room, set()), f"{room} must not import {name}"


def test_arq_is_known_to_the_worker_and_one_file_of_the_store() -> None:
    knowing = {_room(path) for path in _modules() if "arq" in {name.split(".")[0] for name in _imports(path)}}
    assert knowing == {"worker"}
    wire = {
        path.name
        for path in (SERVICE / "store").glob("*.py")
        if "arq:" in path.read_text() or "import arq" in path.read_text()
    }
    assert wire == {"tickets.py"}


def test_httpx_is_known_to_sakari_and_to_the_commands_that_act_as_a_client() -> None:
    knowing = {_room(path) for path in _modules() if "httpx" in {name.split(".")[0] for name in _imports(path)}}
    assert knowing == {"sakari", "dev", "cli"}


def test_only_settings_reads_the_environment() -> None:
    readers = {
        str(path.relative_to(SERVICE))
        for path in _modules()
        if re.search(r"os\.environ|os\.getenv|getenv\(", path.read_text())
    }
    assert readers == {"settings.py", "dev/processes.py"}  # the latter hands it on to the processes that it starts


def test_only_keys_spells_a_redis_key() -> None:
    spelling = {
        path.name
        for path in SERVICE.rglob("*")
        if path.suffix in (".py", ".lua") and re.search(r"[\"']sluice:[a-z]", path.read_text())
    }
    assert spelling == {"keys.py"}


def test_the_error_tree_equals_its_docstring() -> None:
    drawn: dict[str, str] = {}
    stack: list[tuple[int, str]] = []
    for line in inspect.getdoc(errors).splitlines():  # type: ignore[union-attr]
        if match := re.match(r"([│ ]*(?:[├└]── )?)([A-Z]\w+)(?:\s|$)", line):
            depth, name = len(match[1]), match[2]
            if depth == 0 and name != "SluiceError":
                continue
            while stack and stack[-1][0] >= depth:
                stack.pop()
            drawn[name] = stack[-1][1] if stack else "Exception"
            stack.append((depth, name))
    real = {
        name: kind.__bases__[0].__name__
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, Exception)
    }
    assert drawn == real


def test_every_script_says_what_it_takes_and_gives() -> None:
    for script in (SERVICE / "store" / "scripts").glob("*.lua"):
        head = script.read_text().split("\n\n")[0]
        prelude = script.stem.startswith("prelude")
        assert prelude or ("-- KEYS" in head and "-- ARGV" in head), script.name
        assert prelude or "Returns" in script.read_text(), script.name


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/**/*.md")) + [ROOT / "README.md"], ids=lambda path: path.name)
def test_paths_named_in_the_docs_exist(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text()):
        assert (page.parent / link).exists(), f"{page.name} links to {link}"
    for name in re.findall(r"`((?:service|rules|tests|docs|deploy)/[\w./-]+\.\w+)`", page.read_text()):
        assert (ROOT / name).exists(), f"{page.name} names {name}"
