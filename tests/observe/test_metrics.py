"""Metrics: Prometheus can read them, and no label says who."""

from prometheus_client.parser import text_string_to_metric_families

from service.observe import metrics


def test_every_metric_is_exported_with_a_help_text() -> None:
    metrics.RUNS.labels("r", "done").inc()
    families = {
        family.name: family for family in text_string_to_metric_families(metrics.exposition(levels=True).decode())
    }
    assert set(families) >= {
        "sluice_deliveries",
        "sluice_events",
        "sluice_planned",
        "sluice_acknowledge_seconds",
        "sluice_runs",
        "sluice_run_seconds",
        "sluice_steps",
        "sluice_redis_keys",
        "sluice_rules_reloads",
        "sluice_ruleset_info",
        "sluice_rules_broken_files",
        "sluice_lanes",
        "sluice_sakari_calls",
        "sluice_sakari_seconds",
        "sluice_sakari_waited_seconds",
        "sluice_sakari_put_off",
        "sluice_sakari_rate",
        "sluice_sakari_circuit",
        "sluice_sakari_queue_seconds",
    }
    assert all(family.documentation for family in families.values())


def test_labels_are_bounded_words() -> None:
    collectors = [
        collector for registry in (metrics.REGISTRY, metrics.LEVELS) for collector in registry._collector_to_names
    ]
    names = {name for collector in collectors for name in collector._labelnames}  # type: ignore[attr-defined]
    assert names <= {"source", "verdict", "outcome", "rule", "mode", "state", "result", "version"} | {
        "account",
        "endpoint",
        "reason",
        "action",
    }


def test_who_does_not_look_at_redis_tells_nothing_of_it() -> None:
    """A worker's zero would say that Redis is away, and that an ingress is there."""
    assert b"sluice_redis_up" not in metrics.exposition()


def test_no_series_tells_when_a_counter_was_made() -> None:
    metrics.DELIVERIES.labels("hubspot", "accepted").inc(0)
    assert b"_created" not in metrics.exposition()
