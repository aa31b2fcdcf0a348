"""The manifests as documents: the files as they stand, and overlays as kubectl renders them."""

import functools
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = tuple(sorted(path.name for path in (KUBERNETES / "overlays").iterdir()))
FILES = "files"
"""Stands for base and components as they are written; the other choices are overlays."""

Doc = dict[str, Any]


def tool(name: str, remedy: str) -> str:
    """Find a program beside this interpreter or on the PATH; skip the test, in clear words, if there is none."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not here: {remedy}")
    return found


@functools.cache
def rendered(overlay: str) -> str:
    """What `kubectl apply -k` would send, as YAML."""
    kubectl = tool("kubectl", "install it to render the overlays")
    done = subprocess.run(
        (kubectl, "kustomize", str(KUBERNETES / "overlays" / overlay)), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "kustomize warns"
    return done.stdout


@functools.cache
def documents(choice: str) -> tuple[Doc, ...]:
    """The documents of an overlay; or, without needing kubectl, of base and components (patches are left out)."""
    if choice != FILES:
        return tuple(yaml.safe_load_all(rendered(choice)))
    found = [doc for path in files() for doc in yaml.safe_load_all(path.read_text())]
    return tuple(doc for doc in found if not is_patch(doc))


def files() -> list[Path]:
    """Every manifest of base and components, patches too, but not the kustomizations."""
    folders = (KUBERNETES / "base", KUBERNETES / "components")
    found = [path for folder in folders for path in folder.rglob("*.yaml")]
    return sorted(path for path in found if path.name != "kustomization.yaml")


def is_patch(doc: Doc) -> bool:
    """Whether this is a piece of a Deployment that stands in another file."""
    return doc["kind"] == "Deployment" and "selector" not in doc["spec"]


def of_kind(docs: tuple[Doc, ...], *kinds: str) -> list[Doc]:
    return [doc for doc in docs if doc["kind"] in kinds]


def workloads(docs: tuple[Doc, ...]) -> list[Doc]:
    return of_kind(docs, "Deployment", "StatefulSet")


def pod(workload: Doc) -> Doc:
    spec: Doc = workload["spec"]["template"]["spec"]
    return spec


def containers(workload: Doc) -> Iterator[Doc]:
    yield from pod(workload)["containers"]
    yield from pod(workload).get("initContainers", [])


def container(workload: Doc) -> Doc:
    (only,) = containers(workload)
    return only


def named(docs: tuple[Doc, ...], kind: str, name: str) -> Doc:
    (only,) = (doc for doc in of_kind(docs, kind) if doc["metadata"]["name"] == name)
    return only


def title(doc: Doc) -> str:
    return f"{doc['kind']}/{doc['metadata']['name']}"
