"""Kubernetes' Pod Security Standard "restricted", as the admission checks it (kubernetes/pod-security-admission, policy/)."""

from collections.abc import Iterator
from typing import Any

_VOLUMES = {
    "configMap",
    "downwardAPI",
    "emptyDir",
    "projected",
    "secret",
    "csi",
    "persistentVolumeClaim",
    "ephemeral",
    "image",
}
_SECCOMP = {"RuntimeDefault", "Localhost"}
_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def violations(pod: dict[str, Any]) -> list[str]:
    """Name everything in a pod's spec that "restricted" (and with it "baseline") refuses."""
    return [*_of_pod(pod), *(found for kind in ("containers", "initContainers") for found in _all(pod, kind))]


def _of_pod(pod: dict[str, Any]) -> Iterator[str]:
    context = pod.get("securityContext", {})
    yield from (name for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name))
    yield from ("sysctls" for _ in context.get("sysctls", []))
    if context.get("runAsUser") == 0:
        yield "runAsUser 0"
    for volume in pod.get("volumes", []):
        yield from (f"volume {kind}" for kind in volume.keys() - {"name"} - _VOLUMES)


def _all(pod: dict[str, Any], kind: str) -> Iterator[str]:
    for container in pod.get(kind, []):
        yield from (f"{container['name']}: {found}" for found in _of_container(container, pod))


def _of_container(container: dict[str, Any], pod: dict[str, Any]) -> Iterator[str]:
    own, shared = container.get("securityContext", {}), pod.get("securityContext", {})
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    if own.get("privileged"):
        yield "privileged"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []):
        yield "capabilities.drop"
    if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "capabilities.add"
    if own.get("runAsNonRoot", shared.get("runAsNonRoot")) is not True:
        yield "runAsNonRoot"
    if own.get("runAsUser") == 0:
        yield "runAsUser 0"
    if own.get("seccompProfile", shared.get("seccompProfile", {})).get("type") not in _SECCOMP:
        yield "seccompProfile"
    if own.get("procMount", "Default") != "Default":
        yield "procMount"
    yield from ("hostPort" for port in container.get("ports", []) if port.get("hostPort"))
    yield from _hosts(container)


def _hosts(container: dict[str, Any]) -> Iterator[str]:
    """Probes and hooks must not be pointed at another host."""
    handlers = [container.get(name, {}) for name in _PROBES] + list(container.get("lifecycle", {}).values())
    for handler in handlers:
        yield from ("host of a probe" for way in ("httpGet", "tcpSocket") if handler.get(way, {}).get("host"))
