"""What no schema can see of a pod: its settings exist, its probes hit routes, its times add up, its secrets are its own."""

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest

from service import app
from service.cli import main
from service.ingress.wanted import WANTED as SERVES
from service.sandbox.app import HANDLERS
from service.settings import Found, IngressSettings, read, unknown
from service.store import Options
from service.worker.wanted import WANTED as WORKS
from tests.deploy.manifests import (
    FILES,
    OVERLAYS,
    ROOT,
    Doc,
    container,
    containers,
    documents,
    files,
    named,
    of_kind,
    pod,
    title,
    workloads,
)
from tests.system.conftest import environment

EVERYWHERE = pytest.mark.parametrize("choice", [FILES, *OVERLAYS])
IN_OVERLAYS = pytest.mark.parametrize("choice", OVERLAYS)
WANTED: dict[str, Mapping[Any, str]] = {"ingress": SERVES, "worker": WORKS}
MARGIN_S = 5
NAMED = {"SLUICE_SAKARI_ACCOUNTS": "sales"}
"""The account that a component adds."""


def ours(choice: str) -> dict[str, Doc]:
    """Ingress and worker, by the name of their container."""
    found = (doc for doc in workloads(documents(choice)) if container(doc)["name"] in WANTED)
    return {container(doc)["name"]: doc for doc in found}


def secret_keys(docs: tuple[Doc, ...]) -> dict[str, set[str]]:
    """The keys of every Secret: those of the overlay, of External Secrets, and those that the docs say to make by hand."""
    page = (ROOT / "docs" / "operations" / "kubernetes.md").read_text()
    by_hand = re.findall(r"create secret generic ([\w-]+)((?:\s+\\?\s*--from-literal=\S+)+)", page)
    keys = {name: set(re.findall(r"--from-literal=([\w-]+)=", literals)) for name, literals in by_hand}
    keys |= {doc["spec"]["target"]["name"]: _external(doc) for doc in of_kind(docs, "ExternalSecret")}
    return keys | {doc["metadata"]["name"]: set(doc["data"]) for doc in of_kind(docs, "Secret")}


def _external(doc: Doc) -> set[str]:
    return {entry["secretKey"] for entry in doc["spec"]["data"]}


def test_every_setting_in_a_manifest_is_one() -> None:
    known: dict[Any, str] = {**SERVES, **WORKS}
    for path in [*files(), *(ROOT / "deploy").rglob("kustomization.yaml")]:
        names = dict.fromkeys(re.findall(r"\bSLUICE_[A-Z0-9_]+\b", path.read_text()), "")
        assert unknown(known, names | NAMED) == [], path


@IN_OVERLAYS
@pytest.mark.parametrize("process", ["ingress", "worker"])
def test_a_pod_starts_with_the_settings_that_it_is_given(choice: str, process: str, tmp_path: Path) -> None:
    found = _read(documents(choice), process, tmp_path)
    if process == "ingress":
        assert app.make_routes(found)


def test_a_second_account_of_sakari_has_credentials_of_its_own(tmp_path: Path) -> None:
    found = _read(documents("development"), "worker", tmp_path)
    assert set(found.named) == {"sales"}
    assert (found.named["sales"].account_id, found.named["sales"].url) == ("demo", "http://sluice-sandbox:9000")


def test_who_may_only_look_has_another_token_than_who_may_act(tmp_path: Path) -> None:
    tokens = _read(documents("development"), "ingress", tmp_path).of(IngressSettings)
    assert tokens.viewer_token == ("look-only",)
    assert not set(tokens.admin_token) & set(tokens.viewer_token)


def _read(docs: tuple[Doc, ...], process: str, tmp_path: Path) -> Found:
    """Read the settings that a pod is given, its Secrets as files, as the process does when it starts."""
    environ = {**_settings_of(docs, process), "SLUICE_RULES": str(ROOT / "rules")}
    for name, value in environ.items():
        if name.endswith("_FILE") and value.startswith("/secrets/"):
            environ[name] = _secret(docs, process, value, tmp_path)
    environ.pop("SLUICE_SPILL_DIR", None)
    return read(WANTED[process], environ)


def _settings_of(docs: tuple[Doc, ...], process: str) -> dict[str, str]:
    spec = container(named(docs, "Deployment", f"sluice-{process}"))
    environ: dict[str, str] = {}
    for source in spec["envFrom"]:
        environ |= named(docs, "ConfigMap", source["configMapRef"]["name"])["data"]
    return environ | {entry["name"]: entry["value"] for entry in spec["env"]}


def _secret(docs: tuple[Doc, ...], process: str, path: str, tmp_path: Path) -> str:
    """Write the key of a Secret that a path in the container stands for to a file, as a kubelet does."""
    workload = named(docs, "Deployment", f"sluice-{process}")
    folder, _, key = path.rpartition("/")
    (mount,) = (mount for mount in container(workload)["volumeMounts"] if mount["mountPath"] == folder)
    (volume,) = (volume for volume in pod(workload)["volumes"] if volume["name"] == mount["name"])
    secret = volume["secret"]["secretName"]
    assert key in secret_keys(docs)[secret], f"{secret} has no key {key}"
    file = tmp_path / f"{mount['name']}-{key}"
    given = {doc["metadata"]["name"]: doc["data"] for doc in of_kind(docs, "Secret")}.get(secret, {})
    made_up = "redis://redis:6379/0" if key == "url" else "made-up"
    file.write_text(base64.b64decode(given[key]).decode() if key in given else made_up)
    return str(file)


@EVERYWHERE
def test_a_process_gets_the_settings_of_no_other(choice: str) -> None:
    for process, doc in ours(choice).items():
        entries = {entry["name"]: "" for entry in container(doc)["env"]}
        named = NAMED if process == "worker" else {}
        assert unknown(WANTED[process], entries | named) == [], process


@EVERYWHERE
def test_the_ingress_never_holds_sakaris_credentials_nor_a_worker_those_of_webhooks(choice: str) -> None:
    secrets = {
        process: {
            re.sub(r"-[a-z0-9]{10}$", "", volume["secret"]["secretName"])
            for volume in pod(doc)["volumes"]
            if "secret" in volume
        }
        for process, doc in ours(choice).items()
    }
    sakaris = {"sluice-sakari", "sluice-sakari-sales"}
    assert secrets["worker"] - {"sluice-sakari-sales"} == {"sluice-redis", "sluice-sakari"}
    assert not secrets["ingress"] & sakaris
    for doc in ours(choice).values():
        assert all("configMapRef" in source for source in container(doc)["envFrom"])
        assert all("value" in entry for entry in container(doc)["env"]), "a secret is a file, not a variable"


@EVERYWHERE
def test_a_service_brings_no_variables_that_look_like_settings(choice: str) -> None:
    """Kubernetes would set SLUICE_INGRESS_PORT and the like; from a Service named `sluice` even SLUICE_PORT."""
    assert all(pod(doc)["enableServiceLinks"] is False for doc in workloads(documents(choice)))


def _probes(doc: Doc) -> dict[str, Any]:
    return {kind: probe for kind, probe in container(doc).items() if kind.endswith("Probe")}


@EVERYWHERE
def test_probes_hit_routes_that_exist(choice: str, tmp_path: Path) -> None:
    settings = read(SERVES, environment("redis://127.0.0.1:1/0", tmp_path))
    paths = {route.path for route in app.create_app(settings).routes} | {p for route in HANDLERS for p in route.paths}
    for doc in workloads(documents(choice)):
        for kind, probe in _probes(doc).items():
            if "httpGet" in probe:
                assert probe["httpGet"]["path"] in paths, f"{title(doc)} {kind}"


@EVERYWHERE
def test_liveness_of_the_ingress_never_depends_on_redis(choice: str) -> None:
    probes = _probes(ours(choice)["ingress"])
    assert probes["livenessProbe"]["httpGet"]["path"] == probes["startupProbe"]["httpGet"]["path"] == "/livez"
    assert probes["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert probes["readinessProbe"]["timeoutSeconds"] > 1, "/readyz waits a second for Redis"


@EVERYWHERE
def test_a_worker_is_probed_and_scraped_where_it_listens(choice: str) -> None:
    doc = ours(choice)["worker"]
    environ = {entry["name"]: entry["value"] for entry in container(doc)["env"]}
    (port,) = container(doc)["ports"]
    assert environ["SLUICE_METRICS_PORT"] == str(port["containerPort"])
    assert environ["SLUICE_METRICS_HOST"] == "0.0.0.0", "the kubelet does not come by loopback"  # noqa: S104
    assert {probe["httpGet"]["path"] for probe in _probes(doc).values()} == {"/livez"}


@EVERYWHERE
def test_the_times_of_a_graceful_stop_add_up(choice: str) -> None:
    ingress, work = pod(ours(choice)["ingress"]), pod(ours(choice)["worker"])
    still_called = ingress["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    answer_s = Options().accept_timeout_ms / 1000
    assert ingress["terminationGracePeriodSeconds"] >= still_called + answer_s + MARGIN_S
    environ = {entry["name"]: entry["value"] for entry in work["containers"][0]["env"]}
    assert work["terminationGracePeriodSeconds"] >= int(environ["SLUICE_GRACE_S"]) + MARGIN_S
    assert "lifecycle" not in work["containers"][0], "nobody calls a worker, so it need not wait to be forgotten"


@EVERYWHERE
def test_every_pod_can_be_looked_at(choice: str) -> None:
    for doc in workloads(documents(choice)):
        assert {"startupProbe", "livenessProbe"} <= set(_probes(doc)), title(doc)


@EVERYWHERE
def test_images_start_a_command_of_sluice_and_mount_whole_folders(choice: str) -> None:
    for doc in workloads(documents(choice)):
        for spec in containers(doc):
            if "sluice" in spec["image"]:
                assert spec["args"][0] in main.list_commands(click.Context(main)), title(doc)
                assert "command" not in spec, "the entry point is the image's"
            assert not any("subPath" in mount for mount in spec["volumeMounts"]), "a subPath is never updated"


@IN_OVERLAYS
def test_every_image_has_a_version(choice: str) -> None:
    images = {spec["image"] for doc in workloads(documents(choice)) for spec in containers(doc)}
    assert all(re.search(r"(:[\w.-]*\d[\w.-]*|@sha256:[0-9a-f]{64})$", image) for image in images), images
