"""Settings: every fault is named at once, with its variable, and no secret is ever shown."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta, Struct

from service import settings
from service.errors import SettingsError
from service.ingress.wanted import WANTED as SERVES
from service.settings import ClientSettings, IngressSettings, SakariSettings, StoreSettings, WorkSettings, read
from service.worker.wanted import WANTED as WORKS


class Example(Struct, frozen=True, kw_only=True):
    url: str
    count: Annotated[int, Meta(ge=1)] = 7
    share: float = 0.5
    secret: tuple[str, ...] = ()


WANTED: dict[type[Struct], str] = {Example: "X_"}


def _problems(environ: dict[str, str], wanted: Mapping[Any, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read(wanted, environ)
    return caught.value.problems


def test_what_is_given_is_converted_and_the_rest_has_its_default() -> None:
    found = read(WANTED, {"X_URL": "u", "X_COUNT": "3", "X_SHARE": "0.25"})
    assert found.of(Example) == Example(url="u", count=3, share=0.25)
    assert read(WANTED, {"X_URL": "u"}).of(Example) == Example(url="u")


def test_a_tuple_is_written_with_commas_and_empty_parts_are_nothing() -> None:
    assert read(WANTED, {"X_URL": "u", "X_SECRET": "new, old,,"}).of(Example).secret == ("new", "old")
    assert read(WANTED, {"X_URL": "u", "X_SECRET": ""}).of(Example).secret == ()


def test_every_fault_is_named_at_once() -> None:
    problems = _problems({"X_COUNT": "0", "X_SHARE": "half"}, WANTED)
    assert [problem.split()[0].rstrip(":") for problem in problems] == ["X_URL", "X_COUNT", "X_SHARE"]
    assert problems[0] == "X_URL is not set (nor X_URL_FILE)"


@pytest.mark.parametrize("wanted", [SERVES, WORKS], ids=["serve", "work"])
def test_an_empty_environment_is_told_everything_that_is_missing(wanted: Mapping[Any, str]) -> None:
    text = "\n".join(_problems({"SLUICE_CLAIM_HOURS": "many"}, wanted))
    required = {
        prefix + field.name.upper()
        for kind, prefix in wanted.items()
        for field in msgspec.structs.fields(kind)
        if field.required
    }
    assert "SLUICE_REDIS_URL" in required
    assert all(name in text for name in required | {"SLUICE_CLAIM_HOURS"})


def test_a_required_setting_that_is_empty_is_not_set() -> None:
    assert _problems({"X_URL": ""}, WANTED) == ["X_URL is not set (nor X_URL_FILE)"]


def test_a_file_may_hold_the_value(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("new,old\n")
    found = read(WANTED, {"X_URL": "u", "X_SECRET_FILE": str(tmp_path / "secret")})
    assert found.of(Example).secret == ("new", "old")


def test_a_file_that_cannot_be_read_is_named_once(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    problems = _problems({"X_URL_FILE": str(tmp_path / "none"), "X_SECRET_FILE": str(tmp_path / "binary")}, WANTED)
    assert [problem.partition(":")[0] for problem in problems] == ["X_URL_FILE", "X_SECRET_FILE"]
    assert "FileNotFoundError" in problems[0]


@pytest.mark.parametrize("kind", [StoreSettings, ClientSettings])
@pytest.mark.parametrize("url", ["localhost:6379", "http://127.0.0.1", "redis//x"])
def test_a_redis_url_that_is_none_is_named_and_not_shown(kind: type[Struct], url: str) -> None:
    (problem,) = _problems({"SLUICE_REDIS_URL": url}, {kind: "SLUICE_"})
    assert "SLUICE_REDIS_URL" in problem
    assert "redis://" in problem
    assert url not in problem


@pytest.mark.parametrize("url", ["redis://h:1/0", "rediss://u:p@h", "unix:///run/redis.sock"])
def test_every_kind_of_redis_url_is_taken(url: str) -> None:
    assert read({StoreSettings: "SLUICE_"}, {"SLUICE_REDIS_URL": url}).of(StoreSettings).redis_url == url


def test_a_public_url_without_a_scheme_is_named() -> None:
    (problem,) = _problems({"SLUICE_PUBLIC_URL": "hooks.example.com"}, {IngressSettings: "SLUICE_"})
    assert problem.startswith("SLUICE_PUBLIC_URL must be https://")


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (IngressSettings, "PORT", "70000"),
        (IngressSettings, "MAX_BODY", "2MiB"),
        (StoreSettings, "DURABILITY", "sometimes"),
        (WorkSettings, "RETRY_BASE_S", "0"),
        (WorkSettings, "RETRY_TRIES", "-1"),
    ],
)
def test_a_number_or_word_out_of_bounds_is_named(kind: type[Struct], name: str, value: str) -> None:
    environ = {"SLUICE_PUBLIC_URL": "https://x", "SLUICE_REDIS_URL": "redis://x", f"SLUICE_{name}": value}
    (problem,) = _problems(environ, {kind: "SLUICE_"})
    assert problem.startswith(f"SLUICE_{name} must be ")


@pytest.mark.parametrize(
    ("kind", "name", "bounds"),
    [
        (SakariSettings, "RATE", "a number above 0 up to 100000"),
        (SakariSettings, "BURST", "a whole number from 1 to 10000"),
        (WorkSettings, "RETRY_CAP_S", "a number above 0"),
        (WorkSettings, "RETRY_TRIES", "a whole number of at least 1"),
    ],
)
def test_bounds_are_told_in_words(kind: type[Struct], name: str, bounds: str) -> None:
    assert f"X_{name} must be {bounds}" in _problems({f"X_{name}": "0" if name != "BURST" else "-1"}, {kind: "X_"})


def _ingress_problems(**given: str) -> list[str]:
    environ = {"SLUICE_PUBLIC_URL": "https://x", **{f"SLUICE_{name}": value for name, value in given.items()}}
    return _problems(environ, {IngressSettings: "SLUICE_"})


def test_a_start_that_fails_makes_no_folder(tmp_path: Path) -> None:
    assert len(_ingress_problems(SPILL_DIR=str(tmp_path / "a" / "b"), PORT="many")) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_spill_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (problem,) = _ingress_problems(SPILL_DIR=str(tmp_path / "file" / "spill"))
    assert problem.startswith("SLUICE_SPILL_DIR: cannot make the folder")
    assert problem.endswith("file` is no folder")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="root may write everywhere else")
def test_a_spill_folder_that_may_not_be_written_is_named() -> None:
    for folder in ("/proc/self", "/proc/self/spill"):
        (problem,) = _ingress_problems(SPILL_DIR=folder)
        assert problem.endswith("`/proc/self` cannot be written")


def test_a_token_to_look_without_one_to_do_is_named() -> None:
    (problem,) = _ingress_problems(VIEWER_TOKEN="hidden")
    assert problem.startswith("SLUICE_ADMIN_TOKEN is not set, but SLUICE_VIEWER_TOKEN is")


def test_no_secret_is_in_a_repr_or_a_message() -> None:
    environ = {
        "SLUICE_SAKARI_ACCOUNT_ID": "acct",
        "SLUICE_SAKARI_CLIENT_ID": "hidden-id",
        "SLUICE_SAKARI_CLIENT_SECRET": "hidden-secret",
        "SLUICE_HUBSPOT_CLIENT_SECRET": "hidden-one,hidden-two",
        "SLUICE_PIPEDRIVE_USER": "no-secret",
        "SLUICE_PIPEDRIVE_PASSWORD": "hidden-password",
        "SLUICE_PUBLIC_URL": "https://x",
        "SLUICE_REDIS_URL": "redis://user:hidden-redis@h/0",
    }
    found = read({SakariSettings: "SLUICE_SAKARI_", **SERVES}, environ)
    assert "hidden" not in repr(found)
    assert "acct" in repr(found)

    broken = {name: "\x00" if name.endswith("URL") else value for name, value in environ.items()}
    problems = _problems({**broken, "SLUICE_PORT": "hidden-port"}, {SakariSettings: "SLUICE_SAKARI_", **SERVES})
    assert "hidden" not in repr(problems)


def test_a_running_dev_is_found_and_the_real_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLUICE_PORT", "1")
    for name in ("SLUICE_HOST", "SLUICE_REDIS_URL", "SLUICE_REDIS_URL_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert "SLUICE_HOST" not in settings.environment()

    settings.DEV_FILE.parent.mkdir(parents=True)
    settings.DEV_FILE.write_text("SLUICE_HOST=h=1\nSLUICE_PORT=2\n")
    assert (settings.environment()["SLUICE_HOST"], settings.environment()["SLUICE_PORT"]) == ("h=1", "1")
    monkeypatch.setenv("SLUICE_HOST_FILE", "host")
    assert settings.from_dev() == {}


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [("REDIS_URL", "redis://dev", True), ("REDIS_URL", "redis://other", False), ("REDIS_URL_FILE", "file", False)],
)
def test_a_running_dev_is_left_alone_if_another_redis_is_named(
    name: str, value: str, taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for unset in ("SLUICE_HOST", "SLUICE_REDIS_URL", "SLUICE_REDIS_URL_FILE"):
        monkeypatch.delenv(unset, raising=False)
    settings.DEV_FILE.parent.mkdir(parents=True)
    settings.DEV_FILE.write_text("SLUICE_REDIS_URL=redis://dev\nSLUICE_HOST=h\n")
    monkeypatch.setenv(f"SLUICE_{name}", value)
    assert ("SLUICE_HOST" in settings.environment()) is taken


def test_one_variable_may_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_REDIS_URL", "redis://x")
    assert settings.given("SLUICE_REDIS_URL") == "redis://x"
    assert settings.given("SLUICE_NOT_SET") is None


WORK = {
    "SLUICE_REDIS_URL": "redis://x",
    "SLUICE_SAKARI_ACCOUNT_ID": "a",
    "SLUICE_SAKARI_CLIENT_ID": "hidden-c",
    "SLUICE_SAKARI_CLIENT_SECRET": "hidden-s",
}


def test_what_a_named_account_lacks_is_named(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hidden")
    given = {**WORK, "SLUICE_SAKARI_ACCOUNTS": "sales,support", "SLUICE_SAKARI_SALES_RATE": "0"}
    problems = _problems({**given, "SLUICE_SAKARI_SALES_CLIENT_SECRET_FILE": str(tmp_path / "secret")}, WORKS)
    assert [problem.split()[0] for problem in problems] == [
        "SLUICE_SAKARI_SALES_ACCOUNT_ID",
        "SLUICE_SAKARI_SALES_CLIENT_ID",
        "SLUICE_SAKARI_SALES_RATE",
        "SLUICE_SAKARI_SUPPORT_ACCOUNT_ID",
        "SLUICE_SAKARI_SUPPORT_CLIENT_ID",
        "SLUICE_SAKARI_SUPPORT_CLIENT_SECRET",
    ]


@pytest.mark.parametrize("name", ["default", "Sales", "2nd", "sales-team"])
def test_a_name_that_no_account_can_have_is_named(name: str) -> None:
    (problem,) = _problems({**WORK, "SLUICE_SAKARI_ACCOUNTS": name}, WORKS)
    assert problem.startswith(f"SLUICE_SAKARI_ACCOUNTS: `{name}` cannot")


def test_the_settings_of_a_named_account_are_no_typos_but_those_of_an_unnamed_one_are() -> None:
    environ = {**WORK, "SLUICE_SAKARI_ACCOUNTS": "sales", "SLUICE_SAKARI_SALES_RATE": "2"}
    assert settings.unknown(WORKS, environ) == []
    (told,) = settings.unknown(WORKS, {**environ, "SLUICE_SAKARI_SALE_RATE": "2"})
    assert told == "SLUICE_SAKARI_SALE_RATE is no setting of Sluice; did you mean SLUICE_SAKARI_SALES_RATE?"


def test_no_secret_of_a_named_account_is_in_a_repr() -> None:
    named = {name.replace("SAKARI_", "SAKARI_SALES_"): value for name, value in WORK.items() if "SAKARI" in name}
    found = read(WORKS, {**WORK, **named, "SLUICE_SAKARI_ACCOUNTS": "sales"})
    assert "hidden" not in repr(found) + repr(found.named)
