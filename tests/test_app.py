"""The wiring of the ingress: what it refuses to start with, and chores that nothing ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from service import app
from service.errors import SettingsError
from service.ingress.receive import Desk
from service.ingress.wanted import WANTED
from service.settings import Found, IngressSettings, read
from service.sources.delivery import Delivery
from service.store import Store, journal, keys
from tests.system.conftest import environment, pipedrive, until


def _settings(redis_url: str, folder: Path, **other: str) -> Found:
    return read(WANTED, environment(redis_url, folder, **other))


def test_that_there_is_nothing_to_serve_is_told_with_everything_else(tmp_path: Path) -> None:
    none = dict.fromkeys(
        (
            "SLUICE_HUBSPOT_CLIENT_SECRET",
            "SLUICE_HUBSPOT_WORKFLOW_SECRET",
            "SLUICE_PIPEDRIVE_USER",
            "SLUICE_PIPEDRIVE_PASSWORD",
        ),
        "",
    )
    with pytest.raises(SettingsError) as caught:
        read(WANTED, environment("", tmp_path, SLUICE_PORT="many", **none), app.faults)
    named = [problem.split()[0] for problem in caught.value.problems]
    assert named == ["SLUICE_REDIS_URL", "SLUICE_PORT", "no"]


async def test_what_is_wrong_with_redis_is_said_before_serving(redis_url: str, tmp_path: Path, store: Store) -> None:
    await store.redis.config_set("appendonly", "no")
    try:
        with pytest.raises(SettingsError, match="before its disk is done"):
            await app.check(_settings(redis_url, tmp_path))
    finally:
        await store.redis.config_set("appendonly", "yes")
    with capture_logs() as logs:
        await app.check(_settings(redis_url, tmp_path, SLUICE_DURABILITY="memory"))
        await app.check(_settings("redis://127.0.0.1:1/0", tmp_path))
    assert ["memory" in logs[0]["event"], "does not answer" in logs[1]["event"]] == [True, True]


@contextlib.asynccontextmanager
async def _doing(chore: Any) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(chore)
    try:
        yield task
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait([task])


def _desk(settings: Found, store: Store) -> Desk:
    return app.make_desk(settings.of(IngressSettings), store)


async def test_a_spilled_delivery_whose_source_has_no_secret_any_more_waits(
    redis_url: str, tmp_path: Path, store: Store
) -> None:
    settings = _settings(redis_url, tmp_path)
    desk = _desk(settings, store)
    (route,) = (route for route in app.make_routes(settings) if route.spills)
    assert desk.spill is not None
    await desk.spill.put(route, _delivery(pipedrive(1, "Ada")))
    with capture_logs() as logs:
        async with _doing(app._drain_spill(desk, {})):

            async def complained() -> bool:
                return any(line["log_level"] == "error" and line.get("path") == route.path for line in logs)

            await until(complained)
    assert len(desk.spill.waiting) == 1

    async with _doing(app._drain_spill(desk, {route.path: route})):

        async def brought_in() -> bool:
            return desk.spill is not None and desk.spill.waiting == []

        await until(brought_in)
    (event,) = await journal.newest(store, 10)
    assert event.entry.event.object_id == "1"


def _delivery(payload: dict[str, Any]) -> Delivery:
    body = msgspec.json.encode(payload)
    return Delivery(method="POST", target="/webhooks/pipedrive", headers={}, body=body, received_at=1)


async def test_a_spill_folder_that_cannot_be_read_ends_no_chore(redis_url: str, tmp_path: Path, store: Store) -> None:
    settings = _settings(redis_url, tmp_path)
    desk = _desk(settings, store)
    assert desk.spill is not None
    (tmp_path / "spill" / "0.delivery").mkdir()
    with capture_logs() as logs:
        async with _doing(app._drain_spill(desk, {})):

            async def complained() -> bool:
                return any(line["event"] == "spilled delivery unreadable" for line in logs)

            await until(complained)
    assert (tmp_path / "spill" / "0.unreadable").is_dir()


async def test_without_a_spill_folder_there_is_nothing_to_drain(redis_url: str, tmp_path: Path, store: Store) -> None:
    desk = _desk(_settings(redis_url, tmp_path, SLUICE_SPILL_DIR=""), store)
    await app._drain_spill(desk, {})


async def test_the_rules_are_kept_in_redis_without_any_delivery(redis_url: str, tmp_path: Path, store: Store) -> None:
    desk = _desk(_settings(redis_url, tmp_path), store)
    async with _doing(app._keep_rules(desk)):

        async def kept() -> bool:
            return bool(await store.redis.exists(keys.RULESET + desk.rules.rule_set.version))

        await until(kept)
    ttl = await store.redis.pttl(keys.RULESET + desk.rules.rule_set.version)
    assert ttl > store.options.ruleset_ms - 60_000


async def test_the_app_lives_and_says_what_is_wrong_with_the_rules(redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "bad.yaml").write_text("version: 1\nrules: [{}]\n")
    ingress = app.create_app(_settings(redis_url, tmp_path, SLUICE_RULES=str(tmp_path / "rules")))
    with capture_logs() as logs:
        async with ingress.lifespan():
            pass
    assert [line["event"] for line in logs][-1] == "ingress ready"
    assert any("bad.yaml:2" in line.get("problem", "") for line in logs)


async def test_a_chore_that_swallows_its_cancellation_is_cancelled_again() -> None:
    begun = asyncio.Event()

    async def stubborn() -> None:
        begun.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        await asyncio.sleep(3600)

    chore = asyncio.create_task(stubborn())
    await begun.wait()
    await app._end([chore])
    assert chore.cancelled()
