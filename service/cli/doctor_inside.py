"""What `sluice doctor` looks at here: settings, Redis, rules. Each check changes nothing, and shows no secret."""

import os
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct
from redis.exceptions import RedisError

from service import app, settings
from service.actions import ACTIONS
from service.engine import Rule, load, read_folder
from service.errors import SettingsError
from service.model import DEFAULT_ACCOUNT
from service.settings import AccountsSettings, IngressSettings, SakariSettings, StoreSettings
from service.store import Store, durability, open_store
from service.worker import main as worker

Environ = Mapping[str, str]
Mark = Literal["ok", "warn", "bad", "unchecked"]

_ROLES: dict[str, dict[Any, str]] = {"sluice serve": app.WANTED, "sluice work": {**worker.WANTED}}
ACCOUNTS = {SakariSettings: "SLUICE_SAKARI_", AccountsSettings: "SLUICE_SAKARI_"}
"""Settings of the accounts of Sakari, and their prefixes."""

_SKEW_MS = 1_000
_FULL = 0.8


class Finding(Struct, frozen=True):
    section: Literal["settings", "redis", "rules", "sources", "sakari"]
    mark: Mark
    what: str
    do: str = ""
    """What to do about it; empty if there is nothing to do."""


def check_settings(environ: Environ) -> Iterator[Finding]:
    """The settings of the roles that are set up here, and what looks like a setting and is none."""
    for role, wanted in _ROLES.items():
        if not _is_meant(wanted, environ):
            yield Finding("settings", "unchecked", f"nothing of `{role}` is set here", f"run this where `{role}` runs")
            continue
        try:
            found = settings.read(wanted, _without_spill(environ))
        except SettingsError as error:
            yield from (Finding("settings", "bad", problem, f"`{role}` would not start") for problem in error.problems)
        else:
            yield Finding("settings", "ok", f"`{role}` has what it needs")
            yield from _spill(environ) if IngressSettings in found else ()
    both = {kind: prefix for wanted in _ROLES.values() for kind, prefix in wanted.items()}
    for name in settings.unknown(both, environ):
        yield Finding("settings", "warn", name, "correct it, or remove it")


async def check_redis(environ: Environ) -> AsyncIterator[Finding]:
    """The server: can it keep what is promised, and does its clock agree with ours."""
    found = read_settings({StoreSettings: "SLUICE_"}, environ)
    if found is None:
        yield Finding("redis", "unchecked", "there is no usable SLUICE_REDIS_URL", "see settings")
        return
    wanted = found.of(StoreSettings)
    store = open_store(wanted.redis_url, worker.options(wanted), timeout_s=3.0)
    try:
        async for finding in _redis(store):
            yield finding
    except SettingsError as error:
        yield Finding("redis", "bad", str(error))
    except (RedisError, OSError, TimeoutError) as error:
        what = f"no answer ({type(error).__name__})"
        yield Finding("redis", "bad", what, "is it running, is the address right, does it want a password?")
    finally:
        await store.close()


async def check_rules(environ: Environ) -> AsyncIterator[Finding]:
    """The rules folder, as lint sees it."""
    folder = Path(environ.get("SLUICE_RULES") or "rules")
    if not folder.is_dir():
        yield Finding("rules", "unchecked", f"there is no folder `{folder}` here", "run this where `sluice serve` runs")
        return
    loaded = load(read_folder(folder), ACTIONS)
    errors = sum(problem.severity == "error" for problem in loaded.problems)
    warnings = len(loaded.problems) - errors
    see = f"see `sluice rules lint {folder}`"
    if errors:
        yield Finding(
            "rules", "bad", f"{_many(errors, 'error')} in `{folder}`: the rules of those files are not used", see
        )
    if warnings:
        yield Finding("rules", "warn", _many(warnings, "warning"), see)
    for finding in _strange_accounts(loaded.rule_set.rules, environ):
        yield finding
    live = sum(rule.mode == "live" for rule in loaded.rule_set.rules)
    others = len(loaded.rule_set.rules) - live
    shown = f"{_many(live, 'live rule')}" + (f", {others} in shadow or off" if others else "")
    yield Finding("rules", "ok" if live else "warn", shown, "" if live else "no event will lead to a call of Sakari")


def read_settings(wanted: Mapping[Any, str], environ: Environ) -> settings.Found | None:
    """Settings, or None if some are missing or malformed: that is told elsewhere."""
    try:
        return settings.read(wanted, _without_spill(environ))
    except SettingsError:
        return None


def _without_spill(environ: Environ) -> Environ:
    """Reading that setting makes the folder, and a doctor makes nothing."""
    return {name: value for name, value in environ.items() if not name.startswith("SLUICE_SPILL_DIR")}


async def _redis(store: Store) -> AsyncIterator[Finding]:
    started = time.time()
    server_s, micro = await store.redis.time()
    took_ms = (time.time() - started) * 1000
    skew_ms = (started * 1000 + took_ms / 2) - (server_s * 1000 + micro / 1000)
    info = await store.redis.info()
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = info.get("valkey_version") or info.get("redis_version")
    yield Finding("redis", "ok", f"{name} {version} answers in {took_ms:.0f} ms")
    warnings = await durability.check(store)
    for warning in warnings:
        yield Finding("redis", "warn", warning)
    if store.options.fsync and not warnings:
        yield Finding("redis", "ok", "writes an append-only file, evicts nothing")
    used, most = info.get("used_memory", 0), info.get("maxmemory", 0)
    if most and used > _FULL * most:
        what = f"{used / most:.0%} of its maxmemory is in use"
        yield Finding("redis", "warn", what, "give it more: when it is full, deliveries are refused")
    if abs(skew_ms) > _SKEW_MS:
        what = f"its clock and the one here differ by {abs(skew_ms) / 1000:.1f} s"
        yield Finding("redis", "warn", what, "set both by NTP: signatures and expiry depend on it")


def _strange_accounts(rules: Iterable[Rule], environ: Environ) -> Iterator[Finding]:
    """Accounts that rules name and the settings do not, where the settings of Sakari are here."""
    found = read_settings(ACCOUNTS, environ)
    if found is None:
        return
    known = {DEFAULT_ACCOUNT, *found.named}
    for name in sorted({rule.account for rule in rules} - known):
        what = f"rules name the account `{name}`, which is not among SLUICE_SAKARI_ACCOUNTS"
        yield Finding("rules", "bad", what, "add it there, or correct the rules: their runs wait until then")


def _spill(environ: Environ) -> Iterator[Finding]:
    folder = environ.get("SLUICE_SPILL_DIR", "")
    if not folder and any(environ[name] for name in environ if name.startswith("SLUICE_PIPEDRIVE_")):
        what = "there is no SLUICE_SPILL_DIR: while Redis is away, Pipedrive's deliveries get a 503 and may be lost"
        yield Finding("settings", "warn", what, "name a folder on a disk that lasts")
    elif Path(folder).is_dir() and not os.access(folder, os.W_OK):
        yield Finding("settings", "bad", f"SLUICE_SPILL_DIR: the folder `{folder}` cannot be written")


def _is_meant(wanted: Mapping[Any, str], environ: Environ) -> bool:
    """Whether a role is set up here: some of what only it requires is set."""
    required = {
        prefix + field.name.upper()
        for kind, prefix in wanted.items()
        if kind is not StoreSettings
        for field in msgspec.structs.fields(kind)
        if field.required
    }
    return any(environ.get(name) or environ.get(name + "_FILE") for name in required)


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
