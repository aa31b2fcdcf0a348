"""What no schema can see between manifests: selectors meet pods, names exist, a host is one host."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from service import app
from service.engine.folder import is_rule_file
from service.ingress.wanted import WANTED
from service.settings import read
from tests import shipped
from tests.deploy.manifests import (
    FILES,
    KUBERNETES,
    OVERLAYS,
    ROOT,
    Doc,
    containers,
    documents,
    named,
    of_kind,
    pod,
    title,
    workloads,
)
from tests.deploy.test_pods import secret_keys
from tests.system.conftest import environment

EVERYWHERE = pytest.mark.parametrize("choice", [FILES, *OVERLAYS])
IN_OVERLAYS = pytest.mark.parametrize("choice", OVERLAYS)


def _labels(workload: Doc) -> dict[str, str]:
    labels: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return labels


def _meets(selector: dict[str, str], docs: tuple[Doc, ...]) -> list[Doc]:
    return [doc for doc in workloads(docs) if selector.items() <= _labels(doc).items()]


def _selectors(doc: Doc) -> list[dict[str, str]]:
    spec = doc["spec"]
    if doc["kind"] == "Service":
        return [spec["selector"]]
    if doc["kind"] == "NetworkPolicy":
        peers = [peer for rule in spec.get("ingress", []) + spec.get("egress", []) for peer in _peers(rule)]
        return [spec["podSelector"]["matchLabels"], *(peer["podSelector"]["matchLabels"] for peer in peers)]
    return [spec["selector"]["matchLabels"]]


def _peers(rule: Doc) -> list[Doc]:
    return [peer for peer in rule.get("from", []) + rule.get("to", []) if "podSelector" in peer]


@EVERYWHERE
def test_every_selector_meets_pods(choice: str) -> None:
    docs = documents(choice)
    kinds = ("Deployment", "StatefulSet", "Service", "PodDisruptionBudget", "NetworkPolicy", "PodMonitor")
    for doc in of_kind(docs, *kinds):
        for selector in _selectors(doc):
            assert _meets(selector, docs), f"{title(doc)} selects nothing"


@EVERYWHERE
def test_selectors_that_must_tell_pods_apart_do(choice: str) -> None:
    docs = documents(choice)
    for doc in of_kind(docs, "Deployment", "StatefulSet", "Service", "PodDisruptionBudget"):
        assert len(_meets(_selectors(doc)[0], docs)) == 1, title(doc)


@EVERYWHERE
def test_ports_that_are_named_exist(choice: str) -> None:
    docs = documents(choice)
    for doc in of_kind(docs, "Service", "PodMonitor", "NetworkPolicy"):
        for selector, port in _named_ports(doc):
            for workload in _meets(selector, docs):
                assert port in _ports(workload), f"{title(doc)}: {title(workload)} has no port {port}"
    for workload in workloads(docs):
        for probe in (p for c in containers(workload) for kind, p in c.items() if kind.endswith("Probe")):
            for way in ("httpGet", "tcpSocket"):
                assert way not in probe or probe[way]["port"] in _ports(workload), title(workload)


def _ports(workload: Doc) -> set[str]:
    return {port["name"] for container in containers(workload) for port in container.get("ports", [])}


def _named_ports(doc: Doc) -> list[tuple[dict[str, str], str]]:
    """The pods that a document reaches, and the names of ports that it expects there."""
    spec = doc["spec"]
    if doc["kind"] == "Service":
        return [(spec["selector"], port["targetPort"]) for port in spec["ports"]]
    if doc["kind"] == "PodMonitor":
        return [(spec["selector"]["matchLabels"], end["port"]) for end in spec["podMetricsEndpoints"]]
    inward = [
        (spec["podSelector"]["matchLabels"], p["port"]) for r in spec.get("ingress", []) for p in r.get("ports", [])
    ]
    outward = [
        (peer["podSelector"]["matchLabels"], port["port"])
        for rule in spec.get("egress", [])
        for peer in _peers(rule)
        for port in rule["ports"]
    ]
    return [(selector, port) for selector, port in inward + outward if isinstance(port, str)]


@IN_OVERLAYS
def test_everything_that_a_pod_mounts_is_there_or_is_made_by_hand(choice: str) -> None:
    docs = documents(choice)
    there = {
        "configMap": {doc["metadata"]["name"] for doc in of_kind(docs, "ConfigMap")},
        "secret": set(secret_keys(docs)),
        "persistentVolumeClaim": {doc["metadata"]["name"] for doc in of_kind(docs, "PersistentVolumeClaim")},
    }
    keys = {"configMap": "name", "secret": "secretName", "persistentVolumeClaim": "claimName"}
    for workload in workloads(docs):
        volumes = pod(workload).get("volumes", [])
        for volume in volumes:
            for kind, key in keys.items():
                assert kind not in volume or volume[kind][key] in there[kind], f"{title(workload)}: {volume}"
        mounted = {mount["name"] for container in containers(workload) for mount in container["volumeMounts"]}
        claims = {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
        assert mounted == {volume["name"] for volume in volumes} | claims, title(workload)


@EVERYWHERE
def test_what_is_scaled_leaves_the_count_to_one_scaler(choice: str) -> None:
    docs = documents(choice)
    targets = [
        doc["spec"]["scaleTargetRef"]["name"] for doc in of_kind(docs, "HorizontalPodAutoscaler", "ScaledObject")
    ]
    if choice == FILES:  # here every component stands beside the others
        assert set(targets) == {"sluice-ingress", "sluice-worker"}
        return
    assert len(targets) == len(set(targets))
    for workload in workloads(docs):
        scaled = workload["metadata"]["name"] in targets
        assert ("replicas" in workload["spec"]) != scaled, title(workload)


@EVERYWHERE
def test_scalers_never_scale_to_zero(choice: str) -> None:
    """Then nobody would run the sweep, which brings back what a killed worker held."""
    docs = documents(choice)
    for doc in of_kind(docs, "HorizontalPodAutoscaler", "ScaledObject"):
        spec = doc["spec"]
        least, most = (spec.get(f"min{n}", spec.get(f"max{n}")) for n in ("Replicas", "ReplicaCount"))
        assert (least or most) >= 2, title(doc)


@IN_OVERLAYS
def test_the_host_of_the_route_is_the_host_that_is_signed(choice: str) -> None:
    docs = documents(choice)
    host = urlsplit(_public_url(docs)).netloc
    for route in of_kind(docs, "HTTPRoute"):
        assert route["spec"]["hostnames"] == [host]
    for route in of_kind(docs, "Ingress"):
        assert [rule["host"] for rule in route["spec"]["rules"]] == route["spec"]["tls"][0]["hosts"] == [host]


def _public_url(docs: tuple[Doc, ...]) -> str:
    (url,) = {
        doc["data"]["SLUICE_PUBLIC_URL"] for doc in of_kind(docs, "ConfigMap") if "SLUICE_PUBLIC_URL" in doc["data"]
    }
    return str(url)


@EVERYWHERE
def test_routes_lead_to_webhooks_and_nowhere_else(choice: str, tmp_path: Path) -> None:
    docs = documents(choice)
    settings = read(WANTED, environment("redis://127.0.0.1:1/0", tmp_path))
    paths = {route.path for route in app.create_app(settings).routes}
    prefixes = {
        m["path"]["value"] for doc in of_kind(docs, "HTTPRoute") for r in doc["spec"]["rules"] for m in r["matches"]
    }
    prefixes |= {
        path["path"] for doc in of_kind(docs, "Ingress") for r in doc["spec"]["rules"] for path in r["http"]["paths"]
    }
    assert prefixes <= {"/webhooks/"}
    assert {path for path in paths if path.startswith("/webhooks/")} == {
        route.path for route in app.make_routes(settings)
    }
    for backend in _backends(docs):
        service = named(docs, "Service", backend["name"])
        ports = {port["port"] for port in service["spec"]["ports"]} | {
            port["name"] for port in service["spec"]["ports"]
        }
        assert backend["port"] in ports


def _backends(docs: tuple[Doc, ...]) -> list[dict[str, Any]]:
    found = [ref for doc in of_kind(docs, "HTTPRoute") for rule in doc["spec"]["rules"] for ref in rule["backendRefs"]]
    for doc in of_kind(docs, "Ingress"):
        services = [path["backend"]["service"] for rule in doc["spec"]["rules"] for path in rule["http"]["paths"]]
        found += [{"name": service["name"], "port": service["port"]["name"]} for service in services]
    return found


@IN_OVERLAYS
def test_everything_is_in_one_namespace_and_the_scaler_asks_for_it(choice: str) -> None:
    docs = documents(choice)
    (namespace,) = (doc["metadata"]["name"] for doc in of_kind(docs, "Namespace"))
    assert {doc["metadata"]["namespace"] for doc in docs if doc["kind"] != "Namespace"} == {namespace}
    for scaler in of_kind(docs, "ScaledObject"):
        assert f'namespace="{namespace}"' in scaler["spec"]["triggers"][0]["metadata"]["query"]


@IN_OVERLAYS
def test_nothing_gets_in_or_out_unless_a_policy_says_so(choice: str) -> None:
    docs = documents(choice)
    for workload in workloads(docs):
        policies = [p for p in of_kind(docs, "NetworkPolicy") if workload in _meets(_selectors(p)[0], docs)]
        assert {"Ingress", "Egress"} <= {kind for p in policies for kind in p["spec"]["policyTypes"]}, title(workload)


@EVERYWHERE
def test_only_workers_reach_the_internet_and_nothing_private_on_it(choice: str) -> None:
    docs = documents(choice)
    for policy in of_kind(docs, "NetworkPolicy"):
        for rule in policy["spec"].get("egress", []):
            blocks = [peer["ipBlock"] for peer in rule.get("to", []) if "ipBlock" in peer]
            for block in (b for b in blocks if b["cidr"].endswith("/0")):
                assert policy["metadata"]["name"] == "sluice-worker"
                private = {"10.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16"} if "." in block["cidr"] else {"fc00::/7"}
                assert private <= set(block["except"])


def test_every_component_is_part_of_an_overlay() -> None:
    used = {
        Path(path).name
        for overlay in OVERLAYS
        for path in yaml.safe_load((KUBERNETES / "overlays" / overlay / "kustomization.yaml").read_text())["components"]
    }
    assert used == {path.name for path in (KUBERNETES / "components").iterdir()}


def test_every_manifest_is_listed_where_it_lies() -> None:
    for folder in (path.parent for path in KUBERNETES.rglob("kustomization.yaml")):
        kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
        listed = kustomization.get("resources", []) + [
            p["path"] for p in kustomization.get("patches", []) if "path" in p
        ]
        lying = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
        assert lying == {name for name in listed if "/" not in name}, folder


def test_the_config_map_holds_every_rule_file_that_we_ship() -> None:
    (generator,) = yaml.safe_load((ROOT / "rules" / "Kustomization").read_text())["configMapGenerator"]
    assert set(shipped.CONTENT) <= set(generator["files"])
    assert not is_rule_file(Path("Kustomization"))
