"""Every pod passes Pod Security "restricted", and a little more; and the check sees what it must."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.deploy.manifests import FILES, OVERLAYS, Doc, containers, documents, named, of_kind, pod, title, workloads
from tests.deploy.restricted import violations

EVERYWHERE = pytest.mark.parametrize("choice", [FILES, *OVERLAYS])


@EVERYWHERE
def test_every_pod_is_restricted(choice: str) -> None:
    assert {title(doc): violations(pod(doc)) for doc in workloads(documents(choice)) if violations(pod(doc))} == {}


@EVERYWHERE
def test_no_pod_writes_to_its_root_talks_to_kubernetes_or_is_unbounded(choice: str) -> None:
    for doc in workloads(documents(choice)):
        spec = pod(doc)
        assert spec["automountServiceAccountToken"] is False, title(doc)
        assert spec["securityContext"]["runAsUser"] > 10_000, title(doc)
        for container in containers(doc):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, title(doc)
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), title(doc)
            assert "memory" in container["resources"]["limits"], title(doc)
        for volume in spec.get("volumes", []):
            assert "emptyDir" not in volume or "sizeLimit" in volume["emptyDir"], title(doc)


@EVERYWHERE
def test_the_namespace_enforces_it(choice: str) -> None:
    (namespace,) = of_kind(documents(choice), "Namespace")
    labels = namespace["metadata"]["labels"]
    assert {labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "audit", "warn")} == {"restricted"}


def _spoil(change: Callable[[dict[str, Any]], object]) -> list[str]:
    spec = copy.deepcopy(pod(_ingress()))
    change(spec)
    return violations(spec)


def _ingress() -> Doc:
    return named(documents(FILES), "Deployment", "sluice-ingress")


def _own(spec: dict[str, Any]) -> dict[str, Any]:
    own: dict[str, Any] = spec["containers"][0]["securityContext"]
    return own


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda spec: spec.update(hostNetwork=True), "hostNetwork"),
        (lambda spec: spec["volumes"].append({"name": "x", "hostPath": {"path": "/"}}), "volume hostPath"),
        (lambda spec: spec["securityContext"].pop("runAsNonRoot"), "ingress: runAsNonRoot"),
        (lambda spec: spec["securityContext"].update(runAsUser=0), "runAsUser 0"),
        (lambda spec: spec["securityContext"].pop("seccompProfile"), "ingress: seccompProfile"),
        (lambda spec: _own(spec).pop("allowPrivilegeEscalation"), "ingress: allowPrivilegeEscalation"),
        (lambda spec: _own(spec)["capabilities"].update(drop=["NET_RAW"]), "ingress: capabilities.drop"),
        (lambda spec: _own(spec)["capabilities"].update(add=["SYS_ADMIN"]), "ingress: capabilities.add"),
        (lambda spec: _own(spec).update(privileged=True), "ingress: privileged"),
        (lambda spec: spec["containers"][0]["ports"][0].update(hostPort=80), "ingress: hostPort"),
        (
            lambda spec: spec["containers"][0]["livenessProbe"]["httpGet"].update(host="10.0.0.1"),
            "ingress: host of a probe",
        ),
    ],
)
def test_the_check_sees_what_is_not_allowed(change: Callable[[dict[str, Any]], object], found: str) -> None:
    assert _spoil(change) == [found]
