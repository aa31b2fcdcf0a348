"""The Dockerfile and its context: locked, small, without root, and nothing in it that need not be."""

import fnmatch
import re

from service import __name__ as package
from tests.deploy.manifests import ROOT

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
LAST = DOCKERFILE.rpartition("\nFROM ")[2]


def _pins(name: str) -> dict[str, set[str]]:
    """Package -> version and hashes, of one file of locked requirements."""
    text = (ROOT / name).read_text()
    return {
        f"{match[1]}=={match[2]}": set(re.findall(r"sha256:[0-9a-f]{64}", match[0]))
        for match in re.finditer(
            r"^([\w.-]+)(?:\[[\w,-]+\])?==([\w.]+)[^\n]*\n(?:    --hash[^\n]*\n)+", text, re.MULTILINE
        )
    }


def test_every_package_is_installed_from_a_lock_with_hashes() -> None:
    installs = re.findall(r"pip\S*(?: --python \S+)? (?:install|wheel) [^&\n]+", DOCKERFILE)
    assert len(installs) == 4
    for install in installs:
        assert "--require-hashes" in install or "--no-deps" in install
    assert "--no-build-isolation" in DOCKERFILE, "else the backend would be fetched, whatever its version"


def test_the_backend_is_the_one_that_developers_have() -> None:
    build, development = _pins("requirements-build.txt"), _pins("requirements-dev.txt")
    assert "hatchling" in {pin.partition("==")[0] for pin in build}
    assert {pin: hashes for pin, hashes in build.items() if development.get(pin) != hashes} == {}


def test_it_runs_as_a_user_whom_kubernetes_can_tell_from_root() -> None:
    assert "\nUSER 65532:65532\n" in LAST


def test_what_runs_needs_no_shell() -> None:
    assert "RUN " not in LAST
    assert 'ENTRYPOINT ["sluice"]' in LAST
    assert 'CMD ["serve"]' in LAST


def test_no_feature_that_only_some_builders_know() -> None:
    assert "--link" not in DOCKERFILE
    assert "<<" not in DOCKERFILE
    assert "# syntax=" not in DOCKERFILE


def _sent(path: str) -> bool:
    """Whether a file of the repository reaches the builder: the last pattern of .dockerignore that fits decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        parts = path.split("/")
        starts = {"/".join(parts[: n + 1]) for n in range(len(parts))} | (set(parts) if "**/" in line else set())
        flat = pattern.replace("/**/", "/")
        if line and not line.startswith("#") and any(fnmatch.fnmatch(start, flat) for start in starts):
            sent = line.startswith("!")
    return sent


def test_the_builder_gets_what_it_copies_and_little_else() -> None:
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for path in line.split():
            assert _sent(path), path
    assert _sent(f"{package}/app.py")
    for path in (".git/config", "tests/conftest.py", "docs/sakari.md", ".env", "rules/hubspot-contacts.yaml"):
        assert not _sent(path), path


def test_labels_say_what_it_is_and_under_which_licence() -> None:
    for label in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in LAST
