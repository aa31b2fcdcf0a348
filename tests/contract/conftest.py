"""Against which Sakari the contract is held: the sandbox, or the account that the environment names.

`make contract SAKARI_URL=https://api.sakari.io` takes the account from SLUICE_SAKARI_ACCOUNT_ID, …_CLIENT_ID and
…_CLIENT_SECRET. It reads only, some twenty calls. CAMPAIGN names the drip campaign to look at (else the first of the
account). `WRITE=1 CONTACT=+15551234567` writes to that one contact, which must be yours to write to.
"""

import os
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from msgspec import Struct

from service.errors import SettingsError
from service.sandbox.sample import DEMO_CAMPAIGN
from service.sandbox.state import Settings
from service.settings import SakariSettings, read
from tests.sakari.rig import served

Learned = Callable[[str, object], None]

REAL = os.environ.get("SAKARI_URL", "")
_LEARNED = "learned: "


class Target(Struct, frozen=True):
    """The account that the contract is held against. `contact` is empty where nothing may be written."""

    account: SakariSettings
    campaign: str
    contact: str


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def target() -> AsyncIterator[Target]:
    if REAL:
        environ = {**os.environ, "SLUICE_SAKARI_URL": REAL}
        try:
            account = read({SakariSettings: "SLUICE_SAKARI_"}, environ).of(SakariSettings)
        except SettingsError as error:
            pytest.exit(str(error), returncode=2)
        contact = os.environ.get("CONTACT", "") if os.environ.get("WRITE") == "1" else ""
        yield Target(account, os.environ.get("CAMPAIGN", ""), contact)
        return
    made = Settings()
    async with served(made) as (_, url):
        account = SakariSettings(
            account_id=made.account, client_id=made.client_id, client_secret=made.client_secret, url=url
        )
        yield Target(account, DEMO_CAMPAIGN, "+12025550177")


@pytest.fixture(scope="session")
async def stranger(target: Target) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token."""
    async with httpx.AsyncClient(base_url=target.account.url, timeout=30, follow_redirects=False) as http:
        yield http


@pytest.fixture(scope="session")
async def api(target: Target, stranger: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """A client of its own, with a token, below the account's path: so that Sakari is not seen through the eyes of ours."""
    answer = await stranger.post("/oauth2/token", json=credentials(target))
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    base = f"{target.account.url.rstrip('/')}/v1/accounts/{target.account.account_id}"
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=30, follow_redirects=False) as http:
        yield http


@pytest.fixture(scope="session")
async def campaign(target: Target, api: httpx.AsyncClient) -> str:
    """The drip campaign to look at."""
    if target.campaign:
        return target.campaign
    found = (await api.get("/dripcampaigns")).json().get("data") or []
    if not found:
        pytest.skip("the account has no drip campaign; CAMPAIGN=… names one")
    return str(found[0]["id"])


@pytest.fixture
def contact(target: Target) -> str:
    """The number of the contact that may be written to."""
    if not target.contact:
        pytest.skip("nothing is written without WRITE=1 CONTACT=+…")
    return target.contact


@pytest.fixture
def learned(record_property: Callable[[str, object], None]) -> Learned:
    """Note what was not known before; it is told at the end. Never personal data."""
    return lambda what, value: record_property(_LEARNED + what, value)


@pytest.fixture
def mark() -> str:
    """A value that nobody wrote before."""
    return f"sluice-{secrets.token_hex(4)}"


def credentials(target: Target) -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_id": target.account.client_id,
        "client_secret": target.account.client_secret,
    }


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tell what was learned, whether the tests passed or not."""
    if not REAL:
        return
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ())]
    told = [(name, value) for report in reports for name, value in report.user_properties if name.startswith(_LEARNED)]
    if told:
        terminalreporter.section("what this account settled (compare docs/sakari.md)")
        for name, value in dict(told).items():
            terminalreporter.write_line(f"{name.removeprefix(_LEARNED)}: {value}")
