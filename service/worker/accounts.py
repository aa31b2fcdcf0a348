"""The Sakari accounts of a worker: for each a client, a token and a pace that all workers share."""

import contextlib
import hashlib
import time

import httpx

from service.model import DEFAULT_ACCOUNT
from service.sakari.client import Sakari
from service.sakari.exchange import connect
from service.sakari.gate import Gate
from service.sakari.token import SETTINGS, Tokens
from service.settings import Found, SakariSettings
from service.store import Store
from service.store.pace import SharedPace
from service.store.tokens import SharedToken


async def open_accounts(stack: contextlib.AsyncExitStack, settings: Found, store: Store) -> dict[str, Sakari]:
    """Make the clients of all accounts, by name; their connections close with the stack."""
    clients = {}
    for name, account in {DEFAULT_ACCOUNT: settings.of(SakariSettings), **settings.named}.items():
        http = await stack.enter_async_context(connect(account.url))
        clients[name] = make_sakari(http, name, account, store)
    return clients


def make_sakari(http: httpx.AsyncClient, name: str, account: SakariSettings, store: Store) -> Sakari:
    """Make the client of one account."""
    cache = SharedToken(store, f"{account.account_id}:{_hash(account.client_id)}")
    prefix = SETTINGS if name == DEFAULT_ACCOUNT else f"{SETTINGS}{name.upper()}_"
    tokens = Tokens(http, account.client_id, account.client_secret, cache=cache, clock=time.time, settings=prefix)
    credentials = _hash(account.account_id, account.client_id, account.client_secret, account.url)
    pace = SharedPace(store, name, rate=account.rate, burst=account.burst, credentials=credentials)
    return Sakari(http, account.account_id, tokens, gate=Gate(pace, name))


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
