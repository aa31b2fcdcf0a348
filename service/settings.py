"""The settings of each process, and the only reader of the environment.

A field `claim_hours` of a Struct read with the prefix `SLUICE_` comes from `SLUICE_CLAIM_HOURS`. Every setting may be given
as `…_FILE` instead, naming a file (a mounted secret) that holds the value. A tuple is written with commas; its values are
all valid at once, which is how a secret is rotated.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast, get_type_hints

import msgspec
from msgspec import Meta, Struct

from service.errors import SettingsError

DEV_FILE = Path("var/dev/environment")
"""Where a running `sluice dev` says how to reach it."""

Port = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[int, Meta(ge=1)]


class StoreSettings(Struct, frozen=True, kw_only=True):
    """What both processes need."""

    redis_url: str
    durability: Literal["fsync", "memory"] = "fsync"
    claim_hours: Positive = 72
    journal_length: Positive = 1_000_000


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
    """Bearer tokens of the admin API; without one there is no admin API."""

    def __post_init__(self) -> None:
        if not self.public_url.startswith(("https://", "http://")):
            raise ValueError("SLUICE_PUBLIC_URL must start with https:// (or http:// on this machine)")


class SakariSettings(Struct, frozen=True, kw_only=True):
    """What `sluice work` needs to call Sakari, read from `SLUICE_SAKARI_…`."""

    account_id: str
    client_id: str
    client_secret: str
    url: str = "https://api.sakari.io"

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

    redis_url: str


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
        before = len(problems)
        values = _values(kind, prefix, environ, problems)
        if len(problems) > before:
            continue
        try:
            found[kind] = msgspec.convert(values, kind, strict=False)
        except msgspec.ValidationError as error:
            problems.append(_explain(error, prefix))
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


def _values(kind: type[Struct], prefix: str, environ: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    hints = get_type_hints(kind)
    for field in msgspec.structs.fields(kind):
        name = prefix + field.name.upper()
        text = _text(name, environ, problems)
        if text is None:
            if field.required:
                problems.append(f"{name} is not set (nor {name}_FILE)")
            continue
        is_tuple = getattr(hints[field.name], "__origin__", None) is tuple
        values[field.name] = tuple(filter(None, (part.strip() for part in text.split(",")))) if is_tuple else text
    return values


def _text(name: str, environ: Mapping[str, str], problems: list[str]) -> str | None:
    path = environ.get(name + "_FILE")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{name}_FILE: cannot read {path}: {type(error).__name__}")
            return ""
    return environ.get(name)


def _explain(error: msgspec.ValidationError, prefix: str) -> str:
    message, _, path = str(error).rpartition(" - at `$.")
    return f"{prefix}{path.rstrip('`').upper()}: {message}" if message else str(error)
