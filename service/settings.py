"""The settings of each process, and the only reader of the environment.

A field `claim_hours` of a Struct read with the prefix `SLUICE_` comes from `SLUICE_CLAIM_HOURS`. Every setting may be given
as `…_FILE` instead, naming a file (a mounted secret) that holds the value. A tuple is written with commas; its values are
all valid at once, which is how a secret is rotated. A setting that is empty counts as not set.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast, get_origin

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import FieldInfo

from service.errors import SettingsError

DEV_FILE = Path("var/dev/environment")
"""Where a running `sluice dev` says how to reach it."""

Port = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[int, Meta(ge=1)]
RedisUrl = Annotated[str, Meta(pattern="^(redis://|rediss://|unix://)")]
WebUrl = Annotated[str, Meta(pattern="^(https://|http://)")]


class StoreSettings(Struct, frozen=True, kw_only=True):
    """What both processes need."""

    redis_url: RedisUrl
    durability: Literal["fsync", "memory"] = "fsync"
    claim_hours: Positive = 72
    journal_length: Positive = 1_000_000

    def __repr__(self) -> str:
        return f"StoreSettings(durability={self.durability!r})"  # the URL may hold a password


class IngressSettings(Struct, frozen=True, kw_only=True):
    """What `sluice serve` needs. `public_url` is the address that the CRMs call: HubSpot signs it."""

    public_url: WebUrl
    rules: str = "rules"
    host: str = "127.0.0.1"
    port: Port = 8080
    spill_dir: str = ""
    spill_mib: Positive = 256
    max_body: Positive = 2 * 1024 * 1024


class SakariSettings(Struct, frozen=True, kw_only=True):
    """What `sluice work` needs to call Sakari, read from `SLUICE_SAKARI_…`."""

    account_id: str
    client_id: str
    client_secret: str
    url: WebUrl = "https://api.sakari.io"

    def __repr__(self) -> str:
        return f"SakariSettings(account_id={self.account_id!r}, url={self.url!r})"


class WorkSettings(Struct, frozen=True, kw_only=True):
    """How `sluice work` goes about its work."""

    retry_base_s: Annotated[float, Meta(gt=0)] = 1.0
    retry_cap_s: Annotated[float, Meta(gt=0)] = 900.0
    retry_tries: Positive = 25
    grace_s: Positive = 25


T = TypeVar("T", bound=Struct)


class ClientSettings(Struct, frozen=True, kw_only=True):
    """What the commands that look at a running installation need."""

    redis_url: RedisUrl

    def __repr__(self) -> str:
        return "ClientSettings()"


class Found(dict[type[Struct], Struct]):
    """Settings by their type."""

    def of(self, wanted: type[T]) -> T:
        """Give the settings of one type."""
        return cast("T", self[wanted])


def read(wanted: Mapping[Any, str], environ: Mapping[str, str] | None = None) -> Found:
    """Read settings: types and their prefixes. Raises SettingsError that names every fault at once."""
    environ = os.environ if environ is None else environ
    found = Found()
    problems: list[str] = []
    for kind, prefix in wanted.items():
        values: dict[str, Any] = {}
        for field in msgspec.structs.fields(kind):
            try:
                values |= _value(field, prefix + field.name.upper(), environ)
            except SettingsError as error:
                problems += error.problems
        if not problems:
            found[kind] = kind(**values)
    if problems:
        raise SettingsError(problems)
    return found


def given(name: str) -> str | None:
    """Give one variable, for a command that can do without it."""
    return os.environ.get(name)


def environment() -> dict[str, str]:
    """The environment for commands that a person types: a `sluice dev` running in this folder is found without further ado.

    What is set in the real environment wins. Never used by `serve` and `work`.
    """
    lines = DEV_FILE.read_text(encoding="utf-8").splitlines() if DEV_FILE.is_file() else []
    return {**dict(line.split("=", 1) for line in lines), **os.environ}


def _value(field: FieldInfo, name: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """One field with its value, or nothing if its default will do. Raises SettingsError."""
    text = _text(name, environ)
    if not text:
        if field.required:
            raise SettingsError([f"{name} is not set (nor {name}_FILE)"])
        return {}
    given = tuple(filter(None, map(str.strip, text.split(",")))) if get_origin(field.type) is tuple else text
    try:
        return {field.name: msgspec.convert(given, field.type, strict=False)}
    except msgspec.ValidationError as error:
        raise SettingsError([f"{name}: {error}"]) from None


def _text(name: str, environ: Mapping[str, str]) -> str:
    path = environ.get(name + "_FILE")
    if not path:
        return environ.get(name, "")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{name}_FILE: cannot read {path}: {type(error).__name__}"]) from None
