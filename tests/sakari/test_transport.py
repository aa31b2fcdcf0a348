"""How calls are carried: kept-alive HTTP/1.1, bounded waits, one host, verified TLS, no redirect."""

import asyncio
import contextlib
import gzip
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from service.errors import Permanent, Retryable, Uncertain
from service.sakari.client import Sakari
from service.sakari.connections import Timeouts
from service.sakari.line import connect
from service.sandbox.state import Fault
from tests.sakari.rig import CERTIFICATE, Rig, made_tokens, raw_server

ELSEWHERE = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: %s/stolen\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

DONE = b'HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n{"success":true,"data":{}}'


async def read(sakari: Sakari, campaign: str = "c1") -> list[Any]:
    return [each async for page in sakari.executions(campaign) for each in page]


@contextlib.asynccontextmanager
async def kept_open(answer: bytes) -> AsyncIterator[tuple[str, list[bytes], list[asyncio.StreamWriter]]]:
    """A server that reads each request to its end, gives this answer, and keeps the connection.

    Gives its URL, the requests, and its ends of the connections.
    """
    requests: list[bytes] = []
    ends: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                requests.append(head + await reader.readexactly(int(length or 0)))
                writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", requests, ends


@contextlib.asynccontextmanager
async def tls_server(folder: Path) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server with a certificate that nobody vouches for; gives its URL, and what it was sent."""
    (folder / "self-signed.pem").write_text(CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "self-signed.pem")
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(1000))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", received


@contextlib.asynccontextmanager
async def forward_server(folder: Path) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers before it is asked: its answer goes out with the last bytes of each handshake.

    Up to TLS 1.2 a server has the last word of it, so that who has shaken hands has that answer too, and not a moment
    later. Gives its URL, and what it was asked over each connection.
    """
    (folder / "self-signed.pem").write_text(CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(folder / "self-signed.pem")
    asked: list[bytes] = []
    serving: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls, number = context.wrap_bio(incoming, outgoing, server_side=True), None
        while received := await reader.read(65536):
            incoming.write(received)
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                if number is None:
                    number = len(asked)
                    asked.append(b"")
                    tls.write(DONE)
                if more := tls.read():
                    asked[number] += more
                else:
                    tls.unwrap()
            writer.write(outgoing.read())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, asyncio.timeout(20):
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
        await asyncio.gather(*filter(None, serving))  # the other end has closed every connection


async def test_a_certificate_that_nobody_vouches_for_is_not_spoken_to(tmp_path: Path) -> None:
    async with tls_server(tmp_path) as (url, received), connect(url) as line:
        with pytest.raises(Retryable) as caught:
            await made_tokens(line).get()
    assert caught.value.reason == "unreachable"
    assert received == []


async def test_a_token_never_follows_a_redirect(rig: Rig) -> None:
    async with (
        raw_server(b"") as (other, seen),
        raw_server(ELSEWHERE % other.encode()) as (url, heads),
        connect(url) as line,
    ):
        with pytest.raises(Permanent) as caught:
            await read(Sakari(line, "demo", rig.tokens))
    assert caught.value.reason == "redirect"
    assert (len(heads), seen) == (1, [])


async def test_a_cookie_is_not_kept(rig: Rig) -> None:
    answer = b"HTTP/1.1 500 Oops\r\nSet-Cookie: sticky=yes\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    async with raw_server(answer) as (url, heads), connect(url.replace("127.0.0.1", "localhost")) as line:
        for _ in range(2):  # of an address nobody would keep one
            with pytest.raises(Retryable):
                await read(Sakari(line, "demo", rig.tokens))
    assert len(heads) == 2
    assert not any(b"\r\ncookie:" in head.lower() for head in heads)


@pytest.mark.parametrize("campaign", ["https://example.com/x", "//example.com/x", "@example.com", "\\\\example.com"])
async def test_only_the_configured_host_is_called(rig: Rig, campaign: str) -> None:
    with pytest.raises(Permanent) as caught:
        await read(rig.sakari, campaign)
    assert caught.value.reason == "http_404"
    assert len(rig.sandbox.calls) == 2, "the sandbox was asked for a token, and for a campaign that it does not know"


@pytest.mark.parametrize("stray", [DONE, b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"])
async def test_an_answer_that_nobody_asked_for_is_no_answer_to_the_next_call(rig: Rig, stray: bytes) -> None:
    await rig.tokens.get()
    async with kept_open(DONE) as (url, requests, ends), connect(url, connections=3) as line:
        sakari = Sakari(line, "demo", rig.tokens)
        await asyncio.gather(*(sakari.write_attributes("contacts", {"early": True}) for _ in range(3)))
        for end in ends:
            end.write(stray)
        assert await sakari.write_attributes("contacts", {"late": True}) == {"success": True, "data": {}}
    assert [request.endswith(b'{"late":true}') for request in requests] == [False, False, False, True]
    assert len(ends) == 4, "the three that were spoken on are closed, and one is opened"


async def test_a_server_that_speaks_first_is_asked_nothing(rig: Rig, tmp_path: Path) -> None:
    await rig.tokens.get()
    async with forward_server(tmp_path) as (url, asked), connect(url, connections=3) as line:
        transport: Any = line.transport
        transport._tls = ssl.create_default_context(cadata=CERTIFICATE)
        with pytest.raises(Retryable) as caught:
            await Sakari(line, "demo", rig.tokens).write_attributes("contacts", {"never": True})
    assert caught.value.reason == "unreachable"
    assert asked == [b""]


async def test_a_read_is_sent_once_because_pace_and_circuit_count_it_once(rig: Rig) -> None:
    await rig.tokens.get()
    async with raw_server(b"") as (url, heads), connect(url) as line:
        with pytest.raises(Retryable) as caught:
            await read(Sakari(line, "demo", rig.tokens))
    assert caught.value.reason == "connection_cut"
    assert len(heads) == 1


async def test_a_packed_answer_is_never_unpacked_and_none_is_asked_for(rig: Rig) -> None:
    """A few kilobytes of it could fill the memory."""
    await rig.tokens.get()
    packed = gzip.compress(DONE.partition(b"\r\n\r\n")[2])
    for status, of_a_read, of_a_write in ((200, Retryable, Uncertain), (400, Permanent, Permanent)):
        head = b"HTTP/1.1 %d X\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % (status, len(packed))
        async with kept_open(head + packed) as (url, requests, _), connect(url) as line:
            sakari = Sakari(line, "demo", rig.tokens)
            for call, meaning in ((read(sakari), of_a_read), (sakari.write_attributes("contacts", {}), of_a_write)):
                with pytest.raises(meaning) as caught:
                    await call
                assert caught.value.reason == ("unreadable_answer" if status == 200 else "http_400")
        assert all(b"\r\naccept-encoding: identity\r\n" in request.lower() for request in requests)


async def test_waiting_for_a_free_connection_is_bounded(rig: Rig) -> None:
    await rig.tokens.get()
    rig.faults(Fault(path="/executions", slow_ms=300))
    async with connect(rig.url, timeouts=Timeouts(pool=0.2), connections=1) as line:
        sakari = Sakari(line, "demo", rig.tokens)
        told = await asyncio.gather(*(read(sakari, "6604b1d2f1a3") for _ in range(3)), return_exceptions=True)
    waited = [error for error in told if isinstance(error, Retryable)]
    assert len(waited) == 2
    assert {error.reason for error in waited} == {"unreachable"}
