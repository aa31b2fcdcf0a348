"""The dashboard: every query rests on metrics that exist, and every panel can be read without its author."""

import json
from typing import Any

import pytest

from service.observe import metrics
from tests.deploy.manifests import ROOT
from tests.deploy.test_alerts import complaints, exported

BOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "sluice.json").read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_asks_for_what_is_told_and_says_what_it_shows(panel: dict[str, Any]) -> None:
    assert panel["description"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    for target in panel["targets"]:
        assert complaints(target["expr"]) == []
        assert 'namespace=~"$namespace"' in target["expr"]
        assert target["datasource"]["uid"] == "${datasource}"


def test_counters_are_never_shown_bare_nor_gauges_of_the_store_added_up() -> None:
    levels = {collector._name for collector in metrics.LEVELS._collector_to_names}  # type: ignore[attr-defined]
    for target in (target for panel in PANELS for target in panel["targets"]):
        for name in (name for name in exported() if name + "{" in target["expr"]):
            assert (
                not name.endswith(("_total", "_bucket")) or "rate(" in target["expr"] or "increase(" in target["expr"]
            )
            assert name not in levels or "sum" not in target["expr"], "every ingress tells the same"


def test_panels_do_not_overlap_and_have_numbers_of_their_own() -> None:
    cells = [
        (x, y)
        for panel in BOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(ids) == len(set(ids))


def test_every_metric_is_on_the_dashboard_somewhere() -> None:
    shown = json.dumps(BOARD)
    told = {name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum") for name in exported()}
    assert {name for name in told if name not in shown} == set()
