"""The settings of each process, and the only reader of the environment.

A field `claim_hours` of a Struct read with the prefix `SLUICE_` comes from `SLUICE_CLAIM_HOURS`. Every setting may be given
as `…_FILE` instead, naming a file (a mounted secret) that holds the value. A tuple is written with commas; its values are
all valid at once, which is how a secret is rotated.
"""

import contextlib
import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from service import phones
from service.errors import SettingsError
from service.model import DEFAULT_ACCOUNT

DEV_FILE = Path("var/dev/environment")
"""Where a running `sluice dev` says how to reach it."""

Port = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[int, Meta(ge=1)]


class StoreSettings(Struct, frozen=True, kw_only=True):
    """What both processes need."""

    redis_url: str
    durability: Literal["fsync", "memory"] = "fsync"
    replicas: Annotated[int, Meta(ge=0, le=10)] = 0
    claim_hours: Positive = 72
    journal_length: Positive = 1_000_000
    dead_days: Positive = 90
    lease_s: Annotated[int, Meta(ge=3, le=600)] = 15
    """Seconds. A lane whose worker was killed goes on after this; a worker that was paused for longer has lost its lanes."""

    def faults(self, prefix: str) -> list[str]:
        """Say what is wrong with the address of Redis."""
        return redis_faults(self.redis_url, prefix)

    def __repr__(self) -> str:
        return _without(self, "redis_url")


class IngressSettings(Struct, frozen=True, kw_only=True):
    """What `sluice serve` needs. `public_url` is the address that the CRMs call: HubSpot signs it."""

    public_url: str
    rules: str = "rules"
    host: str = "127.0.0.1"
    port: Port = 8080
    spill_dir: str = ""
    spill_mib: Positive = 256
    max_body: Positive = 2 * 1024 * 1024
    admin_token: tuple[str, ...] = ()
    """Tokens of the admin API and the console; without one there is neither."""
    viewer_token: tuple[str, ...] = ()
    """The same for people who may look, at masked data only, and do nothing."""

    def faults(self, prefix: str) -> list[str]:
        """Say what is wrong with the public address and the folders."""
        found = []
        if not re.fullmatch(r"https?://[^/?#@\s]+(/[^?#\s]*)?", self.public_url):
            found.append(
                f"{prefix}PUBLIC_URL must be https://host or https://host/prefix, without user, query or fragment"
            )
        if not Path(self.rules).is_dir():
            found.append(f"{prefix}RULES: there is no folder `{self.rules}`")
        if self.spill_dir:
            found += [f"{prefix}SPILL_DIR: {fault}" for fault in _folder_faults(Path(self.spill_dir))]
        if self.viewer_token and not self.admin_token:
            found.append(
                f"{prefix}ADMIN_TOKEN is not set, but {prefix}VIEWER_TOKEN is: there is no console without the first"
            )
        return found

    def __repr__(self) -> str:
        return _without(self, "admin_token", "viewer_token")


def _folder_faults(folder: Path) -> list[str]:
    """Say why a folder could not be made or written. Nothing is made: a start that fails leaves nothing behind."""
    there = next(path for path in (folder, *folder.absolute().parents) if os.access(path, os.F_OK))
    if not there.is_dir():
        return [f"cannot make the folder `{folder}`: `{there}` is no folder"]
    if os.access(there, os.W_OK):
        return []
    if there == folder:
        return [f"the folder `{folder}` cannot be written"]
    return [f"cannot make the folder `{folder}`: `{there}` cannot be written"]


class SakariSettings(Struct, frozen=True, kw_only=True):
    """What `sluice work` needs to call one account of Sakari, read from `SLUICE_SAKARI_…`.

    Named accounts, beside the default one, are read from `SLUICE_SAKARI_<NAME>_…`.
    """

    account_id: str
    client_id: str
    client_secret: str
    url: str = "https://api.sakari.io"
    """Of a named account by default that of the default one."""
    rate: Annotated[float, Meta(gt=0, le=100_000)] = 10.0
    """Calls a second, of all workers together. Sakari does not publish its limit."""
    burst: Annotated[int, Meta(ge=1, le=10_000)] = 5
    """Calls that may leave at once after a pause."""

    def faults(self, prefix: str) -> list[str]:
        """Say what is wrong with Sakari's address."""
        if re.fullmatch(r"https?://[^/?#@\s]+(/[^?#\s]*)?", self.url):
            return []
        return [f"{prefix}URL must be https://host or https://host/path, without user, query or fragment"]

    def __repr__(self) -> str:
        return _without(self, "client_id", "client_secret")


class AccountsSettings(Struct, frozen=True, kw_only=True):
    """Which named accounts of Sakari there are beside the default one."""

    accounts: tuple[str, ...] = ()
    """As rules name them."""

    def faults(self, prefix: str) -> list[str]:
        """Say which names cannot be names."""
        return [
            f"{prefix}ACCOUNTS: `{name}` cannot be the name of an account: small letters, digits and `_`, not `default`"
            for name in self.accounts
            if not _is_account(name)
        ]


def _is_account(name: str) -> bool:
    return name != DEFAULT_ACCOUNT and re.fullmatch(r"[a-z][a-z0-9_]{0,31}", name) is not None


class WorkSettings(Struct, frozen=True, kw_only=True):
    """How `sluice work` goes about its work."""

    retry_base_s: Annotated[float, Meta(gt=0)] = 1.0
    retry_cap_s: Annotated[float, Meta(gt=0)] = 900.0
    retry_tries: Positive = 25
    grace_s: Positive = 25
    metrics_port: Port = 0
    """Where `/metrics` and `/livez` are served; 0: nowhere."""
    metrics_host: str = "127.0.0.1"
    phone_region: str = ""
    """Country (ISO 3166) of phone numbers that do not say theirs, and of which neither contact nor rule says it."""

    def faults(self, prefix: str) -> list[str]:
        """Say what is wrong with the country."""
        if not self.phone_region or self.phone_region in phones.REGIONS:
            return []
        return [f"{prefix}PHONE_REGION must be an ISO 3166 code of two letters, such as NO"]


T = TypeVar("T", bound=Struct)


class ClientSettings(Struct, frozen=True, kw_only=True):
    """What the commands that look at a running installation need."""

    redis_url: str

    def faults(self, prefix: str) -> list[str]:
        """Say what is wrong with the address of Redis."""
        return redis_faults(self.redis_url, prefix)

    def __repr__(self) -> str:
        return _without(self, "redis_url")


def _without(settings: Struct, *secret: str) -> str:
    """Say what settings are, without those that are or hold a secret."""
    shown = {name: value for name, value in msgspec.structs.asdict(settings).items() if name not in secret}
    return f"{type(settings).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def redis_faults(url: str, prefix: str) -> list[str]:
    """Say what is wrong with a Redis URL, without repeating it: it may hold a password."""
    if re.match(r"(rediss?|unix)://.", url) or re.match(r"redis\+sentinel://[^/]+/[^/]+", url):
        return []
    return [f"{prefix}REDIS_URL must be redis://…, rediss://…, unix://… or redis+sentinel://host:26379,host:26379/name"]


class Found(dict[type[Struct], Struct]):
    """Settings by their type. `named`: those of the named accounts of Sakari, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.named: dict[str, SakariSettings] = {}

    def of(self, wanted: type[T]) -> T:
        """Give the settings of one type."""
        return cast("T", self[wanted])


def _no_more(_: Found) -> list[str]:
    return []


def read(
    wanted: Mapping[Any, str],
    environ: Mapping[str, str] | None = None,
    more_faults: Callable[[Found], list[str]] = _no_more,
) -> Found:
    """Read settings: types and their prefixes. Raises SettingsError that names every fault at once.

    A type may have a method `faults(prefix)` that says in sentences what is wrong beyond the types; `more_faults` does so
    of all types together.
    """
    environ = os.environ if environ is None else environ
    found = Found()
    problems: list[str] = []
    for kind, prefix in wanted.items():
        found[kind], wrong = _read(kind, prefix, environ)
        problems += wrong
    for name, prefix in _named(wanted, environ).items():
        found.named[name], wrong = _read(SakariSettings, prefix, environ, url=found.of(SakariSettings).url)
        problems += wrong
    problems += more_faults(found)
    if problems:
        raise SettingsError(problems)
    return found


def _read(kind: type[T], prefix: str, environ: Mapping[str, str], **defaults: Any) -> tuple[T, list[str]]:
    """Read the settings of one type, and say what is wrong with them."""
    values, wrong = _values(kind, prefix, environ)
    missing = {field.name: "" for field in msgspec.structs.fields(kind) if field.required}
    settings = kind(**missing | defaults | values)
    named = {problem.split()[0] for problem in wrong}
    faults: list[str] = getattr(settings, "faults", _none)(prefix)
    return settings, wrong + [fault for fault in faults if fault.split()[0].rstrip(":") not in named]


def _named(wanted: Mapping[Any, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Give the named accounts, and the prefix of each one's settings."""
    prefix = wanted.get(AccountsSettings)
    if prefix is None:
        return {}
    with contextlib.suppress(ValueError):  # it is told of where the type itself is read
        names = _parse("", _text(f"{prefix}ACCOUNTS", environ), tuple[str, ...])
        return {name: f"{prefix}{name.upper()}_" for name in names if _is_account(name)}
    return {}


def unknown(wanted: Mapping[Any, str], environ: Mapping[str, str] | None = None) -> list[str]:
    """Name the variables that look like settings and are none, each with the near miss; often a typo."""
    environ = os.environ if environ is None else environ
    kinds = [*wanted.items(), *((SakariSettings, prefix) for prefix in _named(wanted, environ).values())]
    names = {prefix + field.name.upper() for kind, prefix in kinds for field in msgspec.structs.fields(kind)}
    told = []
    for name in sorted(environ):
        if name.startswith("SLUICE_") and name.removesuffix("_FILE") not in names:
            near = difflib.get_close_matches(name, names, 1)
            told.append(f"{name} is no setting of Sluice" + (f"; did you mean {near[0]}?" if near else ""))
    return told


def _none(_: str) -> list[str]:
    return []


def given(name: str) -> str | None:
    """Give one variable, for a command that can do without it."""
    return os.environ.get(name)


def environment() -> dict[str, str]:
    """The environment for commands that a person types, with what `from_dev` adds. Never used by `serve` and `work`."""
    return {**os.environ, **from_dev()}


def from_dev() -> dict[str, str]:
    """Give the settings of a `sluice dev` running in this folder that are not set in the real environment.

    None if that names a Redis of its own: then the person means another installation, and half of each would be neither.
    """
    lines = DEV_FILE.read_text(encoding="utf-8").splitlines() if DEV_FILE.is_file() else []
    found = dict(line.split("=", 1) for line in lines)
    meant = os.environ.get("SLUICE_REDIS_URL")
    if os.environ.get("SLUICE_REDIS_URL_FILE") or (meant and meant != found.get("SLUICE_REDIS_URL")):
        return {}
    return {name: value for name, value in found.items() if not {name, f"{name}_FILE"} & os.environ.keys()}


def _values(kind: type[Struct], prefix: str, environ: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Read the fields of one type; the values that are set, and what is wrong."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        name = prefix + field.name.upper()
        try:
            text = _text(name, environ)
            if text:
                values[field.name] = _parse(name, text, hints[field.name])
            elif field.required:
                problems.append(f"{name} is not set (nor {name}_FILE)")
        except ValueError as error:
            problems.append(str(error))
    return values, problems


def _text(name: str, environ: Mapping[str, str]) -> str:
    path = environ.get(name + "_FILE")
    if not path:
        return environ.get(name, "")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}_FILE: cannot read {path}: {type(error).__name__}") from None


def _parse(name: str, text: str, hint: Any) -> Any:
    """Make a value of a text. The text itself is never repeated: it may be a secret in the wrong place."""
    if get_origin(hint) is tuple:
        return tuple(filter(None, (part.strip() for part in text.split(","))))
    if get_origin(hint) is Literal and text not in get_args(hint):
        raise ValueError(f"{name} must be one of {', '.join(get_args(hint))}")
    if hint is bool:
        if text.lower() not in _TRUTH:
            raise ValueError(f"{name} must be true or false")
        return _TRUTH[text.lower()]
    try:
        return msgspec.convert(text, hint, strict=False)
    except msgspec.ValidationError:
        raise ValueError(f"{name} must be {_spoken(hint)}") from None


_TRUTH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def _spoken(hint: Any) -> str:
    """Say a numeric type in words: `a whole number from 0 to 65535`."""
    kind, *rest = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    words = "a whole number" if kind is int else "a number"
    for meta in rest:
        words += " ".join(["", *_bounds(meta)])
    return words


def _bounds(meta: Meta) -> Iterator[str]:
    if meta.ge is not None and meta.le is not None:
        yield f"from {meta.ge} to {meta.le}"
        return
    if meta.gt is not None:
        yield f"above {meta.gt}"
    if meta.ge is not None:
        yield f"of at least {meta.ge}"
    if meta.le is not None:
        yield f"up to {meta.le}"
