"""Alerts: each rests on metrics that exist, has a page, fires when it must, and stays quiet just short of that."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec import Struct
from prometheus_client import Counter, Gauge, Histogram

from service.observe import metrics
from tests.deploy.manifests import ROOT, tool

MANIFEST: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "alerts" / "prometheus-rule.yaml").read_text())
ANNOTATIONS, RULES = MANIFEST["metadata"]["annotations"], MANIFEST["spec"]
ALERTS: dict[str, dict[str, Any]] = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"]}
PAGES = ROOT / "docs" / "operations"


def exported() -> dict[str, set[str]]:
    """Name of every series that Sluice tells -> its labels."""
    found: dict[str, set[str]] = {}
    for registry in (metrics.REGISTRY, metrics.LEVELS):
        for collector in registry._collector_to_names:
            labels = set(collector._labelnames)  # type: ignore[attr-defined]
            name = collector._name  # type: ignore[attr-defined]
            if isinstance(collector, Histogram):
                found |= {f"{name}_bucket": labels | {"le"}, f"{name}_count": labels, f"{name}_sum": labels}
            else:
                found[f"{name}_total" if isinstance(collector, Counter) else name] = labels
    return found


GIVEN_BY_PROMETHEUS = {"namespace", "pod"}


def complaints(expression: str) -> list[str]:
    """What a query names that nobody tells: metrics, and labels of metrics."""
    known, wrong = exported(), []
    for name, matchers in re.findall(r"\b(sluice_\w+)(?:\{([^}]*)\})?", expression):
        if name not in known:
            wrong.append(name)
            continue
        asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        wrong += [f"{name}{{{label}}}" for label in sorted(asked - known[name] - GIVEN_BY_PROMETHEUS)]
    told = set().union(*(known.get(name, set()) for name in re.findall(r"\bsluice_\w+", expression)))
    grouped = {label.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(",")}
    return wrong + sorted(grouped - told - GIVEN_BY_PROMETHEUS)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_rests_on_what_is_told(alert: str) -> None:
    assert complaints(ALERTS[alert]["expr"]) == []


def test_a_query_for_what_nobody_tells_is_seen() -> None:
    assert complaints("sluice_lanez > 1") == ["sluice_lanez"]
    assert complaints('sluice_lanes{status="due"}') == ["sluice_lanes{status}"]
    assert complaints("max by (rule) (sluice_lanes)") == ["rule"]


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_has_a_severity_words_and_a_page(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    where, _, page_of = rule["annotations"]["runbook_url"].partition("/docs/")
    assert where == ANNOTATIONS["sluice/runbooks"]
    page = ROOT / "docs" / page_of
    assert page == PAGES / "alerts" / f"{alert}.md"
    assert page.read_text().startswith(f"# {alert}\n")


def test_the_page_on_monitoring_tells_how_to_lead_them_elsewhere() -> None:
    assert f"s|{ANNOTATIONS['sluice/runbooks']}/docs/|" in (PAGES / "monitoring.md").read_text()


def test_every_page_has_its_alert() -> None:
    assert {path.stem for path in (PAGES / "alerts").glob("*.md")} == set(ALERTS)


def test_a_page_that_names_kubectl_leads_to_what_to_type_elsewhere() -> None:
    pages = {path.name: path.read_text() for path in (PAGES / "alerts").glob("*.md")}
    naming = {name for name, page in pages.items() if "kubectl" in page}
    assert naming
    assert {name for name in naming if "../monitoring.md#by-hand-on-each-platform" not in pages[name]} == set()


def test_the_page_on_monitoring_lists_every_alert_and_every_metric() -> None:
    page = (PAGES / "monitoring.md").read_text()
    listed = dict(re.findall(r"^\| \[(\w+)\]\(alerts/\1\.md\) \| (\w+) \|", page, re.MULTILINE))
    assert listed == {name: rule["labels"]["severity"] for name, rule in ALERTS.items()}
    base = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exported()}
    assert set(re.findall(r"^\| `(sluice_\w+)`", page, re.MULTILINE)) == base


def test_the_page_on_monitoring_says_which_process_tells_a_metric() -> None:
    page = (PAGES / "monitoring.md").read_text()
    listed = dict(re.findall(r"^\| `(sluice_\w+)`[ ◆]* \| (\w+) \|", page, re.MULTILINE))
    code = {
        process: "".join(path.read_text() for room in rooms for path in (ROOT / "service" / room).glob("*.py"))
        for process, rooms in {"ingress": ["ingress"], "worker": ["worker", "sakari"]}.items()
    }
    for constant, metric in vars(metrics).items():
        if isinstance(metric, Counter | Gauge | Histogram):
            name = metric._name + ("_total" if isinstance(metric, Counter) else "")
            assert [process for process in code if re.search(rf"\b{constant}\b", code[process])] == [listed[name]], name


def test_a_worker_of_systemd_is_scraped_too() -> None:
    """Without a port it tells nothing, and no alert about Sakari can fire."""
    page = (PAGES / "machine.md").read_text().partition("## Without Docker")[2]
    (port,) = re.findall(r"^Environment=SLUICE_METRICS_PORT=(\d+)$", page, re.MULTILINE)
    scraped = yaml.safe_load("scrape_configs:" + page.partition("scrape_configs:")[2].partition("```")[0])
    (targets,) = scraped["scrape_configs"][0]["static_configs"]
    assert targets["targets"] == ["127.0.0.1:8080", f"127.0.0.1:{port}"]


class Case(Struct, frozen=True):
    """What Prometheus sees, once so that an alert fires, and once so that it just does not. Values are promtool's."""

    alert: str
    loud: dict[str, str]
    quiet: dict[str, str]
    at: str = "30m"


UP = {"sluice_redis_up": "1x2000"}
CASES = [
    Case("SluiceIngressGone", {"sluice_redis_up": "1x10 _x200"}, {"sluice_redis_up": "1x25 _x200"}),
    Case("SluiceRedisAway", {"sluice_redis_up": "1x10 0x200"}, {"sluice_redis_up": "1x28 0x200"}),
    Case(
        "SluiceRedisAway",
        {'sluice_redis_up{pod="a"}': "1x200", 'sluice_redis_up{pod="b"}': "1x10 0x200"},
        {'sluice_redis_up{pod="a"}': "1x200", 'sluice_redis_up{pod="b"}': "1x200"},
    ),
    Case(
        "SluiceNothingStored",
        {'sluice_deliveries_total{source="hubspot",verdict="store_unavailable"}': "0x10 0+5x200"},
        {'sluice_deliveries_total{source="hubspot",verdict="store_unavailable"}': "0x10 5x200"},
    ),
    Case(
        "SluiceNobodyWorks",
        {"sluice_lanes_oldest_due_seconds": "100x200", 'sluice_lanes{state="leased"}': "0x200"},
        {"sluice_lanes_oldest_due_seconds": "100x200", 'sluice_lanes{state="leased"}': "1x200"},
    ),
    Case(
        "SluiceLanesLate",
        {"sluice_lanes_oldest_due_seconds": "130x200"},
        {"sluice_lanes_oldest_due_seconds": "110x200"},
    ),
    Case(
        "SluiceDeadLettersGrow",
        {"sluice_dead_letters": "0x20 25x200"},
        {"sluice_dead_letters": "0x20 20x200"},
    ),
    Case("SluiceDeadLettersWait", {"sluice_dead_letters": "1x200"}, {"sluice_dead_letters": "1x40 0x200"}, at="65m"),
    Case(
        "SluiceDeliveriesRefused",
        {
            'sluice_deliveries_total{source="hubspot",verdict="accepted"}': "0+80x200",
            'sluice_deliveries_total{source="hubspot",verdict="mismatch"}': "0+20x200",
        },
        {
            'sluice_deliveries_total{source="hubspot",verdict="accepted"}': "0+95x200",
            'sluice_deliveries_total{source="hubspot",verdict="mismatch"}': "0+5x200",
        },
    ),
    Case(
        "SluicePipedriveBanNear",
        {'sluice_retried_deliveries_total{source="pipedrive"}': "0x10 4x200"},
        {'sluice_retried_deliveries_total{source="pipedrive"}': "0x10 2x200"},
    ),
    Case(
        "SluicePipedriveBanNear",
        {
            'sluice_deliveries_total{source="pipedrive",verdict="accepted"}': "0+900x200",
            'sluice_deliveries_total{source="pipedrive",verdict="wrong_password"}': "0x10 4x200",
        },
        {
            'sluice_deliveries_total{source="pipedrive",verdict="accepted"}': "0+900x200",
            'sluice_deliveries_total{source="pipedrive",verdict="wrong_password"}': "0x10 2x200",
        },
    ),
    Case(
        "SluiceSourceSilent",
        {'sluice_last_accepted_timestamp_seconds{source="pipedrive"}': "600x10 _x2000"},
        {'sluice_last_accepted_timestamp_seconds{source="pipedrive"}': "600x10 90000x2000"},
        at="1500m",
    ),
    Case(
        "SluiceSpillWaits", {"sluice_spilled_oldest_seconds": "0+60x200"}, {"sluice_spilled_oldest_seconds": "0+30x200"}
    ),
    Case("SluiceRulesBroken", {"sluice_rules_broken_files": "1x200"}, {"sluice_rules_broken_files": "1x10 0x200"}),
    Case(
        "SluiceRuleSetsDiffer",
        {'sluice_ruleset_info{pod="a",version="1"}': "1x200", 'sluice_ruleset_info{pod="b",version="2"}': "1x200"},
        {'sluice_ruleset_info{pod="a",version="1"}': "1x200", 'sluice_ruleset_info{pod="b",version="1"}': "1x200"},
        at="40m",
    ),
    Case(
        "SluiceAnswersSlow",
        {
            'sluice_acknowledge_seconds_bucket{source="hubspot",le="2.5"}': "0+90x200",
            'sluice_acknowledge_seconds_bucket{source="hubspot",le="5.0"}': "0+100x200",
            'sluice_acknowledge_seconds_bucket{source="hubspot",le="+Inf"}': "0+100x200",
        },
        {
            'sluice_acknowledge_seconds_bucket{source="hubspot",le="1.0"}': "0+100x200",
            'sluice_acknowledge_seconds_bucket{source="hubspot",le="+Inf"}': "0+100x200",
        },
    ),
    Case(
        "SluiceEventsLate",
        {
            'sluice_event_lag_seconds_bucket{source="hubspot",le="900.0"}': "0+10x200",
            'sluice_event_lag_seconds_bucket{source="hubspot",le="3600.0"}': "0+100x200",
            'sluice_event_lag_seconds_bucket{source="hubspot",le="+Inf"}': "0+100x200",
        },
        {
            'sluice_event_lag_seconds_bucket{source="hubspot",le="900.0"}': "0+60x200",
            'sluice_event_lag_seconds_bucket{source="hubspot",le="3600.0"}': "0+100x200",
            'sluice_event_lag_seconds_bucket{source="hubspot",le="+Inf"}': "0+100x200",
        },
        at="90m",
    ),
    Case(
        "SluiceRedisFull",
        {"sluice_redis_memory_bytes": "850x200", "sluice_redis_memory_limit_bytes": "1000x200"},
        {"sluice_redis_memory_bytes": "850x200", "sluice_redis_memory_limit_bytes": "0x200"},
    ),
    Case(
        "SluiceSakariPaused",
        {'sluice_sakari_circuit{account="default",state="paused"}': "1x200"},
        {'sluice_sakari_circuit{account="default",state="paused"}': "0x200"},
    ),
    Case(
        "SluiceSakariDown",
        {'sluice_sakari_circuit{account="default",state="open"}': "0x10 1x200"},
        {'sluice_sakari_circuit{account="default",state="open"}': "0x22 1x200"},
    ),
    Case(
        "SluiceSakariTooFast",
        {
            'sluice_sakari_calls_total{account="default",outcome="200"}': "0+95x200",
            'sluice_sakari_calls_total{account="default",outcome="429"}': "0+5x200",
        },
        {
            'sluice_sakari_calls_total{account="default",outcome="200"}': "0+99x200",
            'sluice_sakari_calls_total{account="default",outcome="429"}': "0+1x200",
        },
        at="60m",
    ),
    Case(
        "SluiceSakariQueueLong",
        {'sluice_sakari_queue_seconds{account="default"}': "4000x200"},
        {'sluice_sakari_queue_seconds{account="default"}': "3500x200"},
    ),
]


def test_every_alert_is_tried() -> None:
    assert {case.alert for case in CASES} == set(ALERTS)


@pytest.mark.slow
def test_alerts_fire_when_they_must_and_not_before(tmp_path: Path) -> None:
    promtool = tool("promtool", "install Prometheus (Debian: prometheus), which brings it")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(RULES))
    tests = [
        _test(f"{case.alert} {name}", series, case.at, fires)
        for case in CASES
        for name, series, fires in (("fires", case.loud, [case.alert]), ("stays quiet", case.quiet, []))
    ]
    plan = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    for command in (("check", "rules", "rules.yaml"), ("test", "rules", "plan.yaml")):
        done = subprocess.run((promtool, *command), cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def _test(name: str, series: dict[str, str], at: str, fires: list[str]) -> dict[str, Any]:
    """Which alerts fire at that time: these, and no others. Prometheus keeps what fires as the series ALERTS."""
    there = series if any(key.startswith("sluice_redis_up") for key in series) else {**UP, **series}
    samples = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in fires]
    firing = 'group by (alertname) (ALERTS{alertstate="firing"})'
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": key, "values": values} for key, values in there.items()],
        "promql_expr_test": [{"expr": firing, "eval_time": at, "exp_samples": samples}],
    }
