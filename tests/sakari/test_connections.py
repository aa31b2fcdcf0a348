"""The client of our own against servers that lie, dawdle, talk too much and hang up, on both event loops.

What each failure means for a call is in test_outcomes.py; here it is what may be believed, and what a connection is good for
afterwards.
"""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.errors import LeaseLost
from service.sakari import addresses as addresses_room
from service.sakari import connections as connections_room
from service.sakari.connections import Connections, Terms, Timeouts
from tests.sakari.rig import CERTIFICATE

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"

Serve = Callable[["Server", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


class Server:
    """What a server saw. `connections`: opened so far; `left`: one thing for each that ended; `heads`: of the requests."""

    def __init__(self) -> None:
        self.url = ""
        self.connections = 0
        self.heads: list[bytes] = []
        self.left: asyncio.Queue[None] = asyncio.Queue()

    async def request(self, reader: asyncio.StreamReader) -> bytes:
        """Read one to its end."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        self.heads.append(head)
        return head + await reader.readexactly(int(length or 0))


@contextlib.asynccontextmanager
async def serving(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Serve each connection so, until the block ends."""
    seen, serving = Server(), set[asyncio.Task[Any]]()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(cast("asyncio.Task[Any]", asyncio.current_task()))
        seen.connections += 1
        try:
            # RuntimeError is uvloop's word for a write to a connection that is closed.
            with contextlib.suppress(
                asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError, RuntimeError
            ):
                await serve(seen, reader, writer)
        finally:
            seen.left.put_nowait(None)
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=2**24, ssl=tls)
    seen.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        try:
            yield seen
        finally:
            await asyncio.sleep(0.01)  # for those who are just being connected
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)


def answering(*pieces: bytes, hangs_up: bool = False) -> Any:
    """A server that answers each request with these pieces, a packet each as far as it can be helped."""

    async def serve(seen: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await seen.request(reader)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if hangs_up:
                return

    return serving(serve)


@contextlib.asynccontextmanager
async def connected(url: str, most: int = 4, **timeouts: float) -> AsyncIterator[Connections]:
    connections = Connections(httpx.URL(url), Timeouts(**timeouts), most)
    try:
        async with asyncio.timeout(20):
            yield connections
    finally:
        await connections.aclose()


async def asked_for(
    connections: Connections,
    body: bytes = b"",
    terms: Terms = Terms(within_s=10.0, last_look=lambda: None),  # noqa: B008 - nobody changes it
    **headers: str,
) -> httpx.Response:
    """Make a request; its answer is still to be read."""
    return await connections.handle_async_request(
        httpx.Request(
            "POST", "http://sakari.test/a?b=c", headers=headers, stream=httpx.ByteStream(body), extensions=dict(terms)
        )
    )


async def ask(
    connections: Connections,
    *,
    body: bytes = b"",
    within_s: float = 10.0,
    last_look: Callable[[], None] = lambda: None,
    **headers: str,
) -> tuple[int, bytes]:
    """Make a request, and read its answer to the end: status and body."""
    answer = await asked_for(connections, body, Terms(within_s=within_s, last_look=last_look), **headers)
    try:
        assert isinstance(answer.stream, httpx.AsyncByteStream)
        return answer.status_code, b"".join([chunk async for chunk in answer.stream])
    finally:
        await answer.aclose()


def bytewise(answer: bytes) -> tuple[bytes, ...]:
    return tuple(answer[n : n + 1] for n in range(len(answer)))


GOOD = {
    # name: (answer, status, body, whether its connection is used again)
    "length": (OK, 200, b"hello", True),
    "nothing": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b"", True),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi", True),
    "chunked": (CHUNKED, 200, b"hello", True),
    "a chunk with an extension, and a trailer": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-Late: 1\r\n\r\n",
        200,
        b"hello",
        True,
    ),
    "chunks of one byte": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n",
        200,
        b"x" * 20_000,
        True,
    ),
    "interim answers": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK,
        200,
        b"hello",
        True,
    ),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, b"", True),
    "asked to close": (OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), 200, b"hello", False),
    "HTTP/1.0": (OK.replace(b"/1.1", b"/1.0"), 200, b"hello", False),
    "HTTP/1.0, kept": (
        OK.replace(b"/1.1", b"/1.0").replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n"),
        200,
        b"hello",
        True,
    ),
    "another answer behind it": (OK + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, b"hello", False),
    "noise behind it": (OK + b"\x00\xff", 200, b"hello", False),
}


@pytest.mark.parametrize("name", GOOD)
async def test_a_whole_answer_is_believed_and_its_connection_kept_if_it_may_be(name: str) -> None:
    answer, status, body, kept = GOOD[name]
    async with answering(answer) as server, connected(server.url) as connections:
        for _ in range(3):
            assert await ask(connections) == (status, body)
            await asyncio.sleep(0.01)  # for what comes behind, by itself
    assert server.connections == (1 if kept else 3)


@pytest.mark.parametrize("name", [name for name, (answer, *_) in GOOD.items() if len(answer) < 1000])
async def test_an_answer_may_come_in_any_pieces(name: str) -> None:
    answer, status, body, _ = GOOD[name]
    async with answering(*bytewise(answer)) as server, connected(server.url) as connections:
        assert await ask(connections) == (status, body)


async def test_the_end_of_the_connection_is_that_of_a_body_without_any_other_end() -> None:
    async with (
        answering(b"HTTP/1.1 200 OK\r\n\r\n", b"hel", b"lo", hangs_up=True) as server,
        connected(server.url) as connections,
    ):
        assert await ask(connections) == (200, b"hello")
        assert await ask(connections) == (200, b"hello")
    assert server.connections == 2


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
async def test_an_answer_that_was_cut_short_is_never_taken_for_a_whole_one(data: st.DataObject) -> None:
    answer = data.draw(st.sampled_from([OK, CHUNKED, *(GOOD[name][0] for name in ("interim answers", "HTTP/1.0"))]))
    end = data.draw(st.integers(0, len(answer) - 1))
    cut = data.draw(st.integers(0, end))
    async with (
        answering(answer[:cut], answer[cut:end], hangs_up=True) as server,
        connected(server.url) as connections,
    ):
        with pytest.raises(httpx.ReadError):
            await ask(connections)


@pytest.mark.parametrize(
    "answer",
    [
        b"no http at all\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 4\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\n: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
        b"HTTP/1.1 099 Odd\r\nContent-Length: 3\r\n\r\nbad" + OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!!\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
    ],
)
async def test_what_is_no_answer_of_http_is_not_made_one(answer: bytes) -> None:
    async with answering(answer) as server, connected(server.url) as connections:
        with pytest.raises(httpx.RemoteProtocolError):
            await ask(connections)
        await server.left.get()


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n" * 100),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * 1000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 40),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;", b"x" * 1000),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", b"X-More: 1\r\n" * 100),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf4240\r\n" + b"x" * 1_000_000 + b"\r\n0\r\nX: ",
            b"x" * 1000,
        ),
    ],
    ids=["headers", "header", "interim", "extension", "trailers", "a trailer behind a large body"],
)
async def test_what_goes_on_for_ever_around_a_body_is_given_up(begin: bytes, more: bytes) -> None:
    sent = 0

    async def serve(seen: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await seen.request(reader)
        writer.write(begin)
        while True:
            writer.write(more)
            sent += len(more)
            await writer.drain()

    async with serving(serve) as server, connected(server.url) as connections:
        with pytest.raises(httpx.RemoteProtocolError, match="around its body"):
            await ask(connections)
        await server.left.get()
    assert sent < 32 * 1024 * 1024


async def test_no_more_of_a_body_is_taken_than_somebody_reads() -> None:
    size, sent = 64 * 1024 * 1024, 0

    async def serve(seen: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await seen.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 65536):
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536
        await seen.request(reader)
        writer.write(OK)
        await reader.read()

    async with serving(serve) as server, connected(server.url) as connections:
        answer = await asked_for(connections)
        before = -1
        while sent > before:  # until what is sent fills every buffer
            before = sent
            await asyncio.sleep(0.1)
        assert sent < size // 2
        assert isinstance(answer.stream, httpx.AsyncByteStream)
        assert sum([len(chunk) async for chunk in answer.stream]) == size
        await answer.aclose()
        assert await ask(connections) == (200, b"hello")
    assert server.connections == 1


@contextlib.contextmanager
def one_answer(then: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[bytes], Callable[[], bool]]]:
    """A server in a thread of its own, which answers one request a connection, and then does this to the first one.

    Gives its URL, what it received over each connection, and what lets it do so and waits until it did.
    """
    listening = socket.create_server(("127.0.0.1", 0))
    go_on, did, received = threading.Event(), threading.Event(), list[bytes]()

    def serve() -> None:
        with listening, listening.accept()[0] as first:
            received.append(first.recv(65536))
            first.sendall(OK)
            go_on.wait(10)
            then(first)
            did.set()
            with listening.accept()[0] as second:
                received.append(second.recv(65536))
                second.sendall(OK)
            if first.fileno() >= 0:
                with contextlib.suppress(ConnectionError):
                    received[0] += first.recv(65536)

    def let() -> bool:
        go_on.set()
        return did.wait(10)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", received, let
    finally:
        thread.join(10)


@pytest.mark.parametrize(
    "then",
    [lambda end: end.close(), lambda end: end.sendall(OK), lambda end: end.shutdown(socket.SHUT_WR)],
    ids=["hung up", "answered unasked", "half closed"],
)
async def test_what_came_while_this_process_was_busy_is_seen_before_anything_is_written(
    then: Callable[[socket.socket], None],
) -> None:
    """Nothing of the loop runs between what the server does and the next request."""
    with one_answer(then) as (url, received, did):
        async with connected(url) as connections:
            assert await ask(connections, first="1") == (200, b"hello")
            assert did()
            assert await ask(connections, second="2") == (200, b"hello")
    assert [b"first: 1" in each for each in received] == [True, False]
    assert [b"second: 2" in each for each in received] == [False, True]


@pytest.mark.parametrize("stray", [OK, b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", b"\x00"])
async def test_a_connection_on_which_somebody_spoke_unasked_is_closed(stray: bytes) -> None:
    async def serve(seen: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await seen.request(reader)
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(stray)
        await seen.request(reader)

    async with serving(serve) as server, connected(server.url) as connections:
        assert await ask(connections) == (200, b"hello")
        await server.left.get()
        assert await ask(connections) == (200, b"hello")
    assert (server.connections, len(server.heads)) == (2, 2)


async def test_a_last_look_that_fails_sends_nothing_and_spoils_nothing() -> None:
    def lost() -> None:
        raise LeaseLost("lane")

    async with answering(OK) as server, connected(server.url, most=1) as connections:
        for _ in range(3):
            with pytest.raises(LeaseLost):
                await ask(connections, last_look=lost)
        assert await ask(connections) == (200, b"hello")
        with pytest.raises(LeaseLost):
            await ask(connections, last_look=lost)
        assert await ask(connections) == (200, b"hello")
    assert (server.connections, len(server.heads)) == (1, 2)


@pytest.mark.parametrize(
    "pieces", [(), (b"HTTP/1.1 200 OK\r\n",), (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhe",)]
)
async def test_a_call_that_was_given_up_takes_its_connection_along_and_leaves_its_place(
    pieces: tuple[bytes, ...],
) -> None:
    asked = asyncio.Event()

    async def serve(seen: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await seen.request(reader)
        writer.writelines(pieces if seen.connections == 1 else (OK,))
        asked.set()
        await reader.read()

    async with serving(serve) as server, connected(server.url, most=1) as connections:
        call = asyncio.create_task(ask(connections))
        await asked.wait()
        await asyncio.sleep(0.02)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await ask(connections) == (200, b"hello")
    assert server.connections == 2


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"])
async def test_a_server_that_says_nothing_more_is_given_up(begin: bytes) -> None:
    async with answering(begin) as server, connected(server.url, read=0.1) as connections:
        with pytest.raises(httpx.ReadTimeout):
            await ask(connections)
        await server.left.get()


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
)
async def test_a_server_that_always_says_a_little_more_is_given_up_all_the_same(begin: bytes, more: bytes) -> None:
    async def serve(seen: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await seen.request(reader)
        writer.write(begin)
        while True:
            writer.write(more)
            await writer.drain()
            await asyncio.sleep(0.01)

    async with serving(serve) as server, connected(server.url) as connections:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(httpx.ReadTimeout):
            await ask(connections, within_s=0.3)
        assert 0.2 < loop.time() - began < 3


@contextlib.asynccontextmanager
async def over_tls(folder: Path, serve: Serve) -> AsyncIterator[tuple[Server, Connections]]:
    (folder / "self-signed.pem").write_text(CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "self-signed.pem")
    async with serving(serve, context) as server, connected(server.url) as connections:
        connections._tls = ssl.create_default_context(cadata=CERTIFICATE)
        yield server, connections


async def test_a_connection_over_tls_is_kept_until_the_server_ends_it(tmp_path: Path) -> None:
    async def serve(seen: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3):
            body = (await seen.request(reader)).partition(b"\r\n\r\n")[2]
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()

    async with over_tls(tmp_path, serve) as (server, connections):
        for body in (b"a", b"b" * 60_000, b"c"):
            assert await ask(connections, body=body) == (200, body)
        assert server.connections == 1
        await server.left.get()
        assert await ask(connections, body=b"d") == (200, b"d")
    assert server.connections == 2


async def test_an_answer_over_tls_that_was_cut_short_is_none(tmp_path: Path) -> None:
    async def serve(seen: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await seen.request(reader)
        writer.write(OK[:-1])
        await writer.drain()

    async with over_tls(tmp_path, serve) as (_, connections):
        with pytest.raises(httpx.ReadError):
            await ask(connections)


async def test_a_certificate_of_another_host_is_not_spoken_to(tmp_path: Path) -> None:
    async def serve(seen: Server, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await seen.request(reader)

    async with over_tls(tmp_path, serve) as (server, connections):
        connections._host = "localhost"  # the certificate is that of 127.0.0.1
        with pytest.raises(httpx.ConnectError):
            await ask(connections)
    assert server.heads == []


async def test_a_host_may_be_written_with_the_dot_that_no_certificate_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def serve(seen: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await seen.request(reader)
        writer.write(OK)
        await writer.drain()

    async def found(_: str, port: int) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(addresses_room, "look_up", found)
    async with over_tls(tmp_path, serve) as (_, connections):
        connections._host += "."
        assert await ask(connections) == (200, b"hello")


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_an_answer_may_come_before_the_request_has_left_and_its_connection_is_not_used_again(
    tmp_path: Path, *, tls: bool
) -> None:
    async def serve(seen: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.2)

    async with over_tls(tmp_path, serve) if tls else plainly(serve) as (server, connections):
        for _ in range(2):
            assert await ask(connections, body=b"x" * 30_000_000) == (413, b"")
    assert server.connections == 2


@contextlib.asynccontextmanager
async def plainly(serve: Serve) -> AsyncIterator[tuple[Server, Connections]]:
    async with serving(serve) as server, connected(server.url) as connections:
        yield server, connections


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_a_call_may_be_given_up_in_any_turn_of_the_loop_and_leaves_nothing_open(
    tmp_path: Path, *, tls: bool
) -> None:
    async def serve(seen: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await seen.request(reader)
            writer.write(OK)

    async with over_tls(tmp_path, serve) if tls else plainly(serve) as (server, connections):
        for turns in range(40):
            another = Connections(httpx.URL(server.url), Timeouts(), 1)
            another._tls = connections._tls
            call = asyncio.create_task(ask(another))
            for _ in range(turns):
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait([call])
            assert call.cancelled() or call.result() == (200, b"hello")
            assert await ask(another) == (200, b"hello")
            await another.aclose()
        for _ in range(server.connections):
            await server.left.get()


async def test_a_server_that_speaks_before_it_is_asked_is_sent_nothing() -> None:
    """Also if this process was too busy to hear it."""
    listening, spoke, received = socket.create_server(("127.0.0.1", 0)), threading.Event(), list[bytes]()

    def serve() -> None:
        with listening, listening.accept()[0] as end:
            end.sendall(OK)
            spoke.set()
            with contextlib.suppress(ConnectionError):
                received.append(end.recv(65536))

    thread = threading.Thread(target=serve)
    thread.start()
    async with connected(f"http://127.0.0.1:{listening.getsockname()[1]}") as connections:
        open_ = connections._open

        async def busily() -> Any:
            connection = await open_()
            assert spoke.wait(10)
            return connection

        cast("Any", connections)._open = busily
        with pytest.raises(httpx.ConnectError):
            await ask(connections)
    await asyncio.to_thread(thread.join, 10)  # while the loop closes the connection
    assert b"".join(received) == b""


async def test_fifty_who_want_to_know_where_a_host_is_ask_once_and_remember(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = addresses_room.look_up

    async def slowly(host: str, port: int) -> Any:
        asked.append(host)
        await asyncio.sleep(0.05)
        return await real(host, port)

    monkeypatch.setattr(addresses_room, "look_up", slowly)
    async with answering(OK, hangs_up=True) as server, connected(server.url, most=50) as connections:
        first = asyncio.create_task(ask(connections))
        await asyncio.sleep(0.01)
        calls = asyncio.gather(*(ask(connections) for _ in range(49)))
        await asyncio.sleep(0.01)
        first.cancel()  # who gives up takes the lookup from nobody
        assert await calls == [(200, b"hello")] * 49
        assert await ask(connections) == (200, b"hello")
    assert len(asked) == 1


async def test_where_nobody_answers_a_host_is_not_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[int] = []

    async def moved(_: str, port: int) -> list[Any]:
        found.append(port)
        at = ("127.0.0.1", port if len(found) > 1 else 1)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", at)]

    monkeypatch.setattr(addresses_room, "look_up", moved)
    async with answering(OK) as server, connected(server.url) as connections:
        with pytest.raises(httpx.ConnectError):
            await ask(connections)
        assert await ask(connections) == (200, b"hello")
    assert len(found) == 2


async def test_a_handshake_that_never_ends_is_given_up() -> None:
    async def serve(_: Server, reader: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(serve) as server, connected(server.url.replace("http", "https"), connect=0.2) as connections:
        with pytest.raises(httpx.ConnectTimeout):
            await ask(connections)


async def test_a_server_that_hangs_up_in_the_handshake_was_sent_nothing() -> None:
    async def serve(_: Server, reader: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with serving(serve) as server, connected(server.url.replace("http", "https")) as connections:
        with pytest.raises(httpx.ConnectError):
            await ask(connections)


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("label too long")])
async def test_a_host_that_has_no_address_was_sent_nothing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    async def found(*_: object) -> list[Any]:
        raise error

    monkeypatch.setattr(addresses_room, "look_up", found)
    async with connected("http://127.0.0.1:9") as connections:
        with pytest.raises(httpx.ConnectError):
            await ask(connections)


async def test_the_next_address_of_a_host_is_tried_if_one_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(OK) as server, connected(server.url) as connections:
        deaf = socket.create_server(("127.0.0.1", 0), backlog=0)
        port = int(server.url.rpartition(":")[2])
        with deaf, contextlib.ExitStack() as callers:
            for _ in range(3):  # until nobody is taken in any more
                caller = callers.enter_context(socket.socket())
                caller.setblocking(False)
                caller.connect_ex(deaf.getsockname())
            addresses = [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", at) for at in (deaf.getsockname(), ("127.0.0.1", port))
            ]

            async def found(*_: object, **__: object) -> list[Any]:
                return addresses

            monkeypatch.setattr(addresses_room, "look_up", found)
            assert await ask(connections) == (200, b"hello")


async def test_no_more_connections_are_opened_than_allowed_and_all_get_their_own_answer() -> None:
    async def serve(seen: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            body = (await seen.request(reader)).partition(b"\r\n\r\n")[2]
            await asyncio.sleep(0.001)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async with serving(serve) as server, connected(server.url, most=3) as connections:
        got = await asyncio.gather(*(ask(connections, body=b"%d" % n) for n in range(60)))
    assert got == [(200, b"%d" % n) for n in range(60)]
    assert server.connections == 3


async def test_a_free_connection_is_closed_before_the_server_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_room, "_KEEP_FREE_S", 0.1)
    async with answering(OK) as server, connected(server.url) as connections:
        await asyncio.gather(ask(connections), ask(connections))
        await server.left.get()
        await server.left.get()
        assert await ask(connections) == (200, b"hello")
    assert server.connections == 3


async def test_closing_closes_what_is_free_and_then_what_was_in_use() -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def serve(seen: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            if b"slow: 1" in await seen.request(reader):
                asked.set()
                await answer.wait()
            writer.write(OK)

    async with serving(serve) as server, connected(server.url) as connections:
        await asyncio.gather(ask(connections), ask(connections))
        slow = asyncio.create_task(ask(connections, slow="1"))
        await asked.wait()
        await connections.aclose()
        await server.left.get()
        answer.set()
        assert await slow == (200, b"hello")
        await server.left.get()


async def test_a_request_goes_as_it_is_to_the_one_host_whatever_it_names() -> None:
    received: list[bytes] = []

    async def serve(seen: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await seen.request(reader))
        writer.write(OK)
        await reader.read()

    async with serving(serve) as server, connected(server.url) as connections:
        await ask(connections, body=b'{"a":1}', authorization="Bearer t")
    assert received == [
        b'POST /a?b=c HTTP/1.1\r\nHost: sakari.test\r\nauthorization: Bearer t\r\nContent-Length: 7\r\n\r\n{"a":1}'
    ]


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\nb", "a\rb", "a\0b", "\r\n\r\nGET / HTTP/1.1"])
async def test_a_header_cannot_end_before_its_line_does(value: str) -> None:
    async with answering(OK) as server, connected(server.url) as connections:
        with pytest.raises(ValueError, match="line break"):
            await ask(connections, authorization=value)
    assert server.connections == 0


async def test_a_body_cannot_be_read_once_its_connection_was_given_back() -> None:
    async with answering(OK) as server, connected(server.url) as connections:
        answer = await asked_for(connections)
        assert isinstance(answer.stream, httpx.AsyncByteStream)
        await answer.stream.aclose()
        await answer.stream.aclose()
        assert [chunk async for chunk in answer.stream] == []
