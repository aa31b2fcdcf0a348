"""`sluice accounts`: how fast each account goes, and why one does not."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from service.cli import main
from service.store import Options, Store, open_store
from service.store.pace import SharedPace

Installed = Callable[[Callable[[Store], Awaitable[None]]], None]


@pytest.fixture
def installed(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """A Redis that the command finds; gives a way to fill it."""
    monkeypatch.setenv("SLUICE_REDIS_URL", redis_url)
    monkeypatch.chdir(tmp_path)

    def fill(work: Callable[[Store], Awaitable[None]]) -> None:
        async def opened() -> None:
            store = open_store(redis_url, Options())
            await store.redis.flushall()
            await work(store)
            await store.close()

        asyncio.run(opened())

    return fill


def _said(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["accounts", *arguments])
    return result.exit_code, " ".join(result.output.replace("│", " ").split())


async def _nothing(_: Store) -> None:
    pass


async def _one_is_well_and_one_is_paused(store: Store) -> None:
    for name in ("default", "sales"):
        pace = SharedPace(store, name, rate=10, burst=5, credentials="c")
        told = await pace.admit("a", "0", 0)
    await pace.report("a", "refused", admitted_at=told.at, reason="bad_credentials", message="refused: HTTP 401")


def test_before_the_first_call_there_is_nothing_to_show(installed: Installed) -> None:
    installed(_nothing)
    assert _said() == (0, "No account has been called yet.")
    assert _said("--json") == (0, "[]")


def test_an_account_that_cannot_be_called_is_shown_with_the_reason(installed: Installed) -> None:
    installed(_one_is_well_and_one_is_paused)
    code, text = _said()
    assert code == 1
    assert "default 10 10 closed" in text
    assert "sales – 10 paused – " in text
    code, machine = _said("--json")
    assert [(a["name"], a["circuit"], a["message"]) for a in json.loads(machine)] == [
        ("default", "closed", ""),
        ("sales", "paused", "refused: HTTP 401"),
    ]
    assert code == 1
