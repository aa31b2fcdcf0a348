"""What an operator starts from: overlays that decide nothing by themselves, and can be copied to wherever theirs are kept."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from service.actions import ACTIONS
from service.engine import load
from tests import shipped
from tests.deploy.manifests import KUBERNETES, OVERLAYS, ROOT, Doc, documents, of_kind, pod, rendered, tool, workloads

PLAIN = KUBERNETES / "overlays" / "plain"
PAGE = (ROOT / "docs" / "operations" / "kubernetes.md").read_text()
TWO_SCALERS = "Unable to remove nonexistent key: replicas"
"""How kustomize puts it that two components want to scale the workers."""

IN_OVERLAYS = pytest.mark.parametrize("choice", OVERLAYS)
TO_BE_COPIED = pytest.mark.parametrize("choice", sorted(set(OVERLAYS) - {"development"}))


def _rules_map(choice: str) -> Doc:
    """The ConfigMap of rules, as it reaches the cluster."""
    maps = of_kind(documents(choice), "ConfigMap")
    (rules,) = (doc for doc in maps if doc["metadata"]["name"].startswith("sluice-rules"))
    return rules


def test_the_rules_in_the_development_cluster_are_those_of_the_folder() -> None:
    rules = _rules_map("development")["data"]
    loaded = load({name: text.encode() for name, text in rules.items()}, ACTIONS)
    listed = {name: (shipped.FOLDER / name).read_bytes() for name in rules}
    assert loaded.rule_set.version == load(listed, ACTIONS).rule_set.version
    assert sum(map(len, rules.values())) < 1024 * 1024


@TO_BE_COPIED
def test_every_other_overlay_calls_nothing_until_it_has_rules_of_its_own(choice: str) -> None:
    """The samples are made up: they name the sandbox's campaign, and attributes that nobody else has."""
    rules = _rules_map(choice)["data"]
    assert not rules.keys() & shipped.CONTENT.keys()
    loaded = load({name: text.encode() for name, text in rules.items()}, ACTIONS)
    assert loaded.problems == ()
    assert {rule.mode for rule in loaded.rule_set.rules} == {"shadow"}


@IN_OVERLAYS
def test_changed_rules_are_a_rollout_unless_they_reload(choice: str) -> None:
    name = _rules_map(choice)["metadata"]["name"]
    assert bool(re.fullmatch(r"sluice-rules-[a-z0-9]{10}", name)) == (choice != "development")


@TO_BE_COPIED
def test_an_overlay_can_be_kept_outside_of_the_repository(choice: str, tmp_path: Path) -> None:
    shutil.copytree(KUBERNETES / "overlays" / choice, tmp_path / "ours")
    own = tmp_path / "ours" / "kustomization.yaml"
    own.write_text(_as_seen_from(own.parent, own.read_text()))
    done = _kustomize(own.parent)
    assert (done.stderr, done.stdout) == ("", rendered(choice))


def test_two_scalers_of_the_workers_fail_in_the_words_that_are_explained(tmp_path: Path) -> None:
    shutil.copytree(PLAIN / "rules", tmp_path / "rules")
    keda = "../../components/scale-workers\n  - ../../components/scale-workers-keda\n"
    both = (PLAIN / "kustomization.yaml").read_text().replace("../../components/scale-workers\n", keda)
    (tmp_path / "kustomization.yaml").write_text(_as_seen_from(tmp_path, both))
    assert TWO_SCALERS in _kustomize(tmp_path).stderr
    heads = [
        KUBERNETES / "components" / name / "kustomization.yaml" for name in ("scale-workers", "scale-workers-keda")
    ]
    assert all(TWO_SCALERS in text for text in [PAGE, *(head.read_text() for head in heads)])


def _as_seen_from(folder: Path, kustomization: str) -> str:
    """Do to a copied overlay what the page says: name the base and the components as seen from where the copy is."""
    return kustomization.replace("../../", f"{os.path.relpath(KUBERNETES, folder)}/")


def _kustomize(folder: Path) -> subprocess.CompletedProcess[str]:
    kubectl = tool("kubectl", "install it to render the overlays")
    return subprocess.run((kubectl, "kustomize", str(folder)), capture_output=True, text=True, check=False)


@IN_OVERLAYS
def test_external_secrets_leave_none_to_be_made_by_hand(choice: str) -> None:
    docs = documents(choice)
    external = {doc["spec"]["target"]["name"] for doc in of_kind(docs, "ExternalSecret")}
    volumes = [volume for doc in workloads(docs) for volume in pod(doc).get("volumes", [])]
    assert external in (set(), {volume["secret"]["secretName"] for volume in volumes if "secret" in volume})


def test_the_alerts_of_production_lead_to_the_place_that_its_overlay_names() -> None:
    (rule,) = of_kind(documents("production"), "PrometheusRule")
    assert "https://git.example.com/" in (KUBERNETES / "overlays" / "production" / "kustomization.yaml").read_text()
    urls = [alert["annotations"]["runbook_url"] for group in rule["spec"]["groups"] for alert in group["rules"]]
    assert urls
    assert all(re.match(r"https://git\.example\.com/\S+/docs/operations/alerts/\w+\.md$", url) for url in urls)
