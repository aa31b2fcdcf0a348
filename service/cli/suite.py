"""What `sluice rules test` and `sluice rules lint` read: rules, the tests beside them, and recorded deliveries."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from service.actions import ACTIONS
from service.engine import (
    Cases,
    FixtureError,
    Loaded,
    Problem,
    load,
    read_cases,
    read_paths,
    read_tests,
    topic,
    untested,
)
from service.errors import Malformed, Unverified
from service.model import Event
from service.sources import SOURCES
from service.sources.delivery import Delivery, Route
from service.sources.fixture import read_fixture

_URL = "https://sluice.example.com"
_DELIVERED_AT = 1_768_478_400_000
"""2026-01-15T12:00:00Z: when a fixture arrives. It is signed for the same moment, so any would do."""


class Suite(Struct, frozen=True):
    """Rules and their tests."""

    loaded: Loaded
    """All rules of the folders that were named, or that hold the files that were."""
    cases: Cases
    """All cases of the same folders."""
    topics: frozenset[str] | None
    """The topics of the files that were named; None if a folder was: all."""

    def is_meant(self, file: str) -> bool:
        """Whether a rule file, or test file, belongs to what was asked for."""
        return self.topics is None or topic(file) in self.topics

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the files that were asked for; with their tests only if the rules are good."""
        found = self.loaded.problems if self.loaded.broken else (*self.loaded.problems, *self.cases.problems)
        return tuple(problem for problem in found if self.is_meant(problem.file))


def read_suite(paths: Sequence[Path], loaded: Loaded | None = None) -> Suite:
    """Read what is to be tested. `loaded`: the rules of these paths, if they are known. Raises OSError.

    A file stands for its topic: for the rules in it and the tests beside it, whichever of the two is named. Its cases
    may speak of the other rules in its folder.
    """
    folders = [path if path.is_dir() else path.parent for path in paths]
    files = frozenset(topic(path.as_posix()) for path in paths if not path.is_dir())
    if loaded is None or files:  # of the files' folders all rules are needed
        loaded = load(read_paths(folders), ACTIONS)
    cases = read_cases(read_tests(folders), loaded.rule_set, ACTIONS, recorded)
    return Suite(loaded, cases, None if len(files) < len(paths) else files)


def lint_tests(paths: Sequence[Path], loaded: Loaded) -> tuple[Problem, ...]:
    """What is wrong with the tests beside rules, and the rules that have none. `loaded`: the rules. Raises OSError.

    Nothing is said while a rule file is broken: a test may speak of its rules.
    """
    suite = read_suite(paths, loaded)
    if suite.loaded.broken:
        return ()
    broken = any(problem.severity == "error" for problem in suite.cases.problems)
    missing = () if broken else untested(suite.loaded.rule_set, suite.cases.cases)
    return tuple(problem for problem in (*suite.cases.problems, *missing) if suite.is_meant(problem.file))


def recorded(test_file: str, name: str) -> tuple[Event, ...]:
    """The events of a recorded delivery, verified and normalised by its source. Raises FixtureError.

    `hubspot/contact.created__ui` is looked for in the folders `fixtures` and `tests/fixtures` beside the test file and
    above it.
    """
    source = name.partition("/")[0]
    if source not in SOURCES:
        raise FixtureError(f"`{source}` is no source", f"`<source>/<folder>`; sources: {', '.join(SOURCES)}")
    folder = _find(Path(test_file), name)
    try:
        fixture = read_fixture(folder)
    except (OSError, Malformed) as error:
        raise FixtureError(f"the fixture `{name}` cannot be read: {error}") from None
    route = next((each for each in _routes(source) if each.path == fixture.target.partition("?")[0]), None)
    if route is None:
        raise FixtureError(f"`{name}` was sent to a path that {source} does not have")
    headers = route.sign(fixture.method, fixture.target, fixture.body, _DELIVERED_AT)
    delivery = Delivery(
        method=fixture.method, target=fixture.target, headers=headers, body=fixture.body, received_at=_DELIVERED_AT
    )
    try:
        result = route.normalise(route.verify(delivery))
    except Unverified as error:
        raise FixtureError(f"`{name}` is not proven: {error}") from None
    if result.misfits or not result.events:
        raise FixtureError(f"`{name}` holds no event that Sluice understands")
    return result.events


def _find(test_file: Path, name: str) -> Path:
    places = [above / folder for above in test_file.absolute().parents for folder in ("fixtures", "tests/fixtures")]
    for place in places:
        if (place / name / "request.http").is_file():
            return place / name
    source = name.partition("/")[0]
    known = sorted({path.parent.name for place in places for path in place.glob(f"{source}/*/request.http")})
    hint = f"there are: {', '.join(known)}" if known else "no folder `fixtures` here, or above, has one"
    raise FixtureError(f"there is no fixture `{name}`", hint)


def _routes(source: str) -> tuple[Route, ...]:
    """The paths of a source, with secrets made up: what is sent here is signed with the same ones."""
    config = SOURCES[source].Config
    texts: dict[Any, Any] = {str: "made-up", tuple[str, ...]: ("made-up",)}
    given = {field.name: texts[field.type] for field in msgspec.structs.fields(config) if field.type in texts}
    return SOURCES[source].routes(config(**given), _URL)
