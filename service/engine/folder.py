"""Reading rule files: the only place of the engine that touches a disk."""

from collections.abc import Iterable, Iterator
from pathlib import Path

_ENDINGS = (".yaml", ".yml")
_TEST_ENDINGS = (".test.yaml", ".test.yml")


def read_folder(path: Path) -> dict[str, bytes]:
    """Rule files of a folder and its sub-folders: name relative to it, with `/` -> content; sorted by name.

    Entries that begin with a dot and `*.test.yaml` are skipped. Symbolic links are followed: a mounted ConfigMap holds
    `r.yaml -> ..data/r.yaml` and `..data -> ..2026_…`, and each of its files is read once. Raises OSError, also where a
    ConfigMap is exchanged while it is read: read again.
    """
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in sorted(_rule_files(path, frozenset()))}


def read_paths(paths: Iterable[Path]) -> dict[str, bytes]:
    """Rule files, and those of folders as `read_folder` reads them: path as given -> content, each file once.

    A file may have any name, but `*.test.yaml` is skipped here too. Raises OSError.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        for file in sorted(_rule_files(path, frozenset())) if path.is_dir() else [path]:
            if not file.name.endswith(_TEST_ENDINGS):
                found.setdefault(file.absolute(), file)
    return {file.as_posix(): file.read_bytes() for file in found.values()}


def _rule_files(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    real = folder.resolve()
    if real in above:  # a link back to a folder that this one is in
        return
    for entry in folder.iterdir():
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _rule_files(entry, above | {real})
        elif entry.name.endswith(_ENDINGS) and not entry.name.endswith(_TEST_ENDINGS):
            yield entry
