"""What `sluice doctor` looks at here: settings, Redis, rules. Each check changes nothing, and shows no secret."""

import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct
from redis.exceptions import RedisError

from service import app, settings
from service.actions import ACTIONS
from service.engine import Rule
from service.errors import SettingsError
from service.ingress.rulebook import look
from service.ingress.wanted import WANTED
from service.model import DEFAULT_ACCOUNT
from service.settings import AccountsSettings, Found, IngressSettings, SakariSettings, StoreSettings
from service.store import Store, dead, durability, open_store, rulesets, why_silent
from service.store.options import options
from service.worker.wanted import WANTED as WANTED_BY_WORK

Environ = Mapping[str, str]
Mark = Literal["ok", "warn", "bad", "unchecked"]

_ROLES: dict[str, tuple[Mapping[Any, str], Callable[[Found], list[str]]]] = {
    "sluice serve": (WANTED, app.faults),
    "sluice work": (WANTED_BY_WORK, lambda _: []),
}
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
    for role, (wanted, faults) in _ROLES.items():
        if not _is_meant(wanted, environ):
            yield Finding("settings", "unchecked", f"nothing of `{role}` is set here", f"run this where `{role}` runs")
            continue
        try:
            found = settings.read(wanted, environ, faults)
        except SettingsError as error:
            yield from (Finding("settings", "bad", problem, f"`{role}` would not start") for problem in error.problems)
        else:
            yield Finding("settings", "ok", f"`{role}` has what it needs")
            yield from _spill(found) if IngressSettings in found else ()
    both = {kind: prefix for wanted, _ in _ROLES.values() for kind, prefix in wanted.items()}
    for name in settings.unknown(both, environ):
        yield Finding("settings", "warn", name, "correct it, or remove it")


async def check_redis(environ: Environ) -> AsyncIterator[Finding]:
    """The server: can it keep what is promised, and does its clock agree with ours."""
    found = read_settings({StoreSettings: "SLUICE_"}, environ)
    if found is None:
        yield Finding("redis", "unchecked", "there is no usable SLUICE_REDIS_URL", "see settings")
        return
    wanted = found.of(StoreSettings)
    store = open_store(wanted.redis_url, options(wanted), timeout_s=3.0)
    try:
        async for finding in _redis(store):
            yield finding
    except SettingsError as error:
        yield Finding("redis", "bad", str(error))
    except (RedisError, OSError, TimeoutError) as error:
        yield Finding("redis", "bad", why_silent(error), "is it running, and is SLUICE_REDIS_URL right?")
    finally:
        await store.close()


async def check_rules(environ: Environ) -> AsyncIterator[Finding]:
    """The rules folder, as lint sees it, and what is in force in place of what is broken."""
    folder = Path(environ.get("SLUICE_RULES") or "rules")
    if not folder.is_dir():
        yield Finding("rules", "unchecked", f"there is no folder `{folder}` here", "run this where `sluice serve` runs")
        return
    last = await _last_rules(environ)
    rules = look(folder, last or {}, ACTIONS)
    kept = rules.kept
    errors = sum(problem.severity == "error" for problem in kept.problems)
    warnings = len(kept.problems) - errors
    see = f"see `sluice rules lint {folder}`"
    if errors:
        unknown = "" if last is not None else "; what is in force instead, only Redis knows"
        yield Finding("rules", "bad", f"{_many(errors, 'error')} in `{folder}`{unknown}", see)
    if last is not None:
        for sentence in rules.instead:
            yield Finding("rules", "bad", sentence)
    if warnings:
        yield Finding("rules", "warn", _many(warnings, "warning"), see)
    for finding in _strange_accounts(kept.rule_set.rules, environ):
        yield finding
    live = sum(rule.mode == "live" for rule in kept.rule_set.rules)
    others = len(kept.rule_set.rules) - live
    shown = f"{_many(live, 'live rule')}" + (f", {others} in shadow or off" if others else "")
    yield Finding("rules", "ok" if live else "warn", shown, "" if live else "no event will lead to a call of Sakari")


def read_settings(wanted: Mapping[Any, str], environ: Environ) -> settings.Found | None:
    """Settings, or None if some are missing or malformed: that is told elsewhere."""
    try:
        return settings.read(wanted, environ)
    except SettingsError:
        return None


async def _last_rules(environ: Environ) -> Mapping[str, str] | None:
    """The files of the rule set in force, by name; None if Redis cannot be asked."""
    found = read_settings({StoreSettings: "SLUICE_"}, environ)
    if found is None:
        return None
    wanted = found.of(StoreSettings)
    store = open_store(wanted.redis_url, options(wanted), timeout_s=3.0)
    try:
        kept = await rulesets.in_force(store)
    except (RedisError, OSError, TimeoutError):
        return None
    finally:
        await store.close()
    return kept[1] if kept else {}


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
    for finding in _replicas(store, info):
        yield finding
    used, most = info.get("used_memory", 0), info.get("maxmemory", 0)
    if most and used > _FULL * most:
        what = f"{used / most:.0%} of its maxmemory is in use"
        yield Finding("redis", "warn", what, "give it more: when it is full, deliveries are refused")
    if abs(skew_ms) > _SKEW_MS:
        what = f"its clock and the one here differ by {abs(skew_ms) / 1000:.1f} s"
        yield Finding("redis", "warn", what, "set both by NTP: signatures and expiry depend on it")
    if waiting := await dead.count(store):
        what = "1 dead letter waits" if waiting == 1 else f"{waiting} dead letters wait"
        yield Finding("redis", "warn", f"{what}: `sluice dead list`")


def _replicas(store: Store, info: Mapping[str, Any]) -> Iterator[Finding]:
    """Who confirms in the replicas' name; `info`: of their primary, which knows nothing of their settings."""
    numbers = range(info.get("connected_slaves", 0))
    there = [each for number in numbers if (each := info.get(f"slave{number}"))]
    if not (store.options.fsync and store.options.replicas and there):
        return
    names = ", ".join(f"{each['ip']}:{each['port']}" for each in there)
    what = f"whether what replicas confirm is on their disks, their primary does not know: {names}"
    yield Finding(
        "redis", "unchecked", what, "`CONFIG GET appendfsync` on each must say `always`, or it may not be there"
    )


def _strange_accounts(rules: Iterable[Rule], environ: Environ) -> Iterator[Finding]:
    """Accounts that rules name and the settings do not, where the settings of Sakari are here."""
    found = read_settings(ACCOUNTS, environ)
    if found is None:
        return
    known = {DEFAULT_ACCOUNT, *found.named}
    for name in sorted({rule.account for rule in rules} - known):
        what = f"rules name the account `{name}`, which is not among SLUICE_SAKARI_ACCOUNTS"
        yield Finding("rules", "bad", what, "add it there, or correct the rules: their runs wait until then")


def _spill(found: Found) -> Iterator[Finding]:
    if not found.of(IngressSettings).spill_dir and any(route.spills for route in app.make_routes(found)):
        what = "there is no SLUICE_SPILL_DIR: while Redis is away, Pipedrive's deliveries get a 503 and may be lost"
        yield Finding("settings", "warn", what, "name a folder on a disk that lasts")


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
