"""OpenTelemetry's variables: what switches traces on, what is refused, and that nobody sees the collector's key."""

import pytest

from service.errors import SettingsError
from service.observe.trace_config import Config
from service.settings import read

COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/"}


def _config(**environ: str) -> Config:
    return read({Config: "OTEL_"}, environ).of(Config)


@pytest.mark.parametrize(
    ("environ", "endpoint"),
    [
        (COLLECTOR, "http://collector:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c/spans"}, "https://c/spans"),
        (COLLECTOR | {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c/spans"}, "https://c/spans"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "http://localhost:4318/v1/traces"),
        ({}, ""),
        (COLLECTOR | {"OTEL_TRACES_EXPORTER": "none"}, ""),
        (COLLECTOR | {"OTEL_SDK_DISABLED": "true"}, ""),
    ],
)
def test_traces_are_on_where_there_is_a_collector_and_nobody_says_no(environ: dict[str, str], endpoint: str) -> None:
    config = _config(**environ)
    assert config.on == bool(endpoint)
    assert config.endpoint == endpoint or not config.on


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRACES_EXPORTER", "console"),
        ("EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("EXPORTER_OTLP_ENDPOINT", "collector:4317"),
        ("EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4317"),
        ("EXPORTER_OTLP_ENDPOINT", "https://user:hidden@collector"),
        ("EXPORTER_OTLP_ENDPOINT", "https://collector?key=hidden"),
        ("EXPORTER_OTLP_HEADERS", "hidden-key-without-a-name"),
        ("TRACES_SAMPLER", "sometimes"),
        ("TRACES_SAMPLER_ARG", "50%"),
        ("TRACES_SAMPLER_ARG", "1.5"),
    ],
)
def test_what_cannot_be_done_is_named_but_only_where_traces_are_on(name: str, value: str) -> None:
    given = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", f"OTEL_{name}": value}
    faults = read_faults(given)
    assert [fault.split()[0] for fault in faults] == [f"OTEL_{name}"]
    assert "hidden" not in faults[0]
    assert read_faults({**given, "OTEL_SDK_DISABLED": "true"}) == []


def read_faults(environ: dict[str, str]) -> list[str]:
    """What settings say of an environment."""
    try:
        _config(**environ)
    except SettingsError as error:
        return error.problems
    return []


def test_headers_are_percent_encoded_pairs_and_never_shown() -> None:
    config = _config(**COLLECTOR, OTEL_EXPORTER_OTLP_HEADERS="x-key=hidden%2Ckey==, authorization = Bearer%20hidden")
    assert config.headers == {"x-key": "hidden,key==", "authorization": "Bearer hidden"}
    assert "hidden" not in repr(config)
