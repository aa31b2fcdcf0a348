"""Several accounts: each with its own credentials, token, pace and circuit."""

import contextlib

import pytest

from service.errors import Retryable
from service.sandbox.state import Settings
from service.settings import SakariSettings, read
from service.store import Store, keys
from service.store.pace import states
from service.worker.accounts import open_accounts
from service.worker.wanted import WANTED
from tests.sakari.rig import served

ENVIRON = {
    "SLUICE_REDIS_URL": "redis://x",
    "SLUICE_SAKARI_ACCOUNT_ID": "demo",
    "SLUICE_SAKARI_CLIENT_ID": "sandbox-client",
    "SLUICE_SAKARI_CLIENT_SECRET": "sandbox-secret",
    "SLUICE_SAKARI_ACCOUNTS": "sales",
    "SLUICE_SAKARI_SALES_ACCOUNT_ID": "shop",
    "SLUICE_SAKARI_SALES_CLIENT_ID": "sales-client",
    "SLUICE_SAKARI_SALES_CLIENT_SECRET": "sales-secret",
    "SLUICE_SAKARI_SALES_RATE": "3",
}


async def test_an_account_that_is_refused_stops_no_other(store: Store) -> None:
    async with served(Settings()) as (ours, url), contextlib.AsyncExitStack() as stack:
        environ = {**ENVIRON, "SLUICE_SAKARI_URL": url}
        accounts = await open_accounts(stack, read(WANTED, environ), store)
        assert set(accounts) == {"default", "sales"}
        contact = {"hubspot": {"id": 1}}
        await accounts["default"].write_attributes("contacts", contact)
        for _ in range(2):
            with pytest.raises(Retryable) as caught:  # the sandbox knows one account only
                await accounts["sales"].write_attributes("contacts", contact)
        await accounts["default"].write_attributes("contacts", contact)

        assert caught.value.reason == "account_paused"
        assert "SLUICE_SAKARI_SALES_CLIENT_SECRET" in str(caught.value)
        assert [(s.name, s.circuit, s.rate) for s in await states(store)] == [
            ("default", "closed", 10),
            ("sales", "paused", 3),
        ]
        assert len([key async for key in store.redis.scan_iter(keys.TOKEN + "*")]) == 1
        assert len(ours.writes) == 2


async def test_the_right_secret_goes_on_at_once(store: Store) -> None:
    async with served(Settings()) as (_, url):
        for secret, outcome in (("wrong", "account"), ("sandbox-secret", "")):
            environ = {**ENVIRON, "SLUICE_SAKARI_URL": url, "SLUICE_SAKARI_CLIENT_SECRET": secret}
            async with contextlib.AsyncExitStack() as stack:
                client = (await open_accounts(stack, read(WANTED, environ), store))["default"]
                with pytest.raises(Retryable) if outcome else contextlib.nullcontext():
                    await client.write_attributes("contacts", {"hubspot": {"id": 1}})
        (state,) = await states(store)
        assert state.circuit == "closed"


def test_a_named_account_has_the_address_of_the_default_one_unless_it_says_otherwise() -> None:
    found = read(WANTED, {**ENVIRON, "SLUICE_SAKARI_URL": "https://one"})
    assert found.named["sales"] == SakariSettings(
        account_id="shop", client_id="sales-client", client_secret="sales-secret", url="https://one", rate=3
    )
    other = read(WANTED, {**ENVIRON, "SLUICE_SAKARI_SALES_URL": "https://two"})
    assert other.named["sales"].url == "https://two"
