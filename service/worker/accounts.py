"""The Sakari accounts of a worker: for each a client, a token and a pace that all workers share."""

import contextlib
import hashlib
import time

from service.model import DEFAULT_ACCOUNT
from service.sakari.client import Sakari
from service.sakari.gate import Gate
from service.sakari.line import Line, connect
from service.sakari.snapshots import Snapshots
from service.sakari.token import Tokens, settings_of
from service.settings import Found, SakariSettings
from service.store import Store
from service.store.pace import SharedPace
from service.store.snapshots import SnapshotShelf
from service.store.tokens import SharedToken


async def open_accounts(stack: contextlib.AsyncExitStack, settings: Found, store: Store) -> dict[str, Sakari]:
    """Make the clients of all accounts, by name; their connections close with the stack."""
    clients = {}
    for name, account in {DEFAULT_ACCOUNT: settings.of(SakariSettings), **settings.named}.items():
        line = await stack.enter_async_context(connect(account.url))
        clients[name] = make_sakari(line, name, account, store)
        stack.push_async_callback(clients[name].close)
    return clients


def make_sakari(line: Line, name: str, account: SakariSettings, store: Store) -> Sakari:
    """Make the client of one account."""
    cache = SharedToken(store, f"{account.account_id}:{_hash(account.client_id)}")
    tokens = Tokens(
        line, account.client_id, account.client_secret, cache=cache, clock=time.time, settings=settings_of(name)
    )
    credentials = _hash(account.account_id, account.client_id, account.client_secret, account.url)
    pace = SharedPace(store, name, rate=account.rate, burst=account.burst, credentials=credentials)
    snapshots = Snapshots(SnapshotShelf(store, account.account_id), now=time.time)
    return Sakari(line, account.account_id, tokens, gate=Gate(pace, name), snapshots=snapshots)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
