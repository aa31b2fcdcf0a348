"""`sluice doctor`: what it finds in an installation that is well, and in one that is not."""

import os
from asyncio import to_thread
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import redis
from click.testing import CliRunner, Result
from redis.asyncio import Redis

from service import settings
from service.cli import main
from service.dev.processes import embedded_redis
from service.model import Misfit
from service.sandbox.state import Fault, Settings
from service.store import Options, Store, accept, open_store, rulesets
from tests.sakari.rig import Rig, rigged, served
from tests.system.conftest import until

RULES = Path(__file__).parents[2] / "rules"


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SLUICE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def empty_redis(redis_url: str) -> str:
    """The server's address, with nothing in it: no dead letters of other tests."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return redis_url


def doctor(*options: str, **environ: str) -> Result:
    return CliRunner().invoke(
        main, ["doctor", *options], env={f"SLUICE_{name}": value for name, value in environ.items()}
    )


def told(**environ: str) -> dict[str, list[tuple[str, str]]]:
    """Section -> (mark, what) of its findings."""
    sections: dict[str, list[tuple[str, str]]] = {}
    result = doctor("--json", **environ)
    assert result.stdout, result.exception
    for finding in msgspec.json.decode(result.stdout):
        sections.setdefault(finding["section"], []).append((finding["mark"], finding["what"]))
    return sections


SERVE = {
    "PUBLIC_URL": "https://hooks.example.invalid/sluice",
    "RULES": str(RULES),
    "HUBSPOT_CLIENT_SECRET": "hub-secret",
    "SPILL_DIR": "spill",
}
WORK = {
    "SAKARI_URL": "http://127.0.0.1:9",
    "SAKARI_ACCOUNT_ID": "demo",
    "SAKARI_CLIENT_ID": "sandbox-client",
    "SAKARI_CLIENT_SECRET": "sandbox-secret",
}


def test_with_nothing_set_it_says_what_it_could_not_look_at() -> None:
    result = doctor()
    assert result.exit_code == 2
    assert "nothing of `sluice serve` is set here" in result.stdout
    assert "No installation was looked at. Set SLUICE_REDIS_URL" in result.stdout
    assert {mark for findings in told().values() for mark, _ in findings} == {"unchecked"}


def test_rules_alone_are_no_installation(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "good.yaml").write_text((RULES / "hubspot-contacts.yaml").read_text())
    assert told()["rules"][-1][0] == "ok"
    assert doctor().exit_code == 2
    assert "No installation was looked at" in doctor().stdout


def test_what_is_set_elsewhere_is_told_as_far_as_it_was_looked_at(empty_redis: str) -> None:
    result = doctor(REDIS_URL=empty_redis)
    assert result.exit_code == 0
    assert result.stdout.rstrip().endswith("All is well, as far as it was looked at.")


def test_hubspot_alone_needs_no_spill_folder(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {**SERVE, "REDIS_URL": redis_url, "SPILL_DIR": ""}
    if Path("/proc/self").is_dir():
        monkeypatch.chdir("/proc/self")  # a folder that nobody may write, as in a container
    assert told(**environ)["settings"][0] == ("ok", "`sluice serve` has what it needs")
    assert [mark for mark, _ in told(**environ)["settings"]] == ["ok", "unchecked"]
    pipedrive = {"PIPEDRIVE_USER": "pipe", "PIPEDRIVE_PASSWORD": "drive"}
    assert told(**environ, **pipedrive)["settings"][1][1].startswith("there is no SLUICE_SPILL_DIR")
    assert list(tmp_path.iterdir()) == []


def test_that_no_source_has_a_secret_is_told(redis_url: str) -> None:
    environ = {**SERVE, "REDIS_URL": redis_url, "HUBSPOT_CLIENT_SECRET": ""}
    assert told(**environ)["settings"][0][1].startswith("no source has a secret")


def test_where_settings_come_from_is_told(redis_url: str) -> None:
    settings.DEV_FILE.parent.mkdir(parents=True)
    settings.DEV_FILE.write_text("SLUICE_REDIS_URL=redis://127.0.0.1:9/0\n")
    assert "Settings that are not set come from var/dev/environment" in doctor().stderr
    assert "Settings" not in doctor(REDIS_URL=redis_url).stderr


def test_settings_that_are_missing_are_named_all_at_once(redis_url: str) -> None:
    environ = {"REDIS_URL": redis_url, "SAKARI_ACCOUNT_ID": "demo", "SAKARI_CLINT_ID": "x"}
    assert doctor(**environ).exit_code == 2
    assert told(**environ)["settings"] == [
        ("unchecked", "nothing of `sluice serve` is set here"),
        ("bad", "SLUICE_SAKARI_CLIENT_ID is not set (nor SLUICE_SAKARI_CLIENT_ID_FILE)"),
        ("bad", "SLUICE_SAKARI_CLIENT_SECRET is not set (nor SLUICE_SAKARI_CLIENT_SECRET_FILE)"),
        ("warn", "SLUICE_SAKARI_CLINT_ID is no setting of Sluice; did you mean SLUICE_SAKARI_CLIENT_ID?"),
    ]


def test_a_redis_that_is_well_and_one_that_is_not_there(empty_redis: str) -> None:
    (marks, whats) = zip(*told(REDIS_URL=empty_redis)["redis"], strict=True)
    assert set(marks) == {"ok"}
    assert "answers in" in whats[0]
    result = doctor(REDIS_URL="redis://:hidden@127.0.0.1:9/0")
    assert result.exit_code == 1
    assert "nothing answers there (ConnectionError)" in result.stdout
    assert "hidden" not in result.stdout


async def test_dead_letters_that_wait_are_counted(store: Store, redis_url: str) -> None:
    await accept(store, "hubspot", [], [Misfit("[0]: no", b"x")], now=1)
    found = (await to_thread(told, REDIS_URL=redis_url))["redis"]
    assert found[-1] == ("warn", "1 dead letter waits: `sluice dead list`")
    await accept(store, "hubspot", [], [Misfit("[1]: no", b"y")], now=1)
    found = (await to_thread(told, REDIS_URL=redis_url))["redis"]
    assert found[-1] == ("warn", "2 dead letters wait: `sluice dead list`")


@pytest.mark.parametrize("login", ["", ":hidden@", "who:hidden@"])
async def test_a_redis_that_refuses_the_password_is_not_taken_for_an_absent_one(tmp_path: Path, login: str) -> None:
    (tmp_path / "redis").mkdir()
    async with embedded_redis(tmp_path / "redis") as url:
        store = open_store(url, Options())
        await store.redis.config_set("requirepass", "right")
        await store.close()
        result = await to_thread(doctor, REDIS_URL=url.replace("//", f"//{login}"))
    assert result.stdout.count("the server refused the user or the password, or wants one") == 1
    assert "hidden" not in result.stdout
    assert result.exit_code == 1


async def test_a_redis_that_would_lose_events_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    async with embedded_redis(tmp_path / "redis") as url:
        store = open_store(url, Options())
        await store.redis.config_set("maxmemory-policy", "allkeys-lru")
        await store.close()
        found = (await to_thread(told, REDIS_URL=url))["redis"]
    assert any(mark == "warn" and "may evict keys" in what for mark, what in found)


async def test_which_replicas_may_confirm_what_is_not_on_their_disks_is_told(tmp_path: Path) -> None:
    for name in ("primary", "replica"):
        (tmp_path / name).mkdir()
    async with embedded_redis(tmp_path / "primary") as url:
        port = url.removesuffix("/0").rpartition(":")[2]
        replica = embedded_redis(tmp_path / "replica", "--replicaof", "127.0.0.1", port, "--appendfsync", "everysec")
        async with replica as other, Redis.from_url(url) as redis:

            async def connected() -> bool:
                return bool((await redis.info("replication"))["connected_slaves"])

            await until(connected)
            assert {mark for mark, _ in (await to_thread(told, REDIS_URL=url))["redis"]} == {"ok"}
            waited_for = await to_thread(told, REDIS_URL=url, REPLICAS="1")
            memory = await to_thread(told, REDIS_URL=url, REPLICAS="1", DURABILITY="memory")
    ((mark, what),) = [found for found in waited_for["redis"] if found[0] != "ok"]
    assert mark == "unchecked"
    assert what.endswith(f"their primary does not know: {other.removeprefix('redis://').removesuffix('/0')}")
    assert all(mark != "unchecked" for mark, _ in memory["redis"])


def test_rules_are_told_as_lint_sees_them(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "good.yaml").write_text((RULES / "hubspot-contacts.yaml").read_text())
    (tmp_path / "rules" / "bad.yaml").write_text("version: 1\nrules:\n  - id: x\n")
    assert doctor().exit_code == 1
    (error, live) = told()["rules"]
    assert error == ("bad", "2 errors in `rules`; what is in force instead, only Redis knows")
    assert live[0] == "ok"
    (tmp_path / "rules" / "bad.yaml").unlink()
    (tmp_path / "rules" / "good.yaml").write_text("version: 1\nrules: []\n")
    assert told()["rules"][-1] == ("warn", "0 live rules")


async def test_what_is_in_force_in_place_of_a_broken_file_is_told(store: Store, redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    good = (RULES / "hubspot-contacts.yaml").read_text()
    await rulesets.keep(store, "v1", {"a.yaml": good})
    await rulesets.announce(store, "v1")
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / "rules" / name).write_text("version: 1\nrules:\n  - id: x\n")
    errors, *instead, _, live = (await to_thread(told, REDIS_URL=redis_url))["rules"]
    assert errors[1].endswith("errors in `rules`")
    assert instead == [
        ("bad", "a.yaml is broken: its last good version stays in force"),
        ("bad", "b.yaml is broken, and no good version of it is known: its rules are not in force"),
    ]
    assert live[0] == "ok"


def test_the_address_that_crms_call(redis_url: str, tmp_path: Path) -> None:
    found = told(REDIS_URL=redis_url, **SERVE)["sources"]
    assert found[0][0] == "ok"
    assert found[0][1].startswith("hubspot may call https://hooks.example.invalid/sluice/webhooks/hubspot")
    assert found[1] == ("unchecked", "pipedrive has no secret here, so it has no path")
    assert found[2][1].startswith("nothing answers at https://hooks.example.invalid/sluice")
    local = told(REDIS_URL=redis_url, **SERVE | {"PUBLIC_URL": "http://127.0.0.1:9"})["sources"]
    assert [what for mark, what in local if mark == "warn"][:2] == [
        "http://127.0.0.1:9 is not https",
        "127.0.0.1 cannot be reached from outside",
    ]
    assert not (tmp_path / "spill").exists(), "it changes nothing"


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with served(Settings()) as server, rigged(*server) as made:
        yield made


async def test_sakari_is_asked_for_a_token_and_the_account(rig: Rig, redis_url: str) -> None:
    environ = {"REDIS_URL": redis_url, **WORK, "SAKARI_URL": rig.url}
    assert (await to_thread(told, **environ))["sakari"] == [
        ("ok", "gave a token, good for 60 minutes"),
        ("ok", "the account can be read with it"),
    ]
    assert rig.sandbox.calls == {"POST /oauth2/token": {"200": 1}, "GET /v1/accounts/*": {"200": 1}}

    wrong = await to_thread(doctor, **environ | {"SAKARI_CLIENT_SECRET": "s3cret"})
    assert wrong.exit_code == 1
    assert "check SLUICE_SAKARI_CLIENT_ID and SLUICE_SAKARI_CLIENT_SECRET [bad_credentials]" in wrong.stdout
    assert "s3cret" not in wrong.stdout

    rig.faults(Fault(path="/v1/accounts", status=403, body={"success": False, "error": {"code": "ACCT-016"}}))
    found = (await to_thread(told, **environ))["sakari"]
    assert found[1][0] == "bad"
    assert "no access to this API [sakari_ACCT-016]" in found[1][1]


def test_every_account_is_looked_at_and_rules_may_name_no_other(redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    text = (RULES / "hubspot-contacts.yaml").read_text()
    (tmp_path / "rules" / "r.yaml").write_text(text.replace("version: 1", "version: 1\naccount: suport", 1))
    support = {f"SAKARI_SUPPORT_{name}": "x" for name in ("ACCOUNT_ID", "CLIENT_ID", "CLIENT_SECRET")}
    found = told(REDIS_URL=redis_url, **WORK, SAKARI_ACCOUNTS="support", **support)
    what = "rules name the account `suport`, which is not among SLUICE_SAKARI_ACCOUNTS"
    assert ("bad", what) in found["rules"]
    assert [what.partition(":")[0] for _, what in found["sakari"]] == ["account `default`", "account `support`"]


async def test_the_settings_of_the_account_that_is_refused_are_named(rig: Rig, redis_url: str) -> None:
    sales = {"SAKARI_SALES_ACCOUNT_ID": "demo", "SAKARI_SALES_CLIENT_ID": "x", "SAKARI_SALES_CLIENT_SECRET": "x"}
    environ = {"REDIS_URL": redis_url, **WORK, "SAKARI_URL": rig.url, "SAKARI_ACCOUNTS": "sales", **sales}
    (refused,) = [what for mark, what in (await to_thread(told, **environ))["sakari"] if mark == "bad"]
    assert "check SLUICE_SAKARI_SALES_CLIENT_ID and SLUICE_SAKARI_SALES_CLIENT_SECRET" in refused


def test_a_sakari_that_is_not_there(redis_url: str) -> None:
    assert told(REDIS_URL=redis_url, **WORK)["sakari"] == [
        ("bad", "no connection to Sakari could be opened [unreachable]")
    ]
