"""The compose file: loopback only, nothing lost, secrets where they belong, and times that add up."""

import re
from typing import Any

import pytest
import yaml

from service import app
from service.cli import main
from service.sandbox.state import Settings as Sandbox
from service.settings import WorkSettings, unknown
from service.worker import main as worker
from tests.deploy.manifests import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def _seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def test_ports_are_bound_to_loopback() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_confined_watched_and_limited(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert {"mem_limit", "pids_limit", "healthcheck"} <= service.keys()


def test_redis_keeps_everything_or_says_no() -> None:
    command = SERVICES["redis"]["command"]
    for option in ("--appendonly yes", "--maxmemory-policy noeviction"):
        assert option in command
    (limit,) = re.findall(r"--maxmemory (\d+)mb", command)
    assert int(limit) < 1024, "below the container's limit, so that it refuses before it is killed"
    assert SERVICES["redis"]["mem_limit"] == "1g"


def test_settings_exist_and_are_those_of_the_process() -> None:
    assert unknown(app.WANTED, SERVICES["ingress"]["environment"]) == []
    assert unknown(worker.WANTED, SERVICES["worker"]["environment"]) == []


def test_commands_exist() -> None:
    ours = {name: service["command"][0] for name, service in SERVICES.items() if service["image"] == "sluice"}
    assert set(ours.values()) <= set(main.commands)
    assert set(ours) == {"ingress", "worker", "sandbox"}


def test_the_demo_brings_a_sandbox_that_knows_the_default_credentials() -> None:
    assert SERVICES["sandbox"]["profiles"] == ["demo"]
    environ, known = SERVICES["worker"]["environment"], Sandbox()
    for name, value in (
        ("ACCOUNT_ID", known.account),
        ("CLIENT_ID", known.client_id),
        ("CLIENT_SECRET", known.client_secret),
    ):
        assert environ[f"SLUICE_SAKARI_{name}"] == f"${{SLUICE_SAKARI_{name}:-{value}}}"


def test_health_is_asked_where_it_is_told() -> None:
    port = SERVICES["worker"]["environment"]["SLUICE_METRICS_PORT"]
    assert f"http://127.0.0.1:{port}/livez" in SERVICES["worker"]["healthcheck"]["test"][-1]
    assert "http://127.0.0.1:8080/readyz" in SERVICES["ingress"]["healthcheck"]["test"][-1]
    sandbox = SERVICES["sandbox"]["command"][-1]
    assert f"http://127.0.0.1:{sandbox}/_sandbox/state" in SERVICES["sandbox"]["healthcheck"]["test"][-1]


def test_a_stop_leaves_running_steps_their_time() -> None:
    grace = int(SERVICES["worker"]["environment"]["SLUICE_GRACE_S"])
    assert grace == WorkSettings().grace_s
    assert _seconds(SERVICES["worker"]["stop_grace_period"]) >= grace + 5


def test_the_rules_are_mounted_as_a_folder_that_nobody_writes() -> None:
    assert "./rules:/rules:ro" in SERVICES["ingress"]["volumes"]
