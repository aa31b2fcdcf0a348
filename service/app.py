"""The entrance of `sluice serve`: wires the ingress together."""

import asyncio
import contextlib
import gc
import time
from collections.abc import AsyncIterator
from pathlib import Path

import structlog
from litestar import Litestar, Router
from litestar.exceptions import HTTPException
from redis.exceptions import RedisError

from service import sources
from service.actions import ACTIONS
from service.console.desk import Desk as Console
from service.console.router import console
from service.console.session import Tokens
from service.engine import COLLECT_AFTER
from service.errors import StoreUnavailable
from service.ingress import refusals
from service.ingress.admin.router import admin, describe
from service.ingress.bodies import Bodies
from service.ingress.described import DescribedStructs
from service.ingress.gate import Bearers
from service.ingress.http import away, broken, fault, livez, readyz, too_deep
from service.ingress.metrics import metrics
from service.ingress.receive import Desk, store
from service.ingress.rulebook import RuleBook
from service.ingress.spill import NoTaker, Spill, Spilled
from service.ingress.webhook import Ingress, webhook
from service.ingress.webhook import describe as describe_webhooks
from service.insight.stories import RuleSets
from service.observe import logs, trace_config, traces
from service.settings import Found, IngressSettings, StoreSettings
from service.sources.delivery import Delivery, Route, Verified
from service.store import Store, durability, open_store, why_silent
from service.store.options import options

log = structlog.get_logger("sluice.ingress")

_KEEP_RULES_S = 60
_LOOK_AT_RULES_S = 2
"""A change is taken up at the second look. Contents are compared, since a mounted ConfigMap tells nothing else reliably."""
_DRAIN_SPILL_S = 1
_TELL_REFUSALS_S = 2


def create_app(settings: Found, stopping: asyncio.Event | None = None) -> Ingress:
    """Make the ingress.

    `stopping`: set as soon as the process is told to stop, so that pages that keep themselves fresh let go of it.
    """
    stopping = stopping or asyncio.Event()
    ingress = settings.of(IngressSettings)
    opened = open_store(settings.of(StoreSettings).redis_url, options(settings.of(StoreSettings)))
    desk = make_desk(ingress, opened)
    routes = make_routes(settings)
    by_path = {route.path: route for route in routes}
    bodies = Bodies(ingress.max_body)

    @contextlib.asynccontextmanager
    async def life(_: Litestar) -> AsyncIterator[None]:
        asyncio.get_running_loop().set_exception_handler(logs.unhandled)
        traces.start("sluice-ingress", settings.of(trace_config.Config))
        for problem in desk.rules.problems:
            log.warning("rule problem", problem=problem)
        gc.freeze()  # rules, routes and modules stay: collecting need not look at them again and again
        gc.set_threshold(COLLECT_AFTER)
        log.info("ingress ready", paths=sorted(by_path), rules=len(desk.rules.rule_set.rules))
        async with asyncio.TaskGroup() as tasks:
            doing = (
                _keep_rules(desk),
                _watch_rules(desk),
                _drain_spill(desk, by_path),
                _tell_refusals(desk, opened, refusals.counted()),
            )
            chores = [tasks.create_task(chore) for chore in doing]
            try:
                yield
            finally:
                await _end(chores)
        await opened.close()
        traces.stop()

    made = Ingress(
        [webhook(route, desk, bodies) for route in routes],
        [
            livez,
            metrics(desk.spill, opened),
            readyz(desk, opened),
            *(_for_operators(ingress, opened, desk, stopping) if ingress.admin_token else []),
        ],
        lifespan=[life],
        exception_handlers={HTTPException: fault, RecursionError: too_deep, RedisError: away, Exception: broken},
        plugins=[DescribedStructs()],
        openapi_config=describe(Bearers(ingress.admin_token, ingress.viewer_token)) if ingress.admin_token else None,
        logging_config=None,
    )
    if ingress.admin_token:
        describe_webhooks(made.openapi_schema, routes)
    return made


def _for_operators(ingress: IngressSettings, opened: Store, desk: Desk, stopping: asyncio.Event) -> list[Router]:
    """Make the admin API and the console, over the same functions."""
    rule_sets = RuleSets(opened)
    looks = Console(
        store=opened,
        rules=desk.rules,
        rule_sets=rule_sets,
        tokens=Tokens(ingress.admin_token, ingress.viewer_token),
        public_url=ingress.public_url,
        now=desk.now,
    )
    bearers = Bearers(ingress.admin_token, ingress.viewer_token)
    return [admin(bearers, opened, desk.rules, rule_sets, desk.now), console(looks, stopping)]


async def check(settings: Found) -> None:
    """Look at Redis before anything is promised. Raises SettingsError if it cannot keep what is to be promised.

    A Redis that does not answer is no reason not to start: it may come up, and until then senders are told to come back.
    """
    opened = open_store(settings.of(StoreSettings).redis_url, options(settings.of(StoreSettings)))
    try:
        for warning in await durability.check(opened):
            log.warning(warning)
    except (RedisError, OSError, TimeoutError) as error:
        log.warning("Redis does not answer; until it does, senders are told to come back", reason=why_silent(error))
    finally:
        await opened.close()


def make_desk(ingress: IngressSettings, opened: Store) -> Desk:
    """Put together what receiving needs, with the real clock."""
    return Desk(
        store=opened,
        rules=RuleBook(Path(ingress.rules), ACTIONS, opened),
        spill=Spill(Path(ingress.spill_dir), ingress.spill_mib * 1024 * 1024) if ingress.spill_dir else None,
        now=lambda: time.time_ns() // 1_000_000,
    )


def faults(settings: Found) -> list[str]:
    """Say what is wrong with the settings of `sluice serve` as a whole, for `settings.read`."""
    if make_routes(settings):
        return []
    return ["no source has a secret: set SLUICE_HUBSPOT_CLIENT_SECRET, or SLUICE_PIPEDRIVE_USER and …_PASSWORD"]


def make_routes(settings: Found) -> list[Route]:
    """Make the webhook routes of every source that has a secret."""
    url = settings.of(IngressSettings).public_url
    return [r for source in sources.SOURCES.values() for r in source.routes(settings.of(source.Config), url)]


async def _end(chores: list[asyncio.Task[None]]) -> None:
    """Cancel chores until they have ended: redis-py awaits with `asyncio.wait_for`, which in Python 3.11 may lose one."""
    while pending := [chore for chore in chores if not chore.done()]:
        for chore in pending:
            chore.cancel()
        await asyncio.wait(pending, timeout=1)


async def _keep_rules(desk: Desk) -> None:
    """Write the rule set to Redis again and again: it must be there even after Redis lost everything."""
    while True:
        with contextlib.suppress(StoreUnavailable):
            await desk.rules.keep()
        await asyncio.sleep(_KEEP_RULES_S)


async def _watch_rules(desk: Desk) -> None:
    """Take changed rules into use, and say what is wrong with them."""
    while True:
        await asyncio.sleep(_LOOK_AT_RULES_S)
        with contextlib.suppress(StoreUnavailable):
            if await desk.rules.refresh():
                for problem in desk.rules.problems:
                    log.warning("rule problem", problem=problem)


async def _tell_refusals(desk: Desk, opened: Store, told: refusals.Counts) -> None:
    """Let the overview know what was turned away. `told`: what was counted when this process began."""
    while True:
        await asyncio.sleep(_TELL_REFUSALS_S)
        told = await refusals.tell(opened, told, now=desk.now())


async def _drain_spill(desk: Desk, routes: dict[str, Route]) -> None:
    """Bring spilled deliveries in as soon as Redis takes them."""
    if desk.spill is None:
        return

    async def bring_in(spilled: Spilled) -> None:
        delivery = Delivery(
            method="POST", target=spilled.path, headers={}, body=spilled.body, received_at=spilled.received_at
        )
        route = routes.get(spilled.path)
        if route is None:
            raise NoTaker(spilled.path)
        # It was verified before it was written; its headers, which proved that, were not kept.
        with traces.delivery(route.source, route.path, spilled.traceparent):
            await store(route.source, route.normalise(Verified(delivery, "basic")), desk)

    while True:
        try:
            if drained := await desk.spill.drain(bring_in):
                log.info("spill drained", deliveries=drained)
        except OSError as error:
            log.error("spill not drained", error=type(error).__name__, hint="look at the spill folder")
        await asyncio.sleep(_DRAIN_SPILL_S)
