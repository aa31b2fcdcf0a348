"""Who gets in: tokens, cookies, roles, and forms that are not ours."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from service.console import session
from service.console.session import Tokens
from service.store import Store
from tests.cli.conftest import an_event
from tests.console.conftest import Browser, browsing

PAGES = [
    "",
    "/events",
    "/events/1-1",
    "/rules",
    "/rules/one",
    "/dead",
    "/dead/x",
    "/playground",
    "/api",
    "/live/overview",
]
TOKENS = Tokens(("old", "new"), ("look",))


async def test_without_a_session_every_page_leads_to_the_sign_in(browser: Browser) -> None:
    for path in PAGES:
        answer = await browser.get(path)
        if path == "/live/overview":
            assert answer.status_code == 401
        else:
            assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/console/sign-in")
    for path in ("/settle", "/events/1-1", "/dead/x", "/playground", "/playground/result", "/sign-out"):
        assert (await browser.post(path, {}, csrf="x")).status_code == 401


async def test_every_route_but_the_doors_is_behind_the_guard(browser: Browser) -> None:
    open_to_all = {
        str(route.path)
        for route in browser.app.routes
        if route.path.startswith(("/console", "/api"))
        for handler in getattr(route, "route_handlers", ())
        if not handler.resolve_guards() and handler.http_methods != {"OPTIONS"}
    }
    assert open_to_all == {"/console/sign-in", "/console/static/{name:str}"}


async def test_a_session_opens_the_pages_and_every_answer_carries_the_policy(browser: Browser) -> None:
    answer = await browser.sign_in()
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    (event,) = await browser.accept(an_event())
    for path in [*PAGES[:2], f"/events/{event}", *PAGES[3:6], *PAGES[7:9]]:
        page = await browser.get(path)
        assert page.status_code == 200, path
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert "<script>" not in page.text
        assert " style=" not in page.text
        assert "http://" not in page.text.replace("http://www.w3.org/2000/svg", "").replace(
            str(browser.http.base_url), ""
        )
    for path in ("/events/1-1", "/events/x", "/rules/none", "/dead/none"):
        assert (await browser.get(path)).status_code == 404
    await browser.post("/sign-out", {})
    assert (await browser.get()).status_code == 303


async def test_over_https_the_cookie_is_bound_to_the_host(redis_url: str, store: Store, tmp_path: Path) -> None:
    async with browsing(redis_url, store, tmp_path, SLUICE_PUBLIC_URL="https://hooks.example.com/sluice") as browser:
        answer = await browser.sign_in()
        assert answer.headers["set-cookie"].startswith("__Host-sluice=")
        assert "Secure" in answer.headers["set-cookie"]
        assert answer.headers["location"] == "/sluice/console"
        assert 'href="/sluice/console/events"' in (await browser.get()).text


async def test_without_an_admin_token_there_is_no_console(redis_url: str, store: Store, tmp_path: Path) -> None:
    async with browsing(redis_url, store, tmp_path, SLUICE_ADMIN_TOKEN="", SLUICE_VIEWER_TOKEN="") as browser:
        for path in ("/console", "/console/sign-in", "/api/events", "/api/openapi.json", "/schema"):
            assert (await browser.http.get(path)).status_code == 404


async def test_wrong_tokens_are_slowed_down(browser: Browser) -> None:
    with capture_logs() as logs:
        assert [(await browser.sign_in(f"wrong {n}")).status_code for n in range(12)] == [401] * 10 + [429] * 2
    assert "wrong" not in str(logs)
    assert (await browser.sign_in()).status_code == 429


@pytest.mark.parametrize(
    ("goal", "leads_to"),
    [
        ("/console/events?object_id=1", "/console/events?object_id=1"),
        ("https://evil.example", "/console"),
        ("//evil.example/console", "/console"),
        ("/console/../x\\y", "/console"),
        ("/consoleevil", "/console"),
    ],
)
async def test_signing_in_leads_to_a_page_of_ours_only(browser: Browser, goal: str, leads_to: str) -> None:
    answer = await browser.http.post("/console/sign-in", data={"token": "admin-old", "next": goal})
    assert answer.headers["location"] == leads_to


async def test_the_form_to_sign_in_keeps_the_way_to_a_page_of_ours_only(browser: Browser) -> None:
    for goal, kept in (("/console/events", "/console/events"), ("//evil.example/console", "")):
        page = (await browser.http.get("/console/sign-in", params={"next": goal})).text
        assert f'name="next" value="{kept}"' in page


@pytest.mark.parametrize(
    "headers",
    [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://evil.example"}],
)
async def test_a_form_of_another_site_is_refused(browser: Browser, headers: dict[str, str]) -> None:
    assert (
        await browser.http.post("/console/sign-in", data={"token": "admin-new"}, headers=headers)
    ).status_code == 403
    await browser.sign_in()
    form = {"csrf": await browser.csrf(), "text": "x"}
    assert (await browser.http.post("/console/playground", data=form)).status_code == 200
    assert (await browser.http.post("/console/playground", data=form, headers=headers)).status_code == 403


async def test_a_form_without_the_mark_of_the_session_is_refused(browser: Browser) -> None:
    await browser.sign_in()
    for mark in ("", "0" * 64, "ä"):
        assert (await browser.post("/playground", {"text": "x"}, csrf=mark)).status_code == 403


async def test_who_may_only_look_can_do_nothing_and_see_nobody(browser: Browser) -> None:
    (event,) = await browser.accept(an_event())
    await browser.sign_in("viewer")
    page = (await browser.get(f"/events/{event}")).text
    assert "Show personal data" not in page
    assert "ada@example.com" not in page
    for path, form in (("/settle", {"what": "drop", "ids": "x"}), (f"/events/{event}", {}), ("/dead/x", {})):
        assert (await browser.post(path, form)).status_code == 403
    assert (await browser.post("/playground", {"text": "x"})).status_code == 200


def test_a_session_ends_with_its_time_with_its_token_and_with_its_role() -> None:
    cookie = session.begin("admin", "old", now=0)
    assert session.read(TOKENS, cookie, now=1) is not None
    assert session.read(TOKENS, cookie, now=session.LIFE_S * 1000) is None
    assert session.read(Tokens(("new",), ("look",)), cookie, now=1) is None
    assert session.read(Tokens(("new",), ("old",)), cookie, now=1) is None
    viewer = session.read(TOKENS, session.begin("viewer", "look", now=0), now=1)
    assert viewer is not None
    assert not viewer.may_act


@given(st.text() | st.from_regex(r"\d{1,20}\.\w*\.[0-9a-f]{0,64}", fullmatch=True))
def test_nothing_that_we_did_not_sign_is_a_session(cookie: str) -> None:
    assert session.read(TOKENS, cookie, now=0) is None
    good = session.begin("admin", "new", now=0)
    assert session.read(TOKENS, cookie + good, now=0) is None or not cookie
