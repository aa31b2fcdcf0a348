import base64

import pytest

from service.errors import Unverified
from service.sources import pipedrive
from tests.sources.deliveries import NOW, PIPEDRIVE, PUBLIC_URL, ROUTES, delivery


def basic(pair: bytes) -> str:
    return "Basic " + base64.b64encode(pair).decode()


def verdict(authorization: str | None, config: pipedrive.Config | None = None) -> str:
    route = ROUTES[PIPEDRIVE] if config is None else pipedrive.routes(config, PUBLIC_URL)[0]
    headers = {} if authorization is None else {"authorization": authorization}
    try:
        return route.verify(delivery(PIPEDRIVE, b"{}", headers)).scheme
    except Unverified as error:
        return error.reason


def test_right_password_is_accepted() -> None:
    assert verdict(basic(b"sluice:example-password")) == "basic"
    assert verdict(basic(b"sluice:example-password").replace("Basic", "bAsIc")) == "basic"


@pytest.mark.parametrize("pair", [b"sluice:", b"sluice:guess", b"other:example-password", b":", b"\xff:\xff"])
def test_wrong_user_or_password_is_refused(pair: bytes) -> None:
    assert verdict(basic(pair)) == "wrong_password"


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic ", "Basic !!!!", "Basic c2x1aWNlOg", "Basic ünïcode €", "Bearer c2x1aWNlOg=="]
)
def test_malformed_header_is_refused(header: str) -> None:
    assert verdict(header) == "malformed_authorization"


def test_pair_without_colon_is_malformed() -> None:
    assert verdict(basic(b"sluice")) == "malformed_authorization"


def test_missing_header_is_refused() -> None:
    assert verdict(None) == "missing_password"


def test_every_configured_password_is_valid() -> None:
    config = pipedrive.Config(user="u", password=("old", "new"))
    assert [verdict(basic(b"u:" + each), config) for each in (b"old", b"new", b"none")] == [
        "basic",
        "basic",
        "wrong_password",
    ]


@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
def test_password_may_come_in_either_charset(charset: str) -> None:
    config = pipedrive.Config(user="jürgen", password=("pässword",))
    assert verdict(basic("jürgen:pässword".encode(charset)), config) == "basic"


def test_password_outside_latin_1_is_compared_as_utf_8() -> None:
    config = pipedrive.Config(password=("密码",))
    (route,) = pipedrive.routes(config, PUBLIC_URL)
    assert verdict(route.sign("POST", PIPEDRIVE, b"", NOW)["authorization"], config) == "basic"
    assert verdict(basic(b":??"), config) == "wrong_password"
