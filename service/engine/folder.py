"""Reading rule files: the only place of the engine that touches a disk."""

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

_ENDINGS = (".yaml", ".yml")
_TEST_ENDINGS = (".test.yaml", ".test.yml")


def topic(name: str) -> str:
    """The file's name without its endings: what a rule file and its test file share."""
    return next((name.removesuffix(ending) for ending in (*_TEST_ENDINGS, *_ENDINGS) if name.endswith(ending)), name)


def read_folder(path: Path) -> dict[str, bytes]:
    """Rule files of a folder and its sub-folders: name relative to it, with `/` -> content; sorted by name.

    Entries that begin with a dot and `*.test.yaml` are skipped. Symbolic links are followed: a mounted ConfigMap holds
    `r.yaml -> ..data/r.yaml` and `..data -> ..2026_…`, and each of its files is read once. A file that cannot be read
    stops nobody else's: its content is UNREADABLE and why (problem R112). Raises OSError if the folder itself cannot be read.
    """
    return {_name(file.relative_to(path)): _content(file) for file in sorted(_rule_files(path, frozenset()))}


def read_paths(paths: Iterable[Path]) -> dict[str, bytes]:
    """Rule files, and those of folders as `read_folder` reads them: path as given -> content, each file once.

    A file may have any name, but `*.test.yaml` is skipped here too. What is no regular file (a pipe, a device) counts as one
    that cannot be read. Raises OSError if a path is not there.
    """
    given, found = list(paths), dict[Path, Path]()
    for path in given:
        for file in sorted(_rule_files(path, frozenset())) if path.is_dir() else [path]:
            if not file.name.endswith(_TEST_ENDINGS):
                found.setdefault(file.absolute(), file)
    return {
        _name(path): path.read_bytes() if path in given and _finite(path) else _content(path) for path in found.values()
    }


def read_tests(folders: Iterable[Path]) -> dict[str, bytes]:
    """Test files of folders and their sub-folders: path as `read_paths` names it -> content. Raises OSError."""
    found = dict[Path, Path]()
    for folder in folders:
        for file in sorted(_files(folder, frozenset())):
            if file.name.endswith(_TEST_ENDINGS):
                found.setdefault(file.absolute(), file)
    return {_name(path): _content(path) for path in found.values()}


def _name(path: Path) -> str:
    """Name a file in valid Unicode, whatever its name is made of."""
    return path.as_posix().encode(errors="surrogateescape").decode(errors="replace")


def _finite(path: Path) -> bool:
    """Whether reading comes to an end: not so with a pipe or a device, which is no reason to hang."""
    return path.is_file() or not path.exists()


def _content(file: Path) -> bytes:
    """Read a regular file; anything else (a pipe, a dangling link) must not stop the service from starting."""
    try:
        return file.read_bytes() if file.is_file() else UNREADABLE + b"it is no regular file"
    except OSError as error:
        return UNREADABLE + (error.strerror or type(error).__name__).encode()


UNREADABLE = b"\xff\xfe\xffunreadable:"
"""Stands for the content of a file that cannot be read, with the reason behind it: no YAML file begins so."""


def is_rule_file(path: PurePath) -> bool:
    """Whether a file counts as one of rules, by its path relative to the rules folder."""
    if any(part.startswith(".") for part in path.parts):
        return False
    return path.name.endswith(_ENDINGS) and not path.name.endswith(_TEST_ENDINGS)


def _rule_files(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    return (file for file in _files(folder, above) if not file.name.endswith(_TEST_ENDINGS))


def _files(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    """Rule files and test files."""
    real = folder.resolve()
    if real in above:  # a link back to a folder that this one is in
        return
    for entry in folder.iterdir():
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _files(entry, above | {real})
        elif entry.name.endswith(_ENDINGS):
            yield entry
