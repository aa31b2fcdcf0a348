"""The compose file: loopback only, nothing lost, secrets where they belong, and times that add up."""

import re
from typing import Any

import click
import pytest
import yaml
from msgspec.structs import fields

from service import app
from service.cli import main
from service.errors import SettingsError
from service.ingress.wanted import WANTED as SERVES
from service.sandbox.state import Settings as Sandbox
from service.settings import SakariSettings, WorkSettings, read
from service.worker.wanted import WANTED as WORKS
from tests.deploy.manifests import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
WANTED: dict[str, dict[Any, str]] = {"ingress": dict(SERVES), "worker": dict(WORKS)}
DEMO = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / "deploy" / "demo.env").read_text(), re.MULTILINE))


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


def test_redis_refuses_before_it_is_killed_and_both_limits_can_be_raised() -> None:
    asked = re.search(r"--maxmemory \$\{REDIS_MAXMEMORY:-(\d+)mb\}", SERVICES["redis"]["command"])
    limit = re.fullmatch(r"\$\{REDIS_MEM_LIMIT:-(\d+)g\}", SERVICES["redis"]["mem_limit"])
    assert asked
    assert limit
    assert int(asked[1]) < 1024 * int(limit[1])
    page = (ROOT / "docs" / "operations" / "machine.md").read_text()
    assert re.search(r"`REDIS_MAXMEMORY=\w+`.*`REDIS_MEM_LIMIT=\w+`", page)


@pytest.mark.parametrize("process", WANTED)
def test_every_setting_that_a_process_reads_can_reach_it_and_no_other_does(process: str) -> None:
    """So the ingress never holds Sakari's credentials, and no worker a secret of a webhook."""
    read_by_it = {p + field.name.upper() for kind, p in WANTED[process].items() for field in fields(kind)}
    assert SERVICES[process]["environment"].keys() == read_by_it


def test_only_what_belongs_to_the_container_has_a_value() -> None:
    given = {
        name for process in WANTED for name, value in SERVICES[process]["environment"].items() if value is not None
    }
    own = {f"SLUICE_{name}" for name in ("REDIS_URL", "RULES", "HOST", "PORT", "SPILL_DIR", "GRACE_S")}
    assert given == own | {"SLUICE_METRICS_PORT", "SLUICE_METRICS_HOST"}
    assert SERVICES["worker"]["environment"]["SLUICE_METRICS_HOST"] == "0.0.0.0", "Prometheus is elsewhere"  # noqa: S104


@pytest.mark.parametrize("process", WANTED)
def test_without_settings_of_yours_a_process_says_what_is_missing(process: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(WANTED[process], _environment(process, {}))
    needed = {"ingress": ["PUBLIC_URL"], "worker": ["SAKARI_ACCOUNT_ID", "SAKARI_CLIENT_ID", "SAKARI_CLIENT_SECRET"]}
    for name in needed[process]:
        assert f"SLUICE_{name} is not set" in str(caught.value)


def test_the_demo_is_whole_and_its_sandbox_knows_its_credentials() -> None:
    ingress = read(WANTED["ingress"], _environment("ingress", DEMO))
    assert {route.source for route in app.make_routes(ingress)} == {"hubspot", "pipedrive"}
    account, known = read(WANTED["worker"], _environment("worker", DEMO)).of(SakariSettings), Sandbox()
    assert (account.account_id, account.client_id, account.client_secret) == (
        known.account,
        known.client_id,
        known.client_secret,
    )
    assert account.url == f"http://sandbox:{SERVICES['sandbox']['command'][-1]}"
    assert [DEMO["COMPOSE_PROFILES"]] == SERVICES["sandbox"]["profiles"]
    assert (ROOT / DEMO["SLUICE_RULES"]).is_dir()


def _environment(process: str, given: dict[str, str]) -> dict[str, str]:
    """What a process is started with, as Compose makes it of an .env file; folders are those of this machine."""
    listed = {name: given.get(name) if value is None else str(value) for name, value in _listed(process)}
    environ = {name: value for name, value in listed.items() if value is not None}
    environ.pop("SLUICE_SPILL_DIR", None)
    return environ | ({"SLUICE_RULES": str(ROOT / "rules")} if "SLUICE_RULES" in environ else {})


def _listed(process: str) -> list[tuple[str, str | int | None]]:
    return list(SERVICES[process]["environment"].items())


def test_commands_exist() -> None:
    ours = {name: service["command"][0] for name, service in SERVICES.items() if service["image"] == "sluice"}
    assert set(ours.values()) <= set(main.list_commands(click.Context(main)))
    assert set(ours) == {"ingress", "worker", "sandbox"}


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


def test_the_rules_are_a_folder_that_must_be_named_and_that_nobody_writes() -> None:
    (rules,) = (volume for volume in SERVICES["ingress"]["volumes"] if volume["target"] == "/rules")
    assert rules["source"].startswith("${SLUICE_RULES:?"), "the samples must not go live because nothing was said"
    assert rules["read_only"] is True
