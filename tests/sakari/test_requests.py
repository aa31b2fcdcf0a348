"""What goes over the wire: exactly what the two API documents give."""

import asyncio
import os
from typing import Any

import httpx
import pytest

from service.errors import LeaseLost, Permanent
from service.sakari.client import Sakari
from service.sakari.line import connect
from tests.sakari.rig import Rig, mocked, raw_server

DONE = httpx.Response(200, json={"success": True, "data": None})


async def drained(sakari: Sakari, campaign: str, **version: Any) -> None:
    async for _ in sakari.executions(campaign, **version):
        pass


async def test_executions_request_has_the_documented_parameters_only() -> None:
    sakari, seen = mocked(DONE, DONE)
    await drained(sakari, "6604")
    await drained(sakari, "6604", version_id="v 1")
    assert [request.url.raw_path for request in seen] == [
        b"/v1/accounts/demo/dripcampaigns/6604/executions?offset=0",
        b"/v1/accounts/demo/dripcampaigns/6604/executions?versionId=v+1&offset=0",
    ]
    assert seen[0].headers["authorization"] == "Bearer t0ken"
    assert "content-type" not in seen[0].headers


async def test_attributes_request_carries_the_contact_as_it_is(rig: Rig) -> None:
    contact = {"hubspot": {"id": 7}, "attributes": {"tier": "gold", "visits": 3}}
    answer = await rig.sakari.write_attributes("deals", contact)
    assert answer == {"success": True, "data": {"amount": 123, "below": 123}}
    assert [(write.endpoint, write.body) for write in rig.sandbox.writes] == [("attributes/deals", contact)]


async def test_upsert_carries_the_merge_strategy(rig: Rig) -> None:
    answer = await rig.sakari.upsert_contact({"mobile": {"number": "+12025550155"}}, "core")
    assert answer["data"][0]["mobile"] == {"number": "+12025550155"}
    assert [write.merge_strategy for write in rig.sandbox.writes] == ["core"]


@pytest.mark.parametrize(
    ("campaign", "sent"),
    [
        ("a/b", b"a%2Fb"),
        ("a?b=c#d", b"a%3Fb%3Dc%23d"),
        ("a%2Fb", b"a%252Fb"),
        ("../../x", b"..%2F..%2Fx"),
        ("é ", b"%C3%A9%20"),
        ("..a", b"..a"),
    ],
)
async def test_an_id_stays_one_segment_of_the_path(rig: Rig, campaign: str, sent: bytes) -> None:
    body = b'{"success":true,"data":null}'
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    async with raw_server(answer) as (url, heads), connect(url) as line:
        await drained(Sakari(line, "demo", rig.tokens), campaign)
    assert [head.partition(b"\r\n")[0] for head in heads] == [
        b"GET /v1/accounts/demo/dripcampaigns/%s/executions?offset=0 HTTP/1.1" % sent
    ]


@pytest.mark.parametrize("campaign", ["", ".", "..", "...", "\ud800"])
async def test_an_id_that_would_leave_the_path_is_never_sent(rig: Rig, campaign: str) -> None:
    with pytest.raises(Permanent) as caught:
        await drained(rig.sakari, campaign)
    assert caught.value.reason == "bad_identifier"
    assert rig.sandbox.calls == {}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sakari.io",
        "ftp://sakari.io",
        "https://",
        "https://u:p@sakari.io",
        "https://s.io?a=1",
        "http://a\x00b",
        "https://s.io#f",
        "https://xn--",
        "https://s.io:0",
        "https://s.io:65536",
    ],
)
def test_a_url_that_is_not_one_of_a_host_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="Sakari URL"):
        connect(url)


async def test_a_path_before_v1_is_kept(rig: Rig) -> None:
    answer = b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    async with raw_server(answer) as (url, heads), connect(f"{url}/proxy/") as line:
        with pytest.raises(Permanent):
            await drained(Sakari(line, "demo", rig.tokens), "c")
    assert [head.partition(b"\r\n")[0] for head in heads] == [
        b"GET /proxy/v1/accounts/demo/dripcampaigns/c/executions?offset=0 HTTP/1.1"
    ]


async def test_a_proxy_of_the_environment_is_not_used(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setitem(os.environ, name, "http://127.0.0.1:9")
    async with connect(rig.url) as line:
        answer: Any = await Sakari(line, "demo", rig.tokens).write_attributes("contacts", {"hubspot": {"id": 1}})
    assert answer["success"] is True


async def test_a_guard_is_asked_after_the_token_came_and_before_anything_is_written(rig: Rig) -> None:
    def refuse() -> None:
        raise LeaseLost("lane")

    with pytest.raises(LeaseLost):
        await rig.sakari.guarded(refuse).write_attributes("contacts", {"hubspot": {"id": 1}})
    assert rig.calls("/oauth2/token") == {"200": 1}
    assert rig.sandbox.writes == []
    await rig.sakari.write_attributes("contacts", {"hubspot": {"id": 1}})
    assert len(rig.sandbox.writes) == 1


async def test_a_guard_is_asked_once_the_connection_is_there(rig: Rig) -> None:
    """While it was opened, the process may have slept through its lease."""
    opened = asyncio.Event()

    def refuse() -> None:
        assert opened.is_set()
        raise LeaseLost("lane")

    await rig.tokens.get()
    async with connect(rig.url) as line:
        transport: Any = line.transport
        open_ = transport._open

        async def slowly() -> Any:
            connection = await open_()
            opened.set()
            return connection

        transport._open = slowly
        with pytest.raises(LeaseLost):
            await Sakari(line, "demo", rig.tokens).guarded(refuse).write_attributes("contacts", {"hubspot": {"id": 1}})
    assert rig.sandbox.writes == []
    assert rig.calls("/attributes/contacts") == {}
