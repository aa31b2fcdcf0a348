"""What `sluice doctor` looks at outside: the address that the CRMs call, and Sakari. Each check changes nothing there."""

import ipaddress
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from urllib.parse import urlsplit

import httpx
from msgspec import structs

from service.cli.doctor_inside import ACCOUNTS, Environ, Finding, read_settings
from service.errors import StepError
from service.ingress.wanted import WANTED
from service.model import DEFAULT_ACCOUNT
from service.sakari.client import Sakari
from service.sakari.line import connect
from service.sakari.token import Tokens, settings_of
from service.settings import IngressSettings, SakariSettings, StoreSettings
from service.sources import SOURCES


async def check_sources(environ: Environ) -> AsyncIterator[Finding]:
    """Which CRMs may send, and whether something answers at the address that they call."""
    found = read_settings({kind: prefix for kind, prefix in WANTED.items() if kind is not StoreSettings}, environ)
    if found is None:
        yield Finding("sources", "unchecked", "the settings of `sluice serve` are not complete here", "see settings")
        return
    url = found.of(IngressSettings).public_url
    for name, source in SOURCES.items():
        routes = source.routes(found.of(source.Config), url)
        if routes:
            yield Finding(
                "sources", "ok", f"{name} may call {', '.join(url.rstrip('/') + route.path for route in routes)}"
            )
        else:
            yield Finding("sources", "unchecked", f"{name} has no secret here, so it has no path")
    for finding in _form(url):
        yield finding
    yield await _reach(url)


async def check_sakari(environ: Environ) -> AsyncIterator[Finding]:
    """A token and one read of the account. The token is asked for anew, and kept nowhere."""
    found = read_settings(ACCOUNTS, environ)
    if found is None:
        yield Finding("sakari", "unchecked", "the settings of Sakari are not complete here", "see settings")
        return
    for name, account in {DEFAULT_ACCOUNT: found.of(SakariSettings), **found.named}.items():
        who = f"account `{name}`: " if found.named else ""
        async for finding in _account(name, account):
            yield structs.replace(finding, what=who + finding.what)


async def _account(name: str, account: SakariSettings) -> AsyncIterator[Finding]:
    async with connect(account.url) as line:
        login = account.client_id, account.client_secret
        tokens = Tokens(line, *login, cache=_OwnToken(), clock=time.time, settings=settings_of(name))
        sakari = Sakari(line, account.account_id, tokens, within_s=15.0)
        try:
            token = await tokens.get()
            minutes = round((token.expires_at / 1000 - time.time()) / 60)
            yield Finding("sakari", "ok", f"gave a token, good for {minutes} minutes")
            await sakari.read_account()
            yield Finding("sakari", "ok", "the account can be read with it")
        except StepError as error:
            yield Finding("sakari", "bad", f"{error} [{error.reason}]", "docs/sakari.md tells what each failure means")


class _OwnToken:
    """A TokenCache of this command alone: the workers' token is not touched."""

    def __init__(self) -> None:
        self._value: bytes | None = None

    async def get(self) -> bytes | None:
        return self._value

    async def put(self, value: bytes, lifetime_ms: int) -> None:  # noqa: ARG002 - the command ends before the token does
        self._value = value

    async def drop(self, value: bytes) -> None:  # noqa: ARG002 - there is only this one
        self._value = None

    def lock(self) -> nullcontext[bool]:
        return nullcontext(enter_result=True)


def _form(url: str) -> Iterator[Finding]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        yield Finding("sources", "warn", f"{url} is not https", "HubSpot and Pipedrive call https only")
    if host == "localhost" or host.endswith((".local", ".internal")) or _is_private(host):
        yield Finding(
            "sources", "warn", f"{host} cannot be reached from outside", "SLUICE_PUBLIC_URL is what the CRMs call"
        )


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False


async def _reach(url: str) -> Finding:
    async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
        try:
            answer = await client.get(url.rstrip("/") + "/livez")
        except httpx.HTTPError as error:
            what = f"nothing answers at {url} from here ({type(error).__name__})"
            return Finding("sources", "warn", what, "is `sluice serve` running, and does the proxy lead to it?")
    if answer.status_code == httpx.codes.OK:
        return Finding("sources", "ok", f"{url}/livez answers")
    what = f"{url}/livez answers HTTP {answer.status_code}"
    return Finding("sources", "warn", what, "something else may stand at this address, or the prefix is wrong")
