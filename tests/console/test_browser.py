"""The console as a person uses it: a real browser, a real installation. Needs Chromium (Debian: `apt-get install chromium`)."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.async_playwright import Axe
from msgspec import Struct
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, Route, async_playwright, expect

from service.dev.processes import embedded_redis
from service.store import dead, overview
from tests.system import conftest as system
from tests.system.conftest import Installation, a_new_id, hubspot

_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.no_cover,
    pytest.mark.skipif(
        _CHROMIUM is None, reason="there is no Chromium on this machine (Debian: apt-get install chromium)"
    ),
]

SCREENSHOTS = Path(__file__).parents[2] / "var" / "screenshots"
ADMIN = "admin-new"
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
PAGES = ["", "/events", "/rules", "/rules/counter", "/dead", "/playground", "/api"]


class Seat(Struct, frozen=True):
    """Someone before a browser, and the installation that it shows."""

    chromium: Chromium
    installation: Installation
    strangers: list[str]
    """Requests that left the host, or what the pages complained about: there must be none."""

    @property
    def console(self) -> str:
        return self.installation.environ["SLUICE_PUBLIC_URL"] + "/console"

    @contextlib.asynccontextmanager
    async def page(self, token: str = ADMIN, size: str = "desktop", **options: Any) -> AsyncIterator[Page]:
        """A page of someone who signed in."""
        width, height = SIZES[size]
        context = await self.chromium.new_context(viewport={"width": width, "height": height}, **options)
        page = await context.new_page()
        page.on("request", lambda request: self._note(request.url))
        page.on("pageerror", lambda error: self.strangers.append(str(error)))
        page.on("console", lambda said: self.strangers.append(said.text) if said.type == "error" else None)
        await page.goto(self.console)
        await page.get_by_label("Token").fill(token)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        try:
            yield page
        finally:
            await context.close()

    def _note(self, url: str) -> None:
        if urlsplit(url).netloc != urlsplit(self.console).netloc:
            self.strangers.append(url)


@pytest.fixture(scope="module")
async def seat(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Seat]:
    folder = tmp_path_factory.mktemp("console")
    (folder / "redis").mkdir()
    async with contextlib.AsyncExitStack() as stack:
        redis_url = await stack.enter_async_context(embedded_redis(folder / "redis"))
        environ = system.environment(redis_url, folder, SLUICE_VIEWER_TOKEN="viewer")
        await stack.enter_async_context(system.sandbox(environ, folder))
        await stack.enter_async_context(system.ingress(environ, folder))
        await stack.enter_async_context(system.worker(environ, folder))
        installation = await stack.enter_async_context(system.opened(environ))
        playwright = await stack.enter_async_context(async_playwright())
        chromium = await playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        stack.push_async_callback(chromium.close)
        yield Seat(chromium, installation, [])


@pytest.fixture(autouse=True)
async def nothing_strange(seat: Seat) -> AsyncIterator[None]:
    """No page asks anything of another host, and none complains."""
    seat.strangers.clear()
    yield
    assert seat.strangers == []


@pytest.fixture
async def buried(seat: Seat) -> int:
    """An object whose run has become a dead letter."""
    who = a_new_id()
    await seat.installation.misbehave({"method": "POST", "path": "/attributes/", "status": 400, "times": 1})
    await seat.installation.hubspot(hubspot(who, "counter", "1"))
    await seat.installation.story(who)
    return who


async def test_an_operator_finds_an_event_and_reads_why_a_rule_did_not_fire(seat: Seat) -> None:
    who = a_new_id()
    await seat.installation.hubspot(hubspot(who, "lifecyclestage", "lead"))
    await seat.installation.story(who)
    async with seat.page("viewer") as page:
        await page.get_by_role("link", name="Events", exact=True).click()
        await page.get_by_label("Object id").fill(f"contact/{who}")
        await page.get_by_role("button", name="Search").click()
        rows = page.locator("tbody tr")
        await expect(rows).to_have_count(1)
        await rows.get_by_role("link").first.click()
        await expect(page.get_by_role("heading", name="contact.updated")).to_be_visible()
        verdict = page.get_by_role("article").filter(has_text="mark-too")
        await expect(verdict).to_contain_text("does not fire")
        stopped = verdict.get_by_role("listitem").filter(has_text="this stopped the rule")
        await expect(stopped.last).to_contain_text("contact.lifecyclestage changed to customer")
        await expect(stopped.last).to_contain_text("it was lead")
        await expect(page.get_by_role("button", name="Show personal data")).to_have_count(0)


async def test_an_operator_retries_a_dead_letter_and_sees_it_done(seat: Seat, buried: int) -> None:
    async with seat.page() as page:
        await page.get_by_role("link", name="Dead letters", exact=True).first.click()
        await page.get_by_label("Object id").fill(str(buried))
        await page.get_by_role("button", name="Search").click()
        await page.get_by_role("checkbox").check()
        await page.get_by_role("button", name="Try the chosen again").click()
        await expect(page.get_by_role("status")).to_contain_text("1 back in line")
        await page.goto(f"{seat.console}/events?object_id={buried}")
        await page.locator("tbody tr").get_by_role("link").first.click()
        await expect(page.locator("#live").get_by_text("done").first).to_be_visible(timeout=15_000)


async def test_an_author_sees_mistakes_as_they_type_and_then_the_plan(seat: Seat) -> None:
    async with seat.page() as page:
        await page.get_by_role("link", name="Playground", exact=True).click()
        text, result = page.get_by_label("Rule file"), page.locator("#result")
        good = await text.input_value()
        await text.fill(good.replace("update_attributes", "update_atributes"))
        await expect(result).to_contain_text("did you mean `update_attributes`?")
        await expect(result).to_contain_text("Line 9")
        await text.fill(good)
        await expect(result).to_contain_text("The rule is well formed.")
        await expect(result.locator(".state.done")).to_have_text("fires")
        await expect(result).to_contain_text('"stage": "customer"')
        before = await seat.installation.sandbox()
        await page.get_by_role("button", name="Try it").click()
        await expect(result).to_contain_text("fires")
        assert (await seat.installation.sandbox())["calls"] == before["calls"]


async def test_the_overview_keeps_itself_fresh(seat: Seat) -> None:
    async with seat.page() as page:
        who = a_new_id()
        await expect(page.locator("#live-state")).to_have_text("Live.")
        await seat.installation.hubspot(hubspot(who, "lifecyclestage", "customer"))
        await expect(page.locator("#live")).to_contain_text(str(who), timeout=15_000)


async def test_everything_but_the_live_parts_works_without_a_script(seat: Seat, buried: int) -> None:
    async with seat.page(java_script_enabled=False) as page:
        for path in PAGES:
            await page.goto(seat.console + path)
            await expect(page.get_by_role("heading").first).to_be_visible()
        await page.goto(seat.console + "/playground")
        await page.get_by_label("Rule file").fill("version: 1\nrules: 7")
        await page.get_by_role("button", name="Try it").click()
        await expect(page.locator("#result")).to_contain_text("mistake")
        await page.goto(f"{seat.console}/dead?object_id={buried}")
        await page.get_by_role("checkbox").check()
        await page.get_by_role("button", name="Drop the chosen").click()
        await expect(page.get_by_role("status")).to_contain_text("1 dropped.")


async def test_the_playground_says_that_it_is_checking(seat: Seat) -> None:
    async with seat.page() as page:
        await page.goto(seat.console + "/playground")
        go = asyncio.Event()

        async def hold(route: Route) -> None:
            await go.wait()
            await route.continue_()

        await page.route("**/playground/result", hold)
        await page.get_by_label("Rule file").fill("version: 1\nrules: 7")
        await expect(page.locator("#result")).to_have_attribute("aria-busy", "true")
        go.set()
        await expect(page.locator("#result")).to_contain_text("mistake")
        await expect(page.locator("#result")).not_to_have_attribute("aria-busy", "true")


async def test_the_keyboard_reaches_everything(seat: Seat) -> None:
    async with seat.page() as page:
        await page.goto(seat.console + "/events")
        reached = []
        for _ in range(16):
            await page.keyboard.press("Tab")
            reached.append(
                await page.evaluate("document.activeElement.textContent.trim() || document.activeElement.name")
            )
        assert reached[0] == "Skip to the content"
        assert {"Overview", "Playground", "Sign out", "object_id", "rule", "Search"} <= set(reached)


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark")])
async def test_every_page_can_be_read_by_everybody(seat: Seat, buried: int, size: str, scheme: str) -> None:
    """axe-core finds nothing serious, nothing is wider than the screen; a picture of each page is kept to look at."""
    story = (await seat.installation.story(buried)).id
    (letter,) = await dead.newest(seat.installation.store, 1)
    await overview.count(
        seat.installation.store, {"refused pipedrive wrong_password": 3}, now=time.time_ns() // 1_000_000
    )
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    async with seat.page(size=size, color_scheme=scheme) as page:
        for path in [*PAGES, f"/events/{story}", "/events/1-1", f"/dead/{letter.id}"]:
            await page.goto(seat.console + path)
            await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
            found = (await Axe().run(page)).response["violations"]
            serious = [
                (one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")
            ]
            assert serious == [], path
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            name = path.replace(letter.id, "letter").replace(story, "story").strip("/").replace("/", "_") or "overview"
            await page.screenshot(path=SCREENSHOTS / f"{name}__{size}_{scheme}.png", full_page=True)
    seat.strangers[:] = [said for said in seat.strangers if "404" not in said]  # of the page that is not there
