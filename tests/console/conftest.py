"""The console of an ingress in this process, with a journal to look at."""

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar
from msgspec import Struct

from service import app
from service.actions import ACTIONS
from service.engine import RuleSet, load, plan, read_folder
from service.ingress.wanted import WANTED
from service.model import Event, Misfit
from service.settings import read
from service.store import Store, accept, lanes, rulesets
from service.store.records import StepRecord, encode
from tests.cli.conftest import a_rule, rules_text
from tests.system.conftest import environment

ADMIN = "admin-new"
NOW = 1_790_000_000_000


class Browser(Struct, frozen=True):
    """A client that keeps cookies, as a browser does, and the app that it looks at."""

    http: httpx.AsyncClient
    app: Litestar
    store: Store
    rule_set: RuleSet

    async def sign_in(self, token: str = ADMIN) -> httpx.Response:
        return await self.http.post("/console/sign-in", data={"token": token})

    async def get(self, path: str = "") -> httpx.Response:
        return await self.http.get(f"/console{path}")

    async def post(self, path: str, form: dict[str, Any], *, csrf: str | None = None) -> httpx.Response:
        """Send a form as a page of the session would."""
        mark = await self.csrf() if csrf is None else csrf
        return await self.http.post(f"/console{path}", data={"csrf": mark, **form})

    async def csrf(self) -> str:
        found = re.search(r'name="csrf" value="(\w+)"', (await self.get()).text)
        return found[1] if found else ""

    async def accept(self, *events: Event, misfits: tuple[Misfit, ...] = ()) -> list[str]:
        """Take events in, as the ingress does."""
        await rulesets.keep(self.store, self.rule_set.version, self.rule_set.files)
        plans = [plan(self.rule_set, event, NOW) for event in events]
        return list((await accept(self.store, "hubspot", plans, misfits, now=NOW)).events)

    async def work(self, state: str, args: Any = None, answer: Any = None) -> None:
        """Do every waiting run, all in one way."""
        while claimed := await lanes.claim(self.store, 100):
            for lane in claimed:
                step = StepRecord(
                    state="done" if state == "done" else "failed",
                    at=NOW,
                    do="update_attributes",
                    args=args,
                    answer=answer,
                )
                while await lanes.end_run(self.store, lane, lanes.Notes({"state": state, "step:0": encode(step)})):
                    pass


RULES = rules_text(a_rule("one"), a_rule("quiet", stage="lead", mode="shadow"))


@contextlib.asynccontextmanager
async def browsing(redis_url: str, store: Store, folder: Path, **other: str) -> AsyncIterator[Browser]:
    (folder / "rules").mkdir()
    (folder / "rules" / "r.yaml").write_text(RULES)
    given = {"SLUICE_RULES": str(folder / "rules"), "SLUICE_VIEWER_TOKEN": "viewer", **other}
    environ = environment(redis_url, folder, **given)
    ingress = app.create_app(read(WANTED, environ))
    rule_set = load(read_folder(folder / "rules"), ACTIONS).rule_set
    transport = httpx.ASGITransport(cast("Any", ingress))
    async with (
        ingress.lifespan(),
        httpx.AsyncClient(transport=transport, base_url=environ["SLUICE_PUBLIC_URL"].removesuffix("/sluice")) as http,
    ):
        yield Browser(http, ingress, store, rule_set)


@pytest.fixture
async def browser(redis_url: str, store: Store, tmp_path: Path) -> AsyncIterator[Browser]:
    async with browsing(redis_url, store, tmp_path) as opened:
        yield opened
